#include "app/node_id.hpp"

#include <cerrno>
#include <cstdio>
#include <memory>

#include <fmt/format.h>
#include <systemd/sd-id128.h>

namespace flowtally::app {
namespace {

/// Names flowtally among the programs that derive ids from the machine id. Never change it: node ids would
/// change.
constexpr sd_id128_t kApplication =
    SD_ID128_MAKE(5f, 1c, 0e, 7a, 92, d4, 4b, 6d, a8, 33, f0, 1e, 7a, 11, c9, 25);

}  // namespace

base::Result<std::string> machine_node_id() {
  sd_id128_t id{};
  if (const int error = sd_id128_get_machine_app_specific(kApplication, &id); error < 0) {
    return base::fail(base::Error::from_errno(-error, "derive a node id from the machine id")
                          .advise("Give one with --node-id, or run `systemd-machine-id-setup`"));
  }
  std::string text = "n";
  for (std::size_t at = 0; at < 8; ++at) text += fmt::format("{:02x}", id.bytes[at]);
  return text + "LOCAL";
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
