#include "journal/reader.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include "journal/journal_end.hpp"
#include "journal/names.hpp"
#include "journal/raw_segment.hpp"
#include "journal/sealed_segment.hpp"
#include "journal/segment_list.hpp"

namespace flowtally::journal {

using base::Error;
using base::ErrorCode;
using base::fail;
using base::Result;
using base::Status;

namespace {

/// A sealed segment and the frame of it that was read last.
struct Sealed {
  SealedSegment segment;
  bool salvaged = false;
  std::size_t frame = 0;  ///< index of the frame in the buffer, if `loaded`
  bool loaded = false;
  std::size_t row = 0;          ///< of the record that comes next
  std::size_t text_offset = 0;  ///< of its line
};

struct Source {
  Sequence first = 0;
  std::optional<Sealed> sealed{};
  std::optional<RawSegment> raw{};
};

}  // namespace

struct JournalReader::Inner {
  Inner(FileSystem& file_system, std::string path, ScanOptions wanted)
      : files(file_system), directory(std::move(path)), options(std::move(wanted)) {}

  Result<Step> next();
  Status seek(Sequence to);
  Status seek_time(std::int64_t time_ns);
  Result<Sequence> end() { return journal_end(files, directory); }
  Result<Gap> give_up();
  bool wait(std::chrono::milliseconds timeout, int wake_fd);

  // Each of these gives a step, or nothing: then the place has moved and next() looks again.
  Result<std::optional<Step>> locate();
  Result<std::optional<Step>> next_raw();
  Result<std::optional<Step>> next_sealed();
  Result<std::optional<Step>> at_end_of_raw();
  Result<std::optional<Step>> behind(const Listing& listing, bool damaged);

  Status open_source(const SegmentFiles& segment);
  Result<std::optional<Sequence>> first_after(const SegmentFiles& segment, std::int64_t time_ns);
  Step gap_to(Sequence to, Gap::Reason reason);
  Gap missing_gap(Sequence to);
  [[nodiscard]] bool in_time(std::int64_t start_ns, std::int64_t end_ns) const {
    return end_ns > options.start_ns && start_ns < options.end_ns;
  }
  [[nodiscard]] bool wants(const SealedSegment& segment, const FrameInfo& frame) const {
    return in_time(frame.start_ns, frame.end_ns) &&
           (!options.may_match || frame.filter_bytes == 0 || options.may_match(segment.filter(frame)));
  }

  FileSystem& files;
  std::string directory;
  ScanOptions options;
  Sequence place = 0;  ///< of the next record; 0: the oldest
  Sequence before = std::numeric_limits<Sequence>::max();
  std::optional<Source> source;
  FrameBuffer buffer;
  ScanCounts counts;
  base::UniqueFd watch;
};

Step JournalReader::Inner::gap_to(Sequence to, Gap::Reason reason) {
  const Gap gap{.records = {.first = place, .count = to - place}, .reason = reason};
  place = to;
  return gap;
}

/// No segment has what comes before `to`: as far as retention has counted it, that is retention's doing.
Gap JournalReader::Inner::missing_gap(Sequence to) {
  const auto removed = load_removed(files, directory);
  const Sequence below = removed ? removed->below : 1;
  const Sequence until = place < below ? std::min(below, to) : to;
  return std::get<Gap>(gap_to(until, place < below ? Gap::Reason::kRemoved : Gap::Reason::kMissing));
}

Status JournalReader::Inner::open_source(const SegmentFiles& segment) {
  source.reset();
  Source opened{.first = segment.first};
  if (segment.sealed) {
    auto sealed = SealedSegment::open(files, directory, segment.first);
    const bool salvage = !sealed && sealed.error().code() == ErrorCode::kCorrupt;
    if (salvage) sealed = SealedSegment::salvage(files, directory, segment.first);
    if (!sealed) return fail(std::move(sealed.error()));
    opened.sealed.emplace(Sealed{.segment = std::move(*sealed), .salvaged = salvage});
  } else {
    auto raw = RawSegment::open(files, directory, segment.first);
    if (!raw) return fail(std::move(raw.error()));
    opened.raw.emplace(std::move(*raw));
  }
  source.emplace(std::move(opened));
  return {};
}

/// Finds the segment that has `place`, or would have it.
Result<std::optional<Step>> JournalReader::Inner::locate() {
  for (int look = 0; look < kLooksMax; ++look) {
    const auto listing = list_journal(files, directory);
    if (!listing) return fail(listing.error());
    const auto& segments = listing->segments;
    if (place == 0) place = segments.empty() ? 1 : segments.front().first;
    if (segments.empty()) return Step(AtEnd{});
    if (place < segments.front().first) return Step(missing_gap(segments.front().first));
    const auto after = std::ranges::upper_bound(segments, place, {}, &SegmentFiles::first);
    const SegmentFiles& segment = *std::prev(after);
    // An index alone is a segment about to begin, or the rest of one that goes.
    if (!segment.sealed && !segment.lines) {
      if (after == segments.end()) return Step(AtEnd{});
      return Step(missing_gap(after->first));
    }
    auto opened = open_source(segment);
    if (opened) return std::nullopt;
    if (opened.error().code() != ErrorCode::kNotFound) return fail(std::move(opened.error()));
  }
  return fail(Error(ErrorCode::kIo, fmt::format("the segment of record {} in {} cannot be opened: its files "
                                                "come and go",
                                                place, directory)));
}

/// `place` is behind all that the source has: the next segment, a gap before it, or the end.
Result<std::optional<Step>> JournalReader::Inner::behind(const Listing& listing, bool damaged) {
  const auto after = std::ranges::upper_bound(listing.segments, source->first, {}, &SegmentFiles::first);
  if (after == listing.segments.end()) return Step(AtEnd{});
  source.reset();
  if (after->first <= place) return std::nullopt;
  return damaged ? gap_to(after->first, Gap::Reason::kDamaged) : Step(missing_gap(after->first));
}

Result<std::optional<Step>> JournalReader::Inner::at_end_of_raw() {
  const auto current = source->raw->current();
  if (!current) return fail(current.error());
  const auto listing = list_journal(files, directory);
  if (!listing) return fail(listing.error());
  // What was published between the look at the number and the one at the directory comes first.
  const auto published = source->raw->published();
  if (!published) return fail(published.error());
  if (place - source->first < *published) return std::nullopt;
  const Sequence first = source->first;
  const auto same = std::ranges::find(listing->segments, first, &SegmentFiles::first);
  if (!*current && same != listing->segments.end() && (same->lines || same->sealed)) {
    // Sealed or recovered meanwhile: what is there now may have more.
    source.reset();
    auto opened = open_source(*same);
    if (!opened && opened.error().code() != ErrorCode::kNotFound) return fail(std::move(opened.error()));
    return std::nullopt;
  }
  return behind(*listing, false);
}

Result<std::optional<Step>> JournalReader::Inner::next_raw() {
  RawSegment& raw = *source->raw;
  const auto published = raw.published();
  if (!published) return fail(published.error());
  const std::uint64_t position = place - raw.first();
  if (position >= *published) return at_end_of_raw();
  const auto entry = raw.read_entry(position);
  if (!entry) return fail(entry.error());
  if (!entry->damaged && !in_time(entry->entry.start_ns, entry->entry.end_ns)) {
    ++place;
    return std::nullopt;
  }
  const auto record = raw.read(position);
  if (!record) return fail(record.error());
  if (!record->damaged) {
    return Step(Record{.line = record->line,
                       .sequence = place++,
                       .start_ns = record->entry.start_ns,
                       .end_ns = record->entry.end_ns});
  }
  std::uint64_t good = position + 1;
  for (; good < *published; ++good) {
    const auto following = raw.read(good);
    if (!following || !following->damaged) break;
  }
  return Step(gap_to(raw.first() + good, Gap::Reason::kDamaged));
}

Result<std::optional<Step>> JournalReader::Inner::next_sealed() {
  Sealed& sealed = *source->sealed;
  const auto& frames = sealed.segment.frames();
  if (!sealed.loaded || frames[sealed.frame].next() <= place) {
    sealed.loaded = false;
    const auto found = std::ranges::upper_bound(frames, place, {}, &FrameInfo::next);
    if (found == frames.end()) {
      const auto listing = list_journal(files, directory);
      if (!listing) return fail(listing.error());
      // Where its index is damaged, the next segment knows best where this one ends.
      const bool last = listing->segments.empty() || listing->segments.back().first <= source->first;
      if (place < sealed.segment.trailer().next && (last || !sealed.salvaged))
        return Step(gap_to(sealed.segment.trailer().next, Gap::Reason::kDamaged));
      return behind(*listing, sealed.salvaged);
    }
    if (place < found->first) return Step(gap_to(found->first, Gap::Reason::kDamaged));
    if (!wants(sealed.segment, *found)) {
      ++counts.frames_passed;
      place = found->next();
      return std::nullopt;
    }
    ++counts.frames_read;
    if (auto read = sealed.segment.read(*found, buffer); !read) {
      if (read.error().code() != ErrorCode::kCorrupt) return fail(std::move(read.error()));
      return Step(gap_to(found->next(), Gap::Reason::kDamaged));
    }
    sealed.frame = static_cast<std::size_t>(found - frames.begin());
    sealed.row = 0;
    sealed.text_offset = 0;
    sealed.loaded = true;
  }
  const Sequence first = frames[sealed.frame].first;
  while (true) {
    const RecordRow& row = buffer.rows()[sealed.row];
    const std::string_view line = buffer.raw().substr(sealed.text_offset, row.length);
    const Sequence sequence = first + sealed.row;
    ++sealed.row;
    sealed.text_offset += row.length;
    const bool last = sealed.row == buffer.rows().size();
    if (sequence < place || !in_time(row.start_ns, row.end_ns)) {
      place = std::max(place, sequence + 1);
      if (last) return std::nullopt;
      continue;
    }
    place = sequence + 1;
    return Step(Record{.line = line, .sequence = sequence, .start_ns = row.start_ns, .end_ns = row.end_ns});
  }
}

Result<Step> JournalReader::Inner::next() {
  while (true) {
    if (place >= before) return Step(AtEnd{});
    auto step = !source ? locate() : source->raw ? next_raw() : next_sealed();
    if (!step) return fail(std::move(step.error()));
    if (*step) return **step;
  }
}

Status JournalReader::Inner::seek(Sequence to) {
  const auto last = end();
  if (!last) return fail(last.error());
  if (to == 0 || to > *last) {
    return fail(Error(ErrorCode::kInvalidArgument,
                      fmt::format("record {} is none of {}, which ends before {}", to, directory, *last)));
  }
  place = to;
  source.reset();
  return {};
}

/// The number of the first record of the segment that may end after the time.
Result<std::optional<Sequence>> JournalReader::Inner::first_after(const SegmentFiles& segment,
                                                                  std::int64_t time_ns) {
  if (segment.sealed) {
    const auto trailer = SealedSegment::read_trailer(files, directory, segment.first);
    if (trailer && trailer->end_ns <= time_ns) return std::nullopt;
  } else if (!segment.lines) {
    return std::nullopt;
  }
  if (auto opened = open_source(segment); !opened) return fail(std::move(opened.error()));
  if (source->sealed) {
    for (const FrameInfo& frame : source->sealed->segment.frames()) {
      if (frame.end_ns > time_ns) return frame.first;
    }
    return std::nullopt;
  }
  const auto published = source->raw->published();
  if (!published) return fail(published.error());
  for (std::uint64_t position = 0; position < *published; ++position) {
    const auto record = source->raw->read_entry(position);
    if (!record) return fail(record.error());
    if (!record->damaged && record->entry.end_ns > time_ns) return segment.first + position;
  }
  return std::nullopt;
}

Status JournalReader::Inner::seek_time(std::int64_t time_ns) {
  const auto listing = list_journal(files, directory);
  if (!listing) return fail(listing.error());
  for (const SegmentFiles& segment : listing->segments) {
    auto found = first_after(segment, time_ns);
    source.reset();
    // Removed meanwhile: it was older than the others. Sealed meanwhile: its first record is near enough.
    if (!found && found.error().code() == ErrorCode::kNotFound) found = segment.first;
    if (!found) return fail(std::move(found.error()));
    if (!*found) continue;
    place = **found;
    return {};
  }
  const auto last = end();
  if (!last) return fail(last.error());
  place = *last;
  return {};
}

Result<Gap> JournalReader::Inner::give_up() {
  Sequence to = place + 1;
  if (source && source->sealed) {
    const auto& frames = source->sealed->segment.frames();
    const auto found = std::ranges::upper_bound(frames, place, {}, &FrameInfo::next);
    to = found == frames.end() ? source->sealed->segment.trailer().next : found->next();
  } else if (!source) {
    // The segment itself cannot be opened: all of it, up to the next one.
    const auto listing = list_journal(files, directory);
    if (!listing) return fail(listing.error());
    const auto after = std::ranges::upper_bound(listing->segments, place, {}, &SegmentFiles::first);
    if (after == listing->segments.end())
      return fail(Error(ErrorCode::kIo, "the last segment cannot be read: it may be written still"));
    to = after->first;
  } else {
    const auto published = source->raw->published();
    if (!published || place - source->first >= *published)
      return fail(Error(ErrorCode::kIo, "there is no record to give up"));
  }
  if (to <= place) return fail(Error(ErrorCode::kIo, "there is no record to give up"));
  return std::get<Gap>(gap_to(to, Gap::Reason::kDamaged));
}

bool JournalReader::Inner::wait(std::chrono::milliseconds timeout, int wake_fd) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  while (true) {
    if (!watch.valid()) {
      if (auto made = files.watch(directory); made) watch = std::move(*made);
    }
    const auto last = end();
    if (!last || *last > std::max<Sequence>(place, 1)) return true;  // an Error is told by next()
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) return false;
    // A descriptor that is none is passed over.
    std::array<pollfd, 2> waiting{{{.fd = watch.valid() ? watch.get() : -1, .events = POLLIN, .revents = 0},
                                   {.fd = wake_fd, .events = POLLIN, .revents = 0}}};
    static_cast<void>(
        ::poll(waiting.data(), waiting.size(), static_cast<int>(std::min(left, kLookInterval).count())));
    if (waiting[1].revents != 0) return false;
    std::array<char, 4096> events{};
    while (watch.valid() && ::read(watch.get(), events.data(), events.size()) > 0) {
    }
  }
}

JournalReader::JournalReader(std::unique_ptr<Inner> inner) : inner_(std::move(inner)) {}
JournalReader::JournalReader(JournalReader&&) noexcept = default;
JournalReader& JournalReader::operator=(JournalReader&&) noexcept = default;
JournalReader::~JournalReader() = default;

Result<JournalReader> JournalReader::open(const std::string& directory, ScanOptions options,
                                          FileSystem& files) {
  auto inner = std::make_unique<Inner>(files, directory, std::move(options));
  const auto listing = list_journal(files, directory);
  if (!listing) return fail(listing.error());
  if (!listing->segments.empty()) inner->place = listing->segments.front().first;
  return JournalReader(std::move(inner));
}

Status JournalReader::seek(Sequence next) { return inner_->seek(next); }
void JournalReader::stop_before(Sequence end) noexcept { inner_->before = end; }
Status JournalReader::seek_time(std::int64_t time_ns) { return inner_->seek_time(time_ns); }
Status JournalReader::seek_end() {
  const auto end = inner_->end();
  return end ? inner_->seek(*end) : fail(end.error());
}
Result<Step> JournalReader::next() { return inner_->next(); }
Sequence JournalReader::position() const noexcept { return std::max<Sequence>(inner_->place, 1); }
Result<Gap> JournalReader::give_up() { return inner_->give_up(); }
bool JournalReader::wait(std::chrono::milliseconds timeout, int wake_fd) {
  return inner_->wait(timeout, wake_fd);
}
ScanCounts JournalReader::counts() const noexcept { return inner_->counts; }

}  // namespace flowtally::journal
