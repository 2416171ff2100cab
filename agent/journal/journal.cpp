#include "journal/journal.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/check.hpp"
#include "journal/names.hpp"

namespace flowtally::journal {

using base::Error;
using base::ErrorCode;
using base::fail;
using base::Result;
using base::Status;

namespace {

constexpr std::int64_t kNsPerMs = 1'000'000;

Status check_batch(std::span<const Entry> batch, std::uint64_t& bytes) {
  const auto refuse = [](std::string what) {
    return fail(Error(ErrorCode::kInvalidArgument, std::move(what)));
  };
  if (batch.empty()) return refuse("a batch has no record");
  if (batch.size() > kBatchRecordsMax) return refuse(fmt::format("a batch has {} records", batch.size()));
  bytes = 0;
  for (const Entry& entry : batch) {
    if (entry.line.size() > kLineBytesMax)
      return refuse(fmt::format("a line has {} bytes", entry.line.size()));
    // The first line end is the last character.
    if (entry.line.empty() || entry.line.find('\n') != entry.line.size() - 1)
      return refuse("a record is not one line with a line end");
    bytes += entry.line.size();
  }
  if (bytes > kBatchBytesMax) return refuse(fmt::format("a batch has {} bytes", bytes));
  return {};
}

}  // namespace

struct Journal::Inner {
  Inner(JournalOptions given, FileSystem& file_system) : options(std::move(given)), files(file_system) {
    options.segment_bytes_max =
        std::max(kSegmentBytesMin, std::min(options.segment_bytes_max, options.retained_bytes_max / 4));
  }

  Status recover();
  Result<SequenceRange> append(std::span<const Entry> batch);
  Status rotate_if_due(std::size_t records, std::uint64_t bytes);
  [[nodiscard]] bool sync_is_due(std::int64_t now_ns) const;
  Status note(Status status);
  [[nodiscard]] bool beyond_limits(std::int64_t wall_ns) const;  // under the mutex
  Status remove(const SegmentInfo& segment, const Removed& counted);
  Status remove_files(const SegmentInfo& segment);
  Status save_count(const Removed& counted);

  // constant after open()
  JournalOptions options;
  FileSystem& files;
  std::unique_ptr<FileLock> lock;
  RecoveryReport report;

  // of the thread that appends
  std::optional<OpenSegment> open;  ///< none: the first append makes one
  std::optional<RecordKey> last_key;
  std::int64_t open_since_ns = 0;  ///< boot clock, of the first append
  std::int64_t synced_ns = 0;

  // of the thread that retains
  bool count_saved = true;  ///< what is removed is also counted on disk

  mutable std::mutex mutex;           // guards what follows
  std::vector<SegmentInfo> segments;  ///< the last one is open, if `open_listed`
  bool open_listed = false;
  Sequence next = 1;
  Removed removed;
  std::uint64_t failures = 0;
  std::optional<base::Moment> failing_since;
  std::string failure;
};

Status Journal::Inner::recover() {
  auto recovered = recover_journal(files, options.directory, options.describe, report);
  if (!recovered) return fail(std::move(recovered.error()));
  last_key = recovered->last_key;
  segments = std::move(recovered->segments);
  next = recovered->next;
  removed = recovered->removed;
  if (!recovered->open) return {};
  auto resumed = OpenSegment::resume(files, options.directory, *recovered->open);
  if (!resumed) return fail(std::move(resumed.error()));
  open = std::move(*resumed);
  open_listed = true;
  open_since_ns = options.now().boot_ns;
  return {};
}

/// After it `open` has room for the batch.
Status Journal::Inner::rotate_if_due(std::size_t records, std::uint64_t bytes) {
  const std::int64_t now_ns = options.now().boot_ns;
  if (open && open->end().records == 0) open_since_ns = now_ns;
  if (open) {
    const SegmentEnd& end = open->end();
    const bool full = end.records > 0 && (end.line_bytes + bytes > options.segment_bytes_max ||
                                          end.records + records > kSegmentRecordsMax ||
                                          now_ns - open_since_ns >= options.segment_age_ms_max * kNsPerMs);
    if (!full) return {};
    // Before the next one begins, so that a crash never leaves a hole between two segments.
    if (auto synced = open->sync(); !synced) return synced;
  }
  auto created = OpenSegment::create(files, options.directory, {.first = next, .previous_key = last_key});
  if (!created) return fail(std::move(created.error()).during("begin a new segment"));
  open = std::move(*created);
  open_since_ns = now_ns;
  const std::lock_guard guard(mutex);
  segments.push_back({.first = next, .next = next, .bytes = open->bytes()});
  open_listed = true;
  return {};
}

bool Journal::Inner::sync_is_due(std::int64_t now_ns) const {
  if (options.sync == SyncPolicy::kEachBatch) return true;
  return options.sync == SyncPolicy::kInterval && now_ns - synced_ns >= options.sync_interval_ms * kNsPerMs;
}

Status Journal::Inner::note(Status status) {
  const std::lock_guard guard(mutex);
  if (status) {
    failing_since.reset();
    failure.clear();
    return status;
  }
  ++failures;
  if (!failing_since) failing_since = options.now();
  failure = status.error().text();
  return status;
}

Result<SequenceRange> Journal::Inner::append(std::span<const Entry> batch) {
  std::uint64_t bytes = 0;
  if (auto checked = check_batch(batch, bytes); !checked) return fail(std::move(checked.error()));
  if (auto ready = note(rotate_if_due(batch.size(), bytes)); !ready) return fail(std::move(ready.error()));
  const std::int64_t now_ns = options.now().boot_ns;
  const bool sync = sync_is_due(now_ns);
  if (auto written = note(open->append(batch, sync)); !written) {
    return fail(std::move(written.error())
                    .during(fmt::format("append {} records to {}", batch.size(), options.directory)));
  }
  if (sync) synced_ns = now_ns;
  last_key = batch.back().key;
  const SequenceRange range{.first = next, .count = batch.size()};
  const std::lock_guard guard(mutex);
  next += batch.size();
  FLOWTALLY_CHECK(next == open->end().next());
  SegmentInfo& info = segments.back();
  info.next = next;
  info.records = open->end().records;
  info.bytes = open->bytes();
  info.end_ns = open->end().end_ns;
  return range;
}

bool Journal::Inner::beyond_limits(std::int64_t wall_ns) const {
  if (segments.size() < 2) return false;
  std::uint64_t bytes = 0;
  for (const SegmentInfo& segment : segments) bytes += segment.bytes;
  if (bytes > options.retained_bytes_max) return true;
  const std::int64_t end_ns = segments.front().end_ns;
  return options.retained_age_ms_max > 0 && end_ns != kTimeUnknownEnd &&
         end_ns < wall_ns - options.retained_age_ms_max * kNsPerMs;
}

Status Journal::Inner::remove_files(const SegmentInfo& segment) {
  if (segment.sealed) {
    auto gone = files.remove(segment_path(options.directory, segment.first, kSealedSuffix));
    if (!gone && gone.error().code() != ErrorCode::kNotFound) return gone;
  }
  return remove_raw(files, options.directory, segment.first);
}

Status Journal::Inner::save_count(const Removed& counted) {
  auto saved = save_removed(files, options.directory, counted);
  count_saved = saved.has_value();
  return saved;
}

/// Counted first, so that a crash in between neither forgets the count nor counts twice: open() finishes what
/// is counted. Only where there is no room for the count it comes second.
Status Journal::Inner::remove(const SegmentInfo& segment, const Removed& counted) {
  if (auto saved = save_count(counted); !saved && saved.error().code() != ErrorCode::kResource) return saved;
  if (auto gone = remove_files(segment); !gone) return gone;
  const std::lock_guard guard(mutex);
  segments.erase(segments.begin());
  removed = counted;
  return {};
}

Journal::Journal(std::unique_ptr<Inner> inner) : inner_(std::move(inner)) {}
Journal::Journal(Journal&&) noexcept = default;
Journal& Journal::operator=(Journal&&) noexcept = default;
Journal::~Journal() = default;

Result<Journal> Journal::open(JournalOptions options, FileSystem& files) {
  auto inner = std::make_unique<Inner>(std::move(options), files);
  const std::string& directory = inner->options.directory;
  const auto failed = [&](Error error) {
    return fail(std::move(error).during("open the journal " + directory));
  };
  if (auto made = files.make_directory(directory); !made) return failed(std::move(made.error()));
  auto lock = files.lock(fmt::format("{}/{}", directory, kLockName));
  if (!lock) return failed(std::move(lock.error()));
  inner->lock = std::move(*lock);
  if (auto recovered = inner->recover(); !recovered) return failed(std::move(recovered.error()));
  return Journal(std::move(inner));
}

const RecoveryReport& Journal::recovery() const noexcept { return inner_->report; }

Result<SequenceRange> Journal::append(std::span<const Entry> batch) { return inner_->append(batch); }

Status Journal::sync() {
  if (!inner_->open) return {};
  auto synced = inner_->note(inner_->open->sync());
  if (synced) inner_->synced_ns = inner_->options.now().boot_ns;
  return synced;
}

std::optional<RecordKey> Journal::last_key() const { return inner_->last_key; }

Result<std::optional<SealedFile>> Journal::seal_one(const std::stop_token& stop) {
  std::optional<Sequence> first;
  {
    const std::lock_guard guard(inner_->mutex);
    const std::size_t full = inner_->segments.size() - (inner_->open_listed ? 1 : 0);
    for (std::size_t at = 0; at < full && !first; ++at) {
      if (!inner_->segments[at].sealed) first = inner_->segments[at].first;
    }
  }
  if (!first) return std::nullopt;
  auto sealed = seal_segment(inner_->files, inner_->options.directory, *first, inner_->options.seal, stop);
  if (!sealed || !*sealed) return sealed;
  const std::lock_guard guard(inner_->mutex);
  for (SegmentInfo& segment : inner_->segments) {
    if (segment.first != *first) continue;
    segment.sealed = true;
    segment.bytes = (*sealed)->bytes;
    segment.records = (*sealed)->trailer.records;
  }
  return sealed;
}

Result<Removed> Journal::retain() {
  const std::int64_t wall_ns = inner_->options.now().wall_ns;
  Removed done;
  while (true) {
    SegmentInfo oldest;
    Removed counted;
    {
      const std::lock_guard guard(inner_->mutex);
      if (!inner_->beyond_limits(wall_ns)) break;
      oldest = inner_->segments.front();
      counted = inner_->removed;
    }
    counted.records += oldest.records;
    counted.bytes += oldest.bytes;
    ++counted.segments;
    counted.below = oldest.next;
    if (auto removed = inner_->remove(oldest, counted); !removed)
      return fail(std::move(removed.error()).during("remove an old segment"));
    done.records += oldest.records;
    done.bytes += oldest.bytes;
    ++done.segments;
    done.below = oldest.next;
  }
  if (inner_->count_saved) return done;
  Removed counted;
  {
    const std::lock_guard guard(inner_->mutex);
    counted = inner_->removed;
  }
  if (auto saved = inner_->save_count(counted); !saved)
    return fail(std::move(saved.error()).during("write down what was removed"));
  return done;
}

JournalState Journal::state() const {
  const std::lock_guard guard(inner_->mutex);
  JournalState state{.next = inner_->next,
                     .segments = inner_->segments.size(),
                     .removed = inner_->removed,
                     .failures = inner_->failures,
                     .failing_since = inner_->failing_since,
                     .failure = inner_->failure};
  state.first = inner_->segments.empty() ? state.next : inner_->segments.front().first;
  for (const SegmentInfo& segment : inner_->segments) {
    state.bytes += segment.bytes;
    state.full_segments += segment.sealed ? 0 : 1;
  }
  state.full_segments -= inner_->open_listed ? 1 : 0;
  return state;
}

}  // namespace flowtally::journal
