// This file keeps up with tailscaled from a thread of its own. One read is the answers to `status`, `prefs`
// and, once after tailscaled was away, `check-so-mark-in-use`, one after the other. When to read is
// read_schedule.hpp's business; the bus (bus.hpp) tells it of changes.
//
// What a user sees when not all is well:
//   - tailscaled is away, or its status cannot be read: the last nodes go on serving, and their age grows.
//   - Its backend is not running (`tailscale down`, logged out, starting): the same. The addresses are gone
//     then, but packets counted just before belong to the nodes that were. Where nothing was known yet, what
//     such an answer says of this node is taken if it has an id and an address.
//   - `prefs` cannot be read: the last ones hold, or none; then traffic is classified by address ranges.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/unique_fd.hpp"
#include "identity/endpoint_memory.hpp"
#include "identity/identity.hpp"
#include "identity/local_api.hpp"
#include "identity/peer_endpoints.hpp"
#include "identity/read_schedule.hpp"
#include "identity/status_parser.hpp"

namespace flowtally::identity {

class TailscaledSource final : public IdentitySource {
 public:
  [[nodiscard]] static base::Result<std::unique_ptr<TailscaledSource>> start(TailscaledOptions options);
  ~TailscaledSource() override;

  [[nodiscard]] Snapshot snapshot() const override;
  bool refresh(std::chrono::milliseconds wait) override;
  [[nodiscard]] int event_fd() const override { return event_fd_.get(); }
  [[nodiscard]] std::vector<Event> take_events() override;
  [[nodiscard]] Status status() const override;

 private:
  using Clock = ReadSchedule::Clock;

  /// How the last read went. Each change is an event.
  enum class Condition : std::uint8_t { kUnknown, kGood, kAway, kNotRunning, kBad };
  enum class Step : std::uint8_t { kIdle, kStatus, kPrefs, kSocketMark, kWhois };

  TailscaledSource(TailscaledOptions options, LocalApi api, base::UniqueFd event_fd);

  // On the thread.
  void run();
  void begin_read();
  void look_at_bus(const LocalApi::Turn& turn);
  void take_answer(Answer answer);
  void take_status(Answer answer);
  void take_prefs(Answer answer);
  void take_socket_mark(const Answer& answer);
  void take_whois(Answer answer);
  void ask_whois();
  void finish_read();
  void fail_read(Condition condition, const base::Error& error);
  void end_read(bool ok);
  void publish();
  void say_self(const model::Tailnet& before, const model::Tailnet& after);
  void say_condition(Condition condition, const std::string& why, const std::string& text);
  void hand_over_events();  // with mutex_ held
  [[nodiscard]] std::string age_text() const;

  // Constant after construction.
  const TailscaledOptions options_;
  const base::UniqueFd event_fd_;

  // Of the thread alone, but for LocalApi::wake().
  LocalApi api_;
  EndpointMemory memory_{};
  PeerEndpoints peer_endpoints_{};
  std::vector<PeerEndpoints::Question> whois_{};  ///< of the read under way, to be asked from the back
  Backoff bus_backoff_;
  Clock::time_point bus_due_ = Clock::time_point::min();
  bool bus_patches_refused_ = false;
  Step step_ = Step::kIdle;
  TailscaledStatus read_{};        ///< the answers of the read under way
  std::string prefs_fault_{};      ///< of the read under way
  std::int64_t read_boot_ns_ = 0;  ///< when it began
  std::uint64_t read_ticket_ = 0;  ///< the newest refresh() before it began
  bool read_forced_ = false;       ///< there was one since the read before
  bool read_published_ = false;
  std::optional<model::RoutingPrefs> prefs_{};
  std::optional<bool> socket_mark_{};
  Condition condition_ = Condition::kUnknown;
  std::string condition_why_{};
  std::vector<Event> said_{};  ///< handed over at the end of the read, with the status that goes with them

  // Guarded by mutex_.
  mutable std::mutex mutex_;
  std::condition_variable read_ended_;
  bool stop_ = false;
  ReadSchedule schedule_;
  Snapshot snapshot_{};
  Status status_{};
  std::vector<Event> events_{};
  std::uint64_t tickets_ = 0;    ///< calls of refresh()
  std::uint64_t ended_for_ = 0;  ///< a read that began after this ticket has ended
  std::uint64_t read_for_ = 0;   ///< and gave a snapshot

  std::thread thread_;  // last: it uses all the others
};

}  // namespace flowtally::identity
