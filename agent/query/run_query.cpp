// This file answers a query. The records of the range are shared out in chunks of numbers; each thread has a
// reader and a line reader of its own and takes one chunk after the other. Groups are summed by thread and
// merged at the end. Sorted connections are kept as far as the limit. Connections in order of time come from
// one thread, which hands them on as it finds them.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <variant>

#include "journal/reader.hpp"
#include "query/groups.hpp"
#include "query/line.hpp"
#include "query/query.hpp"
#include "query/values.hpp"

namespace flowtally::query {

using base::Result;
using base::Status;

namespace {

constexpr std::uint64_t kChunkRecordsMin = 256;
constexpr std::uint64_t kChunksPerThread = 16;  ///< so that threads end at about the same time
constexpr std::uint64_t kTellEvery = 64;        ///< records between two looks at the stop
constexpr std::chrono::milliseconds kProgressEvery{200};

/// Keeps the best rows of those that it is given.
class BestRows {
  /// Ties by everything else, so that an answer is the same each time.
  [[nodiscard]] bool in_order(const Row& left, const Row& right) const {
    const Value& one = left.values[column_];
    const Value& two = right.values[column_];
    return one != two ? before(one, two, sort_.descending) : left.values < right.values;
  }

  [[nodiscard]] auto less() const {
    return [this](const Row& left, const Row& right) { return in_order(left, right); };
  }

 public:
  BestRows(Sort sort, std::size_t column, std::uint64_t limit)
      : sort_(sort), column_(column), limit_(static_cast<std::size_t>(limit)) {}

  void add(Row row) {
    if (rows_.size() == limit_ && !in_order(row, rows_.front())) return;
    rows_.push_back(std::move(row));
    std::ranges::push_heap(rows_, less());
    if (rows_.size() <= limit_) return;
    std::ranges::pop_heap(rows_, less());
    rows_.pop_back();
  }
  void merge(BestRows&& other) {
    for (Row& row : other.rows_) add(std::move(row));
  }
  std::vector<Row> take() {
    std::ranges::sort_heap(rows_, less());
    return std::move(rows_);
  }

 private:
  Sort sort_;
  std::size_t column_;
  std::size_t limit_;
  std::vector<Row> rows_;  ///< a heap, the worst one in front
};

/// What one thread has found.
struct Part {
  Summary summary{};
  std::optional<GroupTable> groups{};
  std::optional<BestRows> best{};
};

class Scan {
 public:
  Scan(const Query& query, const std::string& directory, const RunOptions& options)
      : query_(query),
        directory_(directory),
        options_(options),
        nodes_late_(query.group_by.empty()),
        nodes_(names_nodes(query) && !nodes_late_ ? Nodes::kYes : Nodes::kNo) {}

  /// The numbers that the range of time has.
  Status find_range() {
    auto reader = open_reader();
    if (!reader) return base::fail(std::move(reader.error()));
    if (auto sought = reader->seek_end(); !sought) return sought;
    end_ = reader->position();
    if (auto sought = reader->seek_time(query_.start_ns); !sought) return sought;
    first_ = std::min(reader->position(), end_);
    next_ = first_;
    return find_begin();
  }

  /// Takes chunks until there are none, and gives each connection that matches to `found`; false ends all
  /// threads.
  template <class Found>
  Status work(std::uint64_t chunk, Part& part, const Found& found) {
    auto reader = open_reader();
    if (!reader) return base::fail(std::move(reader.error()));
    LineReader lines;
    while (!ended()) {
      const std::uint64_t begin = next_.fetch_add(chunk);
      if (begin >= end_) break;
      const std::uint64_t end = std::min(begin + chunk, end_);
      if (auto done = scan(*reader, begin, end, lines, part, found); !done) return done;
    }
    part.summary.frames_read = reader->counts().frames_read;
    part.summary.frames_passed = reader->counts().frames_passed;
    return {};
  }

  /// See Summary.
  [[nodiscard]] std::optional<std::int64_t> begins_ns() const noexcept { return begins_ns_; }
  [[nodiscard]] std::uint64_t records() const noexcept { return end_ - first_; }
  [[nodiscard]] Progress progress() const noexcept {
    return {.records = std::min(passed_.load(), records()), .records_total = records()};
  }
  /// Called now and then by whatever thread works: for scans with one.
  void on_progress(std::function<void()> call) { on_progress_ = std::move(call); }
  void end_all() noexcept { ended_ = true; }
  [[nodiscard]] bool ended() const noexcept { return ended_ || options_.stop.stop_requested(); }

 private:
  [[nodiscard]] Result<journal::JournalReader> open_reader() const {
    journal::ScanOptions scan{.start_ns = query_.start_ns, .end_ns = query_.end_ns, .may_match = {}};
    if (!query_.filter.empty()) {
      scan.may_match = [this](const journal::TermFilter& frame) { return query_.filter.may_match(frame); };
    }
    return journal::JournalReader::open(directory_, std::move(scan));
  }

  /// Whether the range begins before the journal does, because retention removed that: a reader that asks for
  /// the record before the first one is told so.
  Status find_begin() {
    if (first_ == 1) return {};
    auto reader = journal::JournalReader::open(directory_);
    if (!reader) return base::fail(std::move(reader.error()));
    if (auto sought = reader->seek(first_ - 1); !sought) return sought;
    const auto before = reader->next();
    if (!before) return base::fail(before.error());
    const auto* const gap = std::get_if<journal::Gap>(&*before);
    if (gap == nullptr || gap->reason != journal::Gap::Reason::kRemoved) return {};
    const auto oldest = reader->next();
    if (!oldest) return base::fail(oldest.error());
    const auto* const record = std::get_if<journal::Record>(&*oldest);
    if (record != nullptr && record->start_ns > query_.start_ns) begins_ns_ = record->start_ns;
    return {};
  }

  template <class Found>
  Status scan(journal::JournalReader& reader, std::uint64_t begin, std::uint64_t end, LineReader& lines,
              Part& part, const Found& found) {
    if (auto sought = reader.seek(begin); !sought) return sought;
    reader.stop_before(end);
    std::uint64_t told = begin;
    const auto tell = [&](std::uint64_t at) {
      passed_ += std::min(at, end) - told;
      told = std::min(at, end);
    };
    for (;;) {
      const auto step = reader.next();
      if (!step) return base::fail(step.error());
      if (std::holds_alternative<journal::AtEnd>(*step)) break;
      if (const auto* const gap = std::get_if<journal::Gap>(&*step)) {
        note(*gap, end, part.summary.missing);
        continue;
      }
      const auto& record = std::get<journal::Record>(*step);
      if (record.sequence >= end) break;
      if (!look_at(record, lines, part, found)) {
        end_all();
        break;
      }
      if (record.sequence - told >= kTellEvery) {
        tell(record.sequence);
        if (on_progress_) on_progress_();
        if (ended()) break;
      }
    }
    tell(end);
    return {};
  }

  template <class Found>
  bool look_at(const journal::Record& record, LineReader& lines, Part& part, const Found& found) {
    ++part.summary.records;
    part.summary.bytes += record.line.size();
    if (!query_.filter.may_match(record.line)) return true;
    const Line* line = lines.read(record.line, query_.filter.needs_nodes() ? Nodes::kYes : nodes_);
    if (line == nullptr) {
      ++part.summary.missing.unreadable;
      return true;
    }
    if (line->end_ns <= query_.start_ns || line->start_ns >= query_.end_ns) return true;
    part.summary.connections += line->connections.size();
    if (nodes_late_ && !query_.filter.needs_nodes()) {
      // Few lines have what is asked for: only of these the names are read.
      const auto matches = [&](const Connection& connection) {
        return query_.filter.matches(*line, connection);
      };
      if (std::ranges::none_of(line->connections, matches)) return true;
      line = lines.read(record.line, Nodes::kYes);
      if (line == nullptr) return true;  // cannot be: it has been read
    }
    for (const Connection& connection : line->connections) {
      if (!query_.filter.matches(*line, connection)) continue;
      ++part.summary.matched;
      if (!found(*line, connection)) return false;
    }
    return true;
  }

  static void note(const journal::Gap& gap, std::uint64_t end, Missing& missing) {
    const std::uint64_t count =
        std::min(gap.records.first + gap.records.count, end) - std::min(gap.records.first, end);
    switch (gap.reason) {
      case journal::Gap::Reason::kRemoved: missing.removed += count; break;
      case journal::Gap::Reason::kDamaged: missing.damaged += count; break;
      case journal::Gap::Reason::kMissing: missing.lost += count; break;
    }
  }

  const Query& query_;
  const std::string& directory_;
  const RunOptions& options_;
  bool nodes_late_;  ///< names are of interest only where something matches
  Nodes nodes_;
  std::function<void()> on_progress_;
  std::optional<std::int64_t> begins_ns_;
  std::uint64_t first_ = 1;
  std::uint64_t end_ = 1;
  std::atomic<std::uint64_t> next_ = 1;    ///< the first record of the next chunk
  std::atomic<std::uint64_t> passed_ = 0;  ///< records
  std::atomic<bool> ended_ = false;
};

void add(Summary& sum, const Summary& part) {
  sum.records += part.records;
  sum.connections += part.connections;
  sum.matched += part.matched;
  sum.bytes += part.bytes;
  sum.frames_read += part.frames_read;
  sum.frames_passed += part.frames_passed;
  sum.missing += part.missing;
}

/// Connections in order of time, as they are found.
Result<Summary> run_in_order(const Query& query, Scan& scan, const RunOptions& options, const RowSink& sink) {
  Part part;
  const auto found = [&](const Line& line, const Connection& connection) {
    if (!sink(connection_row(line, connection))) {
      part.summary.whole = false;
      return false;
    }
    return ++part.summary.rows != query.limit;
  };
  auto told = std::chrono::steady_clock::now();
  scan.on_progress([&] {
    const auto now = std::chrono::steady_clock::now();
    if (!options.progress || now - told < kProgressEvery) return;
    told = now;
    options.progress(scan.progress());
  });
  if (auto done = scan.work(scan.records() + 1, part, found); !done)
    return base::fail(std::move(done.error()));
  if (options.progress) options.progress(scan.progress());
  if (options.stop.stop_requested()) part.summary.whole = false;
  part.summary.begins_ns = scan.begins_ns();
  return part.summary;
}

/// The threads of a query; the calling one waits and tells of the progress.
Result<std::vector<Part>> run_parts(const Query& query, Scan& scan, const RunOptions& options) {
  const std::uint64_t chunks_useful = scan.records() / kChunkRecordsMin + 1;
  const auto threads = static_cast<unsigned>(
      std::clamp<std::uint64_t>(std::min<std::uint64_t>(options.threads, chunks_useful), 1, kThreadsMax));
  const std::uint64_t chunk = std::max(kChunkRecordsMin, scan.records() / (threads * kChunksPerThread) + 1);
  std::vector<Part> parts(threads);
  std::mutex mutex;
  std::condition_variable ended;
  unsigned running = threads;
  std::optional<base::Error> error;
  {
    std::vector<std::jthread> workers;
    for (Part& part : parts) {
      if (query.group_by.empty()) {
        const auto columns = columns_of(query);
        const auto by =
            static_cast<std::size_t>(std::ranges::find(columns, query.sort->column) - columns.begin());
        part.best.emplace(*query.sort, by, query.limit);
      } else {
        part.groups.emplace(query.group_by, query.bucket_ns, kGroupsMax / threads);
      }
      workers.emplace_back([&] {
        auto done = scan.work(chunk, part, [&part](const Line& line, const Connection& connection) {
          if (part.groups) {
            part.groups->add(line, connection);
          } else {
            part.best->add(connection_row(line, connection));
          }
          return true;
        });
        const std::scoped_lock lock(mutex);
        if (!done) {
          scan.end_all();
          if (!error) error = std::move(done.error());
        }
        --running;
        ended.notify_all();
      });
    }
    std::unique_lock lock(mutex);
    while (!ended.wait_for(lock, kProgressEvery, [&] { return running == 0; })) {
      if (!options.progress) continue;
      lock.unlock();
      options.progress(scan.progress());
      lock.lock();
    }
  }
  if (error) return base::fail(std::move(*error));
  return parts;
}

/// False: the sink wanted no more.
bool give_rows(const Query& query, std::vector<Part>& parts, Summary& summary, const RowSink& sink) {
  for (const Part& part : parts) add(summary, part.summary);
  Part& whole = parts.front();
  if (whole.best) {
    for (std::size_t at = 1; at < parts.size(); ++at) whole.best->merge(std::move(*parts[at].best));
    return std::ranges::all_of(whole.best->take(), sink);
  }
  GroupTable groups(query.group_by, query.bucket_ns);
  for (Part& part : parts) {
    groups.merge(*part.groups);
    part.groups.reset();
  }
  summary.groups_beyond = groups.beyond();
  return groups.give_rows(query.sort.value_or(Sort{}), query.limit, sink);
}

}  // namespace

Result<Summary> run_query(const Query& query, const std::string& directory, const RunOptions& options,
                          const RowSink& sink) {
  Scan scan(query, directory, options);
  if (auto found = scan.find_range(); !found) return base::fail(std::move(found.error()));
  if (query.group_by.empty() && !query.sort) return run_in_order(query, scan, options, sink);

  auto parts = run_parts(query, scan, options);
  if (!parts) return base::fail(std::move(parts.error()));
  Summary summary;
  summary.begins_ns = scan.begins_ns();
  summary.whole = give_rows(query, *parts, summary,
                            [&](const Row& row) {
                              if (!sink(row)) return false;
                              ++summary.rows;
                              return true;
                            }) &&
                  !options.stop.stop_requested();
  return summary;
}

}  // namespace flowtally::query
