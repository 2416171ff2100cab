// This file is the thread behind a journal's back: it seals what is full and removes what is beyond the
// limits of size and age, so that whoever appends never waits for either.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>

#include "base/clock.hpp"
#include "base/error.hpp"
#include "base/result.hpp"
#include "journal/journal.hpp"

namespace flowtally::journal {

/// What a keeper has done since it was started, and how it fares.
struct KeeperState {
  std::uint64_t rounds = 0;  ///< looks at the journal, with or without something to do
  std::uint64_t sealed = 0;  ///< segments
  std::uint64_t sealed_raw_bytes = 0;
  std::uint64_t sealed_bytes = 0;  ///< what they became
  std::uint64_t lost_records = 0;  ///< damaged ones that sealing left out; readers are told of a gap
  Removed removed{};               ///< by this keeper; Journal::state() has it since the journal began
  std::uint64_t failures = 0;      ///< rounds in which something failed
  std::optional<base::Moment> failing_since{};  ///< nothing while rounds succeed
  std::string failure{};                        ///< why, of the latest
};

struct KeeperOptions {
  /// A look without being told, and the pause after a failure.
  std::chrono::milliseconds interval = std::chrono::seconds(10);
  /// Called by the keeper's thread after each round, with no lock held. Must not throw.
  std::function<void(const KeeperState&)> after_round{};
};

/// How the keeper's thread is to be nice. It is not of the class SCHED_IDLE: such a thread that loses its CPU
/// while it has the journal's mutex would hold up the writer for as long as the machine is busy.
inline constexpr int kKeeperNice = 10;

/// Thread-safe. While it lives, nobody else calls seal_one() and retain(), and the journal is not moved.
class JournalKeeper {
 public:
  /// Begins with a round. `journal` must outlive the keeper. kResource: there is no thread to be had.
  [[nodiscard]] static base::Result<std::unique_ptr<JournalKeeper>> start(Journal& journal,
                                                                          KeeperOptions options = {});
  JournalKeeper(const JournalKeeper&) = delete;
  JournalKeeper& operator=(const JournalKeeper&) = delete;
  /// Gives up a seal that is going on, which leaves the segment as it was; a matter of milliseconds.
  ~JournalKeeper();

  /// There may be something to do: as a rule after an append. Costs a look under a mutex. After a failure it
  /// is heard when the interval is over, so that a full disk is not written full again and again.
  void poke();

  [[nodiscard]] KeeperState state() const;

 private:
  JournalKeeper(Journal& journal, KeeperOptions options);
  void run(const std::stop_token& stop) noexcept;
  [[nodiscard]] base::Status round(const std::stop_token& stop);
  [[nodiscard]] base::Status seal_all(const std::stop_token& stop);
  void wait(const std::stop_token& stop, bool failed);
  void note(const base::Status& outcome);

  // constant after construction
  Journal& journal_;
  KeeperOptions options_;

  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable_any told_;
  bool poked_ = false;
  KeeperState state_;

  std::jthread thread_;  // the last member: it ends before the others go
};

}  // namespace flowtally::journal
