// This file is the agent as the API's tests have it: a real journal, filled with records of a known number of
// flows, a tailnet of three nodes, and a status that says what the test wants.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "api/source.hpp"
#include "journal/journal.hpp"

namespace flowtally::test {

/// The first window of a journal ends here: 2026-11-23T00:00:05Z. The following ones 5 s later each.
inline constexpr std::int64_t kFirstEndNs = 1'795'392'005'000'000'000;
inline constexpr std::int64_t kWindowNs = 5'000'000'000;

/// One record as its line, `flows` virtual flows in it.
[[nodiscard]] std::string make_line(std::uint64_t number, std::size_t flows);

class FakeSource final : public api::Source {
 public:
  /// `directory` must exist; the journal goes below it.
  explicit FakeSource(std::string directory);

  /// Appends windows of one record each. Throws std::runtime_error where the journal does not take them.
  void append(std::size_t records, std::size_t flows);
  /// One record of a window that ended then, with `logged` in its line.
  void append_logged(std::int64_t end_ns, std::int64_t logged_ns);
  void seal_all();
  [[nodiscard]] std::uint64_t records() const noexcept { return records_; }
  [[nodiscard]] const std::string& journal() const noexcept { return journal_directory_; }

  void set_status(model::AgentStatus status);

  [[nodiscard]] model::AgentStatus status() override;
  [[nodiscard]] std::shared_ptr<const model::NodeMap> tailnet() override { return nodes_; }
  [[nodiscard]] base::Result<api::LiveWindow> live() override;
  [[nodiscard]] std::string journal_directory(api::LogType type) const override;

 private:
  void append_line(const std::string& line, std::int64_t end_ns);

  std::string journal_directory_;
  std::unique_ptr<journal::Journal> journal_;  ///< never null
  std::uint64_t records_ = 0;
  std::shared_ptr<const model::NodeMap> nodes_;
  std::mutex mutex_;
  model::AgentStatus status_;  // guarded by mutex_
};

}  // namespace flowtally::test
