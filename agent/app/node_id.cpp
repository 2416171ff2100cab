#include "app/node_id.hpp"

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <system_error>
#include <utility>

#include <fmt/format.h>
#include <systemd/sd-id128.h>

#include "app/kept_line.hpp"

namespace flowtally::app {
namespace {

/// Names flowtally among the programs that derive ids from the machine id. Never change it: node ids would
/// change.
constexpr sd_id128_t kApplication =
    SD_ID128_MAKE(5f, 1c, 0e, 7a, 92, d4, 4b, 6d, a8, 33, f0, 1e, 7a, 11, c9, 25);

std::string text_of(const sd_id128_t& id) {
  std::string text = "n";
  for (std::size_t at = 0; at < 8; ++at) text += fmt::format("{:02x}", id.bytes[at]);
  return text + "LOCAL";
}

}  // namespace

base::Result<std::string> machine_node_id(const std::string& state_dir) {
  sd_id128_t id{};
  const int error = sd_id128_get_machine_app_specific(kApplication, &id);
  if (error >= 0) return text_of(id);
  if (state_dir.empty()) {
    return base::fail(base::Error::from_errno(-error, "derive a node id from the machine id")
                          .advise("Give one with --node-id, or run `systemd-machine-id-setup`"));
  }
  const std::string path = state_dir + "/node-id";
  std::string kept = first_line_of(path);
  if (!kept.empty()) return kept;
  if (const int failed = sd_id128_randomize(&id); failed < 0)
    return base::fail(base::Error::from_errno(-failed, "make a node id"));
  kept = text_of(id);
  std::error_code code;
  std::filesystem::create_directories(state_dir, code);
  if (auto written = replace_line(path, kept); !written)
    return base::fail(std::move(written.error()).during("keep a node id, for there is no machine id"));
  return kept;
}

base::Result<std::string> boot_id() {
  constexpr const char* kPath = "/proc/sys/kernel/random/boot_id";
  char text[37] = {};
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(kPath, "re"), std::fclose);
  if (!file || std::fread(text, 1, 36, file.get()) != 36) {
    return base::fail(base::Error::from_errno(file ? EIO : errno, fmt::format("read {}", kPath)));
  }
  return std::string(text);
}

}  // namespace flowtally::app
