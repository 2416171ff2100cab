#include "app/journal_upkeep.hpp"

#include <utility>

namespace flowtally::app {

void tell_recovery(const journal::RecoveryReport& report, const std::string& directory,
                   spdlog::logger& logger) {
  for (const journal::RecoveryEvent& event : report.events) {
    logger.warn("{}/{}: {}", directory, event.file, event.text);
  }
  if (report.events_more > 0) logger.warn("{}: {} more of that kind", directory, report.events_more);
}

base::Result<std::unique_ptr<journal::JournalKeeper>> keep(journal::Journal& journal,
                                                           const std::string& directory,
                                                           spdlog::logger& logger) {
  // What the keeper cannot do it says itself: it is told of once for as long as it lasts.
  const auto tell_failure = [&logger, directory, failing = false](const journal::KeeperState& state) mutable {
    if (failing == state.failing_since.has_value()) return;
    failing = !failing;
    if (failing) {
      logger.error("{}; records go on being appended, sealing and removing are tried again", state.failure);
    } else {
      logger.info("{} is being sealed and shortened again", directory);
    }
  };
  auto keeper = journal::JournalKeeper::start(journal, {.after_round = tell_failure});
  if (!keeper) return base::fail(std::move(keeper.error()).during("start the journal's keeper"));
  return keeper;
}

}  // namespace flowtally::app
