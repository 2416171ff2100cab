#include <array>

#include "config/access.hpp"
#include "config/keys.hpp"

namespace flowtally::config {
namespace {

constexpr std::uint64_t kIntervalMinMs = 100;
constexpr std::uint64_t kIntervalMaxMs = 3'600'000;
constexpr std::uint64_t kFlowsMin = 16;
constexpr std::uint64_t kFlowsMax = std::uint64_t{1} << 24U;
constexpr std::uint64_t kRetainBytesMin = std::uint64_t{1} << 20U;
constexpr std::uint64_t kRetainAgeMinMs = 60'000;

struct About {
  std::string_view path;
  std::string_view about;
};

constexpr auto kSections = std::to_array<About>({
    {"capture", "What is counted, and how"},
    {"capture.underlay", "Tailscaled's own datagrams, which carry the tailnet"},
    {"records", "What is written for each window"},
    {"identity", "Where it is known from who is who"},
    {"journal", "The records that are kept on disk"},
    {"api", "Who may ask and change the agent, and where"},
    {"sinks", "Where records are streamed to, each under a name of its own"},
    {"batch", "A batch is sent when the first of these is reached"},
    {"retry", "The pauses between tries"},
    {"tls", "How connections are secured"},
});

std::vector<Key<Settings>> capture_keys() {
  using C = CaptureSettings;
  constexpr auto kPart = &Settings::capture;
  return {
      setting<kPart, &C::interface>({.path = "capture.interface",
                                     .type = ValueType::kInterface,
                                     .about = "Device to count; waited for if it is not there",
                                     .fallback = "tailscale0"}),
      setting<kPart, &C::interval>({.path = "capture.interval",
                                    .type = ValueType::kTime,
                                    .about = "Length of a window",
                                    .fallback = "5s",
                                    .min = kIntervalMinMs,
                                    .max = kIntervalMaxMs}),
      setting<kPart, &C::flows_max>(
          {.path = "capture.max_flows",
           .type = ValueType::kNumber,
           .about = "Most flows of each IP version in one window; memory follows the traffic up to it",
           .fallback = "131072",
           .min = kFlowsMin,
           .max = kFlowsMax}),
      setting<kPart, &C::attach>({.path = "capture.attach",
                                  .type = ValueType::kWord,
                                  .about = "The kernel's hook that is used",
                                  .fallback = "auto",
                                  .words = Words<Attach>::kAll}),
      setting<kPart, &C::exclude>(
          {.path = "capture.exclude",
           .type = ValueType::kFlag,
           .about = "Leave out what Tailscale leaves out: service addresses, multicast, link-local",
           .fallback = "true"}),
      setting<kPart, &C::bpffs>({.path = "capture.bpffs",
                                 .type = ValueType::kPath,
                                 .about = "Mounted BPF file system; what counts is pinned there",
                                 .fallback = "/sys/fs/bpf"}),
      setting<kPart, &C::underlay>({.path = "capture.underlay.enabled",
                                    .type = ValueType::kFlag,
                                    .about = "Count tailscaled's own datagrams (physicalTraffic)",
                                    .fallback = "true"}),
      setting<kPart, &C::underlay_interfaces>(
          {.path = "capture.underlay.interfaces",
           .type = ValueType::kInterfaces,
           .about = "Devices that carry them; without it every device with an address of its own"}),
  };
}

std::vector<Key<Settings>> record_keys() {
  using R = RecordSettings;
  constexpr auto kPart = &Settings::records;
  return {
      setting<kPart, &R::node_id>({.path = "records.node_id",
                                   .type = ValueType::kNodeId,
                                   .about =
                                       "nodeId of the records; without it as identity says, else derived "
                                       "from the machine id"}),
      setting<kPart, &R::accounting>(
          {.path = "records.accounting",
           .type = ValueType::kFlag,
           .about = "Write the totals that prove each record; false: Tailscale's fields only",
           .fallback = "true"}),
      setting<kPart, &R::log_exit_flows>(
          {.path = "records.log_exit_flows",
           .type = ValueType::kFlag,
           .about = "Write protocol, ports and outside addresses of exit traffic; false: as the tailnet's "
                    "policy says",
           .fallback = "false"}),
      setting<kPart, &R::output>({.path = "records.output",
                                  .type = ValueType::kOutput,
                                  .about = "File that a copy of the records is appended to; - is stdout"}),
  };
}

std::vector<Key<Settings>> identity_keys() {
  using I = IdentitySettings;
  constexpr auto kPart = &Settings::identity;
  return {
      setting<kPart, &I::tailscaled_socket>({.path = "identity.tailscaled_socket",
                                             .type = ValueType::kPath,
                                             .about = "Where tailscaled answers who is who",
                                             .fallback = "/var/run/tailscale/tailscaled.sock"}),
      setting<kPart, &I::file>({.path = "identity.file",
                                .type = ValueType::kPath,
                                .about = "Who is who, in a YAML file, instead of asking tailscaled"}),
  };
}

std::vector<Key<Settings>> journal_keys() {
  using J = JournalSettings;
  constexpr auto kPart = &Settings::journal;
  return {
      setting<kPart, &J::enabled>(
          {.path = "journal.enabled",
           .type = ValueType::kFlag,
           .about = "Keep records on disk; false: nothing is kept, streamed or answered",
           .fallback = "true"}),
      setting<kPart, &J::state_dir>({.path = "journal.state_dir",
                                     .type = ValueType::kPath,
                                     .about = "Where the journal and what belongs to it are kept",
                                     .fallback = "/var/lib/flowtally"}),
      setting<kPart, &J::retain_bytes>({.path = "journal.retain_size",
                                        .type = ValueType::kSize,
                                        .about = "Size of the journal beyond which its oldest records go",
                                        .fallback = "4G",
                                        .min = kRetainBytesMin}),
      setting<kPart, &J::retain_age>({.path = "journal.retain_age",
                                      .type = ValueType::kTime,
                                      .about = "Age at which records go; without it, at any age",
                                      .min = kRetainAgeMinMs}),
      setting<kPart, &J::fsync>({.path = "journal.fsync",
                                 .type = ValueType::kWord,
                                 .about = "When records are synced to the disk: with each window, each "
                                          "second, or when the kernel likes to",
                                 .fallback = "window",
                                 .words = Words<Sync>::kAll}),
  };
}

std::vector<Key<Settings>> api_keys() {
  using A = ApiSettings;
  constexpr auto kPart = &Settings::api;
  return {
      setting<kPart, &A::socket>({.path = "api.socket",
                                  .type = ValueType::kPath,
                                  .about = "Unix socket on which questions are answered",
                                  .fallback = "/run/flowtally/flowtally.sock"}),
      setting<kPart, &A::socket_group>({.path = "api.socket_group",
                                        .about = "Group that may use the socket; without it the process' "
                                                 "own"}),
      setting<kPart, &A::admin_group>(
          {.path = "api.admin_group",
           .about = "Group whose members may change streams and reload the configuration; without it only "
                    "root and the user that flowtally runs as"}),
      setting<kPart, &A::listen>({.path = "api.listen",
                                  .type = ValueType::kEndpoint,
                                  .about = "Loopback TCP address on which questions are answered too; needs "
                                           "token_file"}),
      setting<kPart, &A::token_file>({.path = "api.token_file",
                                      .type = ValueType::kPath,
                                      .about = "File with the token that is asked for on that address"}),
  };
}

std::vector<Key<Settings>> all_keys() {
  std::vector<Key<Settings>> all;
  for (auto* const part : {capture_keys, record_keys, identity_keys, journal_keys, api_keys}) {
    const auto keys = part();
    all.insert(all.end(), keys.begin(), keys.end());
  }
  return all;
}

}  // namespace

std::span<const Key<Settings>> settings_keys() {
  static const std::vector<Key<Settings>> kKeys = all_keys();
  return kKeys;
}

std::string_view about_section(std::string_view path) {
  const auto* const found = std::ranges::find(kSections, path, &About::path);
  return found == kSections.end() ? std::string_view() : found->about;
}

Settings with_defaults(Settings settings) {
  for (const Key<Settings>& key : settings_keys()) {
    if (key.info.fallback.empty() || key.get(settings, key.info)) continue;
    auto value = read_scalar(key.info, key.info.fallback);
    if (value) key.set(settings, key.info, *value);
  }
  return settings;
}

}  // namespace flowtally::config
