#include "app/node_id.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <system_error>
#include <utility>

#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <sys/random.h>

#include "app/kept_line.hpp"

namespace flowtally::app {
namespace {

using Id = std::array<unsigned char, 16>;

/// Names flowtally among the programs that derive ids from the machine id. Never change it: node ids would
/// change.
constexpr Id kApplication = {0x5f, 0x1c, 0x0e, 0x7a, 0x92, 0xd4, 0x4b, 0x6d,
                             0xa8, 0x33, 0xf0, 0x1e, 0x7a, 0x11, 0xc9, 0x25};

/// The first half of a UUID of version 4, whose version is in it.
std::string text_of(Id id) {
  id[6] = static_cast<unsigned char>((id[6] & 0x0fU) | 0x40U);
  std::string text = "n";
  for (std::size_t at = 0; at < 8; ++at) text += fmt::format("{:02x}", id[at]);
  return text + "LOCAL";
}

/// 32 hex digits (machine-id(5)). Before the first boot is over there is another word, or nothing.
std::optional<Id> machine_id(const std::string& path) {
  const std::string line = first_line_of(path);
  Id id{};
  if (line.size() != 2 * id.size()) return std::nullopt;
  for (std::size_t at = 0; at < id.size(); ++at) {
    const char* const digits = line.data() + 2 * at;
    const auto parsed = std::from_chars(digits, digits + 2, id[at], 16);
    if (parsed.ec != std::errc() || parsed.ptr != digits + 2) return std::nullopt;
  }
  if (id == Id{}) return std::nullopt;
  return id;
}

/// As sd_id128_get_machine_app_specific(3) does it: an HMAC whose key is the machine id, cut to its length.
std::optional<Id> application_id(const Id& machine) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> hash{};
  unsigned int size = 0;
  const bool made = ::HMAC(::EVP_sha256(), machine.data(), static_cast<int>(machine.size()),
                           kApplication.data(), kApplication.size(), hash.data(), &size) != nullptr;
  Id id{};
  if (!made || size < id.size()) return std::nullopt;
  std::copy_n(hash.begin(), id.size(), id.begin());
  return id;
}

}  // namespace

base::Result<std::string> machine_node_id(const std::string& state_dir, const std::string& machine_id_file) {
  if (const auto machine = machine_id(machine_id_file)) {
    if (const auto id = application_id(*machine)) return text_of(*id);
  }
  if (state_dir.empty()) {
    return base::fail(base::Error(base::ErrorCode::kNotFound,
                                  fmt::format("derive a node id: {} has no machine id", machine_id_file))
                          .advise("Give one with --node-id, or run `systemd-machine-id-setup`"));
  }
  const std::string path = state_dir + "/node-id";
  std::string kept = first_line_of(path);
  if (!kept.empty()) return kept;
  Id id{};
  if (::getrandom(id.data(), id.size(), 0) != static_cast<ssize_t>(id.size()))
    return base::fail(base::Error::from_errno(errno, "make a node id"));
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
