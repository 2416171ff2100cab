#include "app/record_journal.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "app/journal_upkeep.hpp"
#include "base/clock.hpp"
#include "query/terms.hpp"
#include "record/boot_hash.hpp"
#include "record/text.hpp"

namespace flowtally::app {
std::string network_journal_in(const std::string& state_dir) { return state_dir + "/network"; }
std::string configuration_journal_in(const std::string& state_dir) { return state_dir + "/configuration"; }

RecordJournal::RecordJournal(journal::Journal journal, std::string directory, std::uint64_t boot)
    : journal_(std::move(journal)), directory_(std::move(directory)), boot_(boot) {}

base::Result<std::unique_ptr<RecordJournal>> RecordJournal::open(const RecordJournalOptions& options,
                                                                 const std::string& boot_id,
                                                                 spdlog::logger& logger) {
  const std::string directory = network_journal_in(options.state_dir);
  auto opened = journal::Journal::open({.directory = directory,
                                        .sync = options.sync,
                                        .retained_bytes_max = options.retained_bytes_max,
                                        .retained_age_ms_max = options.retained_age_ms_max,
                                        .seal = {.terms_of = query::terms_of},
                                        .describe = query::describe});
  if (!opened) return base::fail(std::move(opened.error()).during("open the journal of flows"));
  tell_recovery(opened->recovery(), directory, logger);
  std::unique_ptr<RecordJournal> made(
      new RecordJournal(std::move(*opened), directory, record::boot_hash(boot_id)));
  auto keeper = keep(made->journal_, directory, logger);
  if (!keeper) return base::fail(std::move(keeper.error()));
  made->keeper_ = std::move(*keeper);
  return made;
}

bool RecordJournal::has(std::uint64_t epoch) const {
  const auto last = journal_.last_key();
  return last && last->boot_hash == boot_ && last->epoch >= epoch;
}

void RecordJournal::begin(const model::Window& window) {
  lines_.clear();
  of_window_ = {.line = {},
                .start_ns = window.start.wall_ns,
                .end_ns = window.end.wall_ns,
                .key = {.boot_hash = boot_, .epoch = window.epoch}};
}

void RecordJournal::add(std::string_view line) { lines_.emplace_back(line); }

base::Status RecordJournal::append() {
  if (lines_.empty()) return {};
  logged_ns_ = std::max(logged_ns_, base::now().wall_ns);
  const std::string logged = fmt::format("{{\"logged\":\"{}\",", record::time_text(logged_ns_));
  std::vector<std::string> stamped;
  stamped.reserve(lines_.size());
  std::vector<journal::Entry> batch;
  batch.reserve(lines_.size());
  for (const std::string& line : lines_) {
    stamped.push_back(logged + line.substr(1));  // behind the brace
    journal::Entry& entry = batch.emplace_back(of_window_);
    entry.line = stamped.back();
    entry.key.part = static_cast<std::uint32_t>(batch.size());
    entry.key.parts = static_cast<std::uint32_t>(lines_.size());
  }
  if (auto appended = journal_.append(batch); !appended) return base::fail(std::move(appended.error()));
  keeper_->poke();
  return {};
}

}  // namespace flowtally::app
