// This file is how the agent writes its records down: the journal of flows, window by window, and the memory
// of which windows it has.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <spdlog/logger.h>

#include "base/result.hpp"
#include "journal/journal.hpp"
#include "journal/keeper.hpp"
#include "model/classified_window.hpp"

namespace flowtally::app {

struct RecordJournalOptions {
  std::string state_dir = "/var/lib/flowtally";
  journal::SyncPolicy sync = journal::SyncPolicy::kEachBatch;
  std::uint64_t retained_bytes_max = std::uint64_t{4} << 30U;
  std::int64_t retained_age_ms_max = 0;  ///< 0: any age
};

/// The folders of the journals in the state directory.
[[nodiscard]] std::string network_journal_in(const std::string& state_dir);
[[nodiscard]] std::string configuration_journal_in(const std::string& state_dir);

/// Belongs to the agent's thread, but for state().
class RecordJournal {
 public:
  /// Opens, locks and recovers; what recovery had to do goes to the log. kResource: another process has it.
  [[nodiscard]] static base::Result<std::unique_ptr<RecordJournal>> open(const RecordJournalOptions& options,
                                                                         const std::string& boot_id,
                                                                         spdlog::logger& logger);

  /// True where the window of that number, or a later one of this boot, is in the journal: windows come in
  /// the order of their numbers.
  [[nodiscard]] bool has(std::uint64_t epoch) const;

  /// The records of a window, one after the other, each with its line end; then append() takes them all at
  /// once or, with an Error, not at all: it can be repeated, and nothing is lost by that. A window without
  /// records is appended by doing nothing.
  /// In the journal each line has the time of the append in front, as `logged`.
  void begin(const model::Window& window);
  void add(std::string_view line);
  [[nodiscard]] base::Status append();
  /// What was begun, as it was given.
  [[nodiscard]] const std::vector<std::string>& lines() const noexcept { return lines_; }

  [[nodiscard]] journal::JournalState state() const { return journal_.state(); }
  [[nodiscard]] const std::string& directory() const noexcept { return directory_; }

 private:
  RecordJournal(journal::Journal journal, std::string directory, std::uint64_t boot);

  journal::Journal journal_;
  std::string directory_;
  std::uint64_t boot_;
  journal::Entry of_window_{};
  std::int64_t logged_ns_ =
      0;  ///< of the latest append; it never goes back, so that nobody who polls misses one
  std::vector<std::string> lines_;
  std::unique_ptr<journal::JournalKeeper> keeper_;  ///< the last member: it ends before the journal goes
};

}  // namespace flowtally::app
