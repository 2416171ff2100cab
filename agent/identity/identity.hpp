// This file is who is who, for the rest of the agent: the newest state of the tailnet that is known, from
// tailscaled, from a file, or from nobody. Knowing is never waited for: what was known last goes on serving,
// with its age.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "identity/local_api.hpp"
#include "identity/read_schedule.hpp"
#include "identity/status_parser.hpp"
#include "model/node_map.hpp"

namespace flowtally::identity {

/// Something to log; each is said once for as long as it lasts.
struct Event {
  enum class Kind : std::uint8_t {
    kReached,      ///< tailscaled answers, for the first time or again
    kLost,         ///< it cannot be reached, or is not running as a node; the last nodes go on serving
    kSelfChanged,  ///< this node has another id, name, user, tag, address or UDP port
    kBadAnswer,    ///< it answers something else than it should; what cannot be read stays as it was
  };
  Kind kind{};
  std::string text{};
};

/// At most so many wait to be taken; the oldest ones go.
inline constexpr std::size_t kEventsMax = 64;

struct Snapshot {
  /// Never null; of source kNone before the first answer. The same pointer as before: nothing changed.
  std::shared_ptr<const model::NodeMap> nodes{};
  /// Boot clock at the moment when it was asked for; 0: never. tailscaled may be younger than that by the
  /// time of one answer.
  std::int64_t read_boot_ns = 0;
};

/// For metrics. Counters are since the start.
struct Status {
  bool reachable = false;              ///< the last question was taken, whatever the answer
  bool folder_removed = false;         ///< tailscaled's folder of old is what we see, and it made another:
                                       ///< a container that mounts it has to be started again
  std::string backend_state{};         ///< "Running", "Stopped"; empty before the first answer
  std::string version{};               ///< of tailscaled
  bool has_tun = true;                 ///< false: userspace networking
  bool bus_open = false;               ///< changes are told; else they are seen at the next poll
  std::uint64_t reads = 0;             ///< answers of `status` that were understood
  std::uint64_t failures = 0;          ///< reads that were not
  std::uint64_t forced_refreshes = 0;  ///< calls of refresh()
  std::uint64_t bus_messages = 0;
  std::uint64_t events_lost = 0;     ///< beyond kEventsMax
  std::uint64_t peers_left_out = 0;  ///< of the last answer: peers without an id
  std::uint64_t remembered_endpoints = 0;
  std::string last_error{};  ///< of the last failure; stays
};

/// One source. The destructor ends what it runs, promptly; no other call may be under way then.
class IdentitySource {
 public:
  IdentitySource() = default;
  IdentitySource(const IdentitySource&) = delete;
  IdentitySource& operator=(const IdentitySource&) = delete;
  virtual ~IdentitySource() = default;

  /// The newest. Any thread; never waits for tailscaled.
  [[nodiscard]] virtual Snapshot snapshot() const = 0;

  /// An unknown address or endpoint appeared: ask again. Waits until a snapshot that was asked for after this
  /// call is there (true), or that failed, or `wait` is over. Where the rate limits (read_schedule.hpp) allow
  /// no read before `wait` is over it returns false at once; the read follows all the same. Any thread.
  virtual bool refresh(std::chrono::milliseconds wait) = 0;

  /// Readable while events wait; -1 where there never are any.
  [[nodiscard]] virtual int event_fd() const = 0;
  [[nodiscard]] virtual std::vector<Event> take_events() = 0;
  [[nodiscard]] virtual Status status() const = 0;
};

struct TailscaledOptions {
  std::string socket = "/var/run/tailscale/tailscaled.sock";
  std::chrono::milliseconds poll_interval = kPollInterval;
  std::chrono::milliseconds settle = kSettle;
  std::chrono::milliseconds read_gap_min = kReadGapMin;
  std::chrono::milliseconds forced_gap_min = kForcedGapMin;
  std::chrono::milliseconds connect_timeout = kConnectTimeout;
  std::chrono::milliseconds answer_timeout = kAnswerTimeout;
  std::size_t answer_bytes_max = kAnswerBytesMax;
};

/// Nobody tells: the empty snapshot for ever.
[[nodiscard]] std::unique_ptr<IdentitySource> no_identity();

/// A file as docs/formats/identity.md describes, read once. Its errors name the line and column.
[[nodiscard]] base::Result<std::unique_ptr<IdentitySource>> identity_of_file(const std::string& path);

/// Starts a thread that asks tailscaled. It need not run: it is asked again and again. The thread works in
/// the namespaces of the calling one and takes no signals. kInvalidArgument: the path is none of a socket.
/// kResource: no thread, descriptor or memory for it.
[[nodiscard]] base::Result<std::unique_ptr<IdentitySource>> identity_of_tailscaled(TailscaledOptions options);

}  // namespace flowtally::identity
