// This file recovers an open segment. The problem: the last writes may be on the disk in part and in any
// order, and a disk may have damaged anything. The way: every entry carries a checksum of itself bound to its
// number, and one of its line; so each record is judged alone, good or bad. The last whole batch of good
// records is the end; bad ones before it are damage, everything behind it is a torn tail. The cost is one
// pass over at most a segment.
#include "journal/segment_recovery.hpp"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "journal/bytes.hpp"
#include "journal/line_scan.hpp"
#include "journal/names.hpp"

namespace flowtally::journal {
namespace {

using base::ErrorCode;
using base::fail;
using base::Result;
using base::Status;
using Kind = RecoveryEvent::Kind;

struct Slot {
  IndexEntry entry;
  bool known = false;  ///< the entry is whole
  bool good = false;   ///< and so is the line, or it is known to be lost
};

class Recovery {
 public:
  Recovery(FileSystem& files, std::string directory, Sequence first, const Describe& describe,
           RecoveryReport& report)
      : files_(files),
        directory_(std::move(directory)),
        first_(first),
        describe_(describe),
        report_(report) {}

  Result<SegmentEnd> run();

 private:
  Status open();
  Status read_header();
  Status read_entries();
  Status check_lines();
  void end_at_last_whole_batch();
  Status rebuild_runs();
  Status rebuild_run(std::size_t begin, std::size_t end);
  Status rebuild_all();
  void lose_damaged_batches();
  void lose(std::size_t begin, std::size_t end);
  Status write_back();
  [[nodiscard]] SegmentEnd segment_end() const;
  [[nodiscard]] IndexEntry entry_of(const ScannedLine& line) const;
  [[nodiscard]] std::uint64_t end_offset() const {
    return slots_.empty() ? 0 : slots_.back().entry.end_offset();
  }
  void report(Kind kind, SequenceRange records, std::uint64_t bytes, std::string text) {
    report_.add({.kind = kind,
                 .file = segment_name(first_, kLinesSuffix),
                 .records = records,
                 .bytes = bytes,
                 .text = std::move(text)});
  }

  FileSystem& files_;
  std::string directory_;
  Sequence first_;
  const Describe& describe_;
  RecoveryReport& report_;

  std::unique_ptr<File> lines_;
  std::unique_ptr<File> index_;  // none: missing or not usable
  std::uint64_t lines_bytes_ = 0;
  std::uint64_t index_file_bytes_ = 0;
  IndexHeader header_;
  std::vector<Slot> slots_;
  bool rewrite_ = false;
};

Status Recovery::open() {
  auto lines = files_.open(segment_path(directory_, first_, kLinesSuffix), OpenMode::kWrite);
  if (!lines) return fail(std::move(lines.error()));
  lines_ = std::move(*lines);
  auto index = files_.open(segment_path(directory_, first_, kIndexSuffix), OpenMode::kWrite);
  if (!index && index.error().code() != ErrorCode::kNotFound) return fail(std::move(index.error()));
  if (index) index_ = std::move(*index);
  const auto lines_size = lines_->size();
  if (!lines_size) return fail(lines_size.error());
  lines_bytes_ = *lines_size;
  return {};
}

/// Leaves index_ empty where the index cannot be used at all.
Status Recovery::read_header() {
  header_ = {.first = first_};
  if (!index_) return {};
  const auto size = index_->size();
  if (!size) return fail(size.error());
  index_file_bytes_ = *size;
  std::string bytes(std::min<std::size_t>(kIndexHeaderBytes, static_cast<std::size_t>(*size)), '\0');
  if (auto read = read_all(*index_, 0, bytes); !read) return read;
  auto header = decode_header(bytes);
  if (header && header->first == first_) {
    header_ = *header;
    return {};
  }
  if (!header && header.error().code() == ErrorCode::kUnsupported) return fail(std::move(header.error()));
  index_.reset();
  return {};
}

Status Recovery::read_entries() {
  const std::uint64_t whole = (index_file_bytes_ - kIndexHeaderBytes) / kIndexEntryBytes;
  const auto records = static_cast<std::size_t>(std::min<std::uint64_t>(whole, kSegmentRecordsMax));
  slots_.resize(records);
  constexpr std::size_t kAtOnce = 1024;
  std::string bytes;
  for (std::size_t at = 0; at < records; at += kAtOnce) {
    const std::size_t count = std::min(kAtOnce, records - at);
    bytes.resize(count * kIndexEntryBytes);
    if (auto read = read_all(*index_, index_bytes(at), bytes); !read) return read;
    for (std::size_t entry = 0; entry < count; ++entry) {
      const auto decoded = decode_entry(
          std::string_view(bytes).substr(entry * kIndexEntryBytes, kIndexEntryBytes), first_ + at + entry);
      if (decoded) slots_[at + entry] = {.entry = *decoded, .known = true, .good = decoded->has(kFlagLost)};
    }
  }
  return {};
}

Status Recovery::check_lines() {
  std::string line;
  for (Slot& slot : slots_) {
    if (!slot.known || slot.good || slot.entry.end_offset() > lines_bytes_) continue;
    line.resize(slot.entry.length);
    if (auto read = read_all(*lines_, slot.entry.offset, line); !read) {
      // A sector that cannot be read is damage of this record, not of the journal.
      continue;
    }
    slot.good = checksum(line) == slot.entry.line_hash;
  }
  return {};
}

/// Drops the slots behind the last batch of which every record is good and in its place.
void Recovery::end_at_last_whole_batch() {
  for (std::size_t end = slots_.size(); end > 0; --end) {
    if (!slots_[end - 1].good || !slots_[end - 1].entry.has(kFlagLast)) continue;
    std::size_t begin = end - 1;
    while (begin > 0 && slots_[begin].good && !slots_[begin].entry.has(kFlagFirst) &&
           slots_[begin - 1].good && !slots_[begin - 1].entry.has(kFlagLast) &&
           slots_[begin - 1].entry.end_offset() == slots_[begin].entry.offset) {
      --begin;
    }
    if (!slots_[begin].entry.has(kFlagFirst)) continue;
    slots_.resize(end);
    return;
  }
  slots_.clear();
}

IndexEntry Recovery::entry_of(const ScannedLine& line) const {
  IndexEntry entry{.offset = line.offset,
                   .length = static_cast<std::uint32_t>(line.length),
                   .flags = kFlagFirst | kFlagLast | kFlagKeyUnknown,
                   .start_ns = kTimeUnknownStart,
                   .end_ns = kTimeUnknownEnd,
                   .key = {},
                   .line_hash = checksum(line.text)};
  const auto described = line.whole && describe_ ? describe_(line.text) : std::nullopt;
  if (!line.whole || (describe_ && !described)) {
    entry.flags = kFlagFirst | kFlagLast | kFlagLost;
    return entry;
  }
  if (!described) return entry;
  entry.start_ns = described->start_ns;
  entry.end_ns = described->end_ns;
  entry.key = described->key;
  entry.flags = (entry.key.part <= 1 ? std::uint32_t{kFlagFirst} : 0U) |
                (entry.key.part >= entry.key.parts ? std::uint32_t{kFlagLast} : 0U);
  return entry;
}

/// Slots [begin, end) have no entry, but neighbours: as many lines between them are theirs.
Status Recovery::rebuild_run(std::size_t begin, std::size_t end) {
  const std::uint64_t from = begin == 0 ? 0 : slots_[begin - 1].entry.end_offset();
  const std::uint64_t to = slots_[end].entry.offset;
  std::vector<IndexEntry> entries;
  bool whole = from < to && to <= lines_bytes_;
  if (whole) {
    auto scanned = scan_lines(*lines_, from, to, [&](const ScannedLine& line) {
      whole = whole && line.whole && entries.size() < end - begin;
      if (whole) entries.push_back(entry_of(line));
    });
    if (!scanned) return scanned;
  }
  if (!whole || entries.size() != end - begin) return {};  // they stay bad, and become lost
  for (std::size_t at = begin; at < end; ++at) {
    // The neighbours know where batches begin and end; inside, a line of unknown form is one of its batch,
    // and one that is no record makes its batch a damaged one.
    IndexEntry& entry = entries[at - begin];
    const bool record = !entry.has(kFlagLost);
    if (!record || entry.has(kFlagKeyUnknown)) entry.flags &= kFlagKeyUnknown;
    const bool first = at == 0 || slots_[at - 1].entry.has(kFlagLast);
    entry.flags = first ? entry.flags | kFlagFirst : entry.flags & ~std::uint32_t{kFlagFirst};
    if (at + 1 == end) {
      const bool last = slots_[end].entry.has(kFlagFirst);
      entry.flags = last ? entry.flags | kFlagLast : entry.flags & ~std::uint32_t{kFlagLast};
    }
    slots_[at] = {.entry = entry, .known = true, .good = record};
  }
  report(Kind::kIndexRebuilt, {.first = first_ + begin, .count = end - begin}, 0,
         fmt::format("{} entries of its index were damaged and are made anew from the lines", end - begin));
  return {};
}

Status Recovery::rebuild_runs() {
  for (std::size_t begin = 0; begin < slots_.size(); ++begin) {
    if (slots_[begin].known) continue;
    std::size_t end = begin;
    while (end < slots_.size() && !slots_[end].known) ++end;  // the last slot is known
    if (auto rebuilt = rebuild_run(begin, end); !rebuilt) return rebuilt;
    rewrite_ = true;
    begin = end;
  }
  return {};
}

/// Without any index: each whole line is a record. Where somebody can describe them, a window of which parts
/// are missing at the end is cut like any half batch; where nobody can, each line is a batch.
Status Recovery::rebuild_all() {
  bool too_many = false;
  auto scanned = scan_lines(*lines_, 0, lines_bytes_, [&](const ScannedLine& line) {
    too_many = too_many || slots_.size() == kSegmentRecordsMax;
    if (!too_many) slots_.push_back({.entry = entry_of(line), .known = true, .good = true});
  });
  if (!scanned) return scanned;
  // A last piece without line end is a torn tail, not a lost record.
  if (!slots_.empty() && slots_.back().entry.has(kFlagLost)) slots_.pop_back();
  while (!slots_.empty() && !slots_.back().entry.has(kFlagLast)) slots_.pop_back();
  rewrite_ = true;
  if (!slots_.empty()) {
    const bool keys = !slots_.back().entry.has(kFlagKeyUnknown);
    report(Kind::kIndexRebuilt, {.first = first_, .count = slots_.size()}, 0,
           fmt::format("its index is missing or damaged and is made anew from the lines{}",
                       keys ? "" : "; times and keys of its records are not known any more"));
  }
  for (std::size_t at = 0; at < slots_.size(); ++at) {
    const IndexEntry& entry = slots_[at].entry;
    if (!entry.has(kFlagLost)) continue;
    report(Kind::kRecordsLost, {.first = first_ + at, .count = 1}, entry.length, "a line is no record");
  }
  return {};
}

void Recovery::lose(std::size_t begin, std::size_t end) {
  const std::uint64_t from = begin == 0 ? 0 : slots_[begin - 1].entry.end_offset();
  const std::uint64_t to =
      end == slots_.size() ? slots_[end - 1].entry.end_offset() : slots_[end].entry.offset;
  const std::uint64_t bytes = to > from ? to - from : 0;
  for (std::size_t at = begin; at < end; ++at) {
    const bool first = at == begin;
    slots_[at] = {.entry = {.offset = first ? from : from + bytes,
                            .length = first ? static_cast<std::uint32_t>(bytes) : 0,
                            .flags = (first ? std::uint32_t{kFlagFirst} : 0U) | kFlagLost |
                                     (at + 1 == end ? std::uint32_t{kFlagLast} : 0U),
                            .start_ns = kTimeUnknownStart,
                            .end_ns = kTimeUnknownEnd,
                            .key = {},
                            .line_hash = 0},
                  .known = true,
                  .good = true};
  }
  rewrite_ = true;
  report(Kind::kRecordsLost, {.first = first_ + begin, .count = end - begin}, bytes,
         fmt::format("{} records are damaged; their batch is lost", end - begin));
}

void Recovery::lose_damaged_batches() {
  const auto good = [](const Slot& slot) { return slot.known && slot.good; };
  for (std::size_t bad = 0; bad < slots_.size(); ++bad) {
    if (good(slots_[bad])) continue;
    std::size_t begin = bad;
    while (begin > 0 && !(slots_[begin].known && slots_[begin].entry.has(kFlagFirst)) &&
           !slots_[begin - 1].entry.has(kFlagLast)) {
      --begin;
    }
    // The last slot is good and ends a batch, and the batch before it that is damaged ends where one begins.
    std::size_t end = bad + 1;
    while (end < slots_.size() && !(good(slots_[end]) && slots_[end].entry.has(kFlagFirst))) ++end;
    lose(begin, end);
    bad = end - 1;
  }
}

SegmentEnd Recovery::segment_end() const {
  SegmentEnd end{.first = first_,
                 .records = slots_.size(),
                 .line_bytes = end_offset(),
                 .last_key = header_.previous_key};
  bool any = false;
  for (const Slot& slot : slots_) {
    if (slot.entry.has(kFlagLost)) continue;
    end.start_ns = any ? std::min(end.start_ns, slot.entry.start_ns) : slot.entry.start_ns;
    end.end_ns = any ? std::max(end.end_ns, slot.entry.end_ns) : slot.entry.end_ns;
    any = true;
  }
  if (!slots_.empty()) {
    const IndexEntry& last = slots_.back().entry;
    end.last_key = last.has(kFlagKeyUnknown | kFlagLost) ? std::nullopt : std::optional(last.key);
  }
  return end;
}

Status Recovery::write_back() {
  const std::uint64_t end = end_offset();
  if (rewrite_) {
    std::string bytes = encode_header(header_, slots_.size());
    bytes.reserve(static_cast<std::size_t>(index_bytes(slots_.size())));
    for (std::size_t at = 0; at < slots_.size(); ++at) encode_entry(slots_[at].entry, first_ + at, bytes);
    index_.reset();
    if (auto written = replace_file(files_, directory_, segment_name(first_, kIndexSuffix), bytes); !written)
      return written;
  } else if (index_file_bytes_ > index_bytes(slots_.size())) {
    if (auto cut = index_->truncate(index_bytes(slots_.size())); !cut) return cut;
    if (auto synced = index_->sync(); !synced) return synced;
  }
  if (lines_bytes_ > end) {
    if (auto cut = lines_->truncate(end); !cut) return cut;
    if (auto synced = lines_->sync(); !synced) return synced;
  }
  return {};
}

Result<SegmentEnd> Recovery::run() {
  if (auto opened = open(); !opened) return fail(std::move(opened.error()));
  if (auto read = read_header(); !read) return fail(std::move(read.error()));
  if (index_) {
    if (auto read = read_entries(); !read) return fail(std::move(read.error()));
    if (auto checked = check_lines(); !checked) return fail(std::move(checked.error()));
    end_at_last_whole_batch();
    if (auto rebuilt = rebuild_runs(); !rebuilt) return fail(std::move(rebuilt.error()));
    lose_damaged_batches();
  } else if (auto rebuilt = rebuild_all(); !rebuilt) {
    return fail(std::move(rebuilt.error()));
  }
  if (lines_bytes_ > end_offset()) {
    report(Kind::kTornTail, {.first = first_ + slots_.size()}, lines_bytes_ - end_offset(),
           fmt::format("{} bytes behind the last whole batch were cut off", lines_bytes_ - end_offset()));
  }
  if (auto written = write_back(); !written) return fail(std::move(written.error()));
  return segment_end();
}

}  // namespace

Result<SegmentEnd> recover_segment(FileSystem& files, const std::string& directory, Sequence first,
                                   const Describe& describe, RecoveryReport& report) {
  auto end = Recovery(files, directory, first, describe, report).run();
  if (!end)
    return fail(std::move(end.error()).during("recover " + segment_path(directory, first, kLinesSuffix)));
  return end;
}

}  // namespace flowtally::journal
