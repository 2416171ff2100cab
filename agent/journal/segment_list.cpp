#include "journal/segment_list.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

#include "journal/cursor_store.hpp"
#include "journal/names.hpp"
#include "journal/number_file.hpp"
#include "journal/seal.hpp"
#include "journal/sealed_segment.hpp"
#include "journal/segment_recovery.hpp"

namespace flowtally::journal {
namespace {

using base::ErrorCode;
using base::fail;
using base::Result;
using base::Status;
using Kind = RecoveryEvent::Kind;

class Recovery {
 public:
  Recovery(FileSystem& files, const std::string& directory, const Describe& describe, RecoveryReport& report)
      : files_(files), directory_(directory), describe_(describe), report_(report) {}

  Result<RecoveredJournal> run();

 private:
  Status load_counts();
  Status refuse_newer(const Listing& listing);
  Status remove_aside(const Listing& listing);
  Status recover(const SegmentFiles& segment, Sequence next_first);
  Status recover_sealed(const SegmentFiles& segment, Sequence next_first, bool& dropped);
  Status recover_raw(const SegmentFiles& segment);
  Status drop_index_only(const SegmentFiles& segment);
  Status pull_back_cursors();
  Result<std::uint64_t> size_of(Sequence first, std::string_view suffix);

  FileSystem& files_;
  const std::string& directory_;
  const Describe& describe_;
  RecoveryReport& report_;
  RecoveredJournal journal_;
};

Result<std::uint64_t> Recovery::size_of(Sequence first, std::string_view suffix) {
  auto file = files_.open(segment_path(directory_, first, suffix), OpenMode::kRead);
  if (!file) return fail(std::move(file.error()));
  return (*file)->size();
}

Status Recovery::load_counts() {
  auto removed = load_removed(files_, directory_);
  if (removed) {
    journal_.removed = *removed;
    return {};
  }
  if (removed.error().code() != ErrorCode::kCorrupt) return fail(std::move(removed.error()));
  const std::string path = fmt::format("{}/{}", directory_, kRemovedName);
  if (auto kept = files_.rename(path, path + std::string(kDamagedSuffix)); !kept) return kept;
  report_.add(
      {.kind = Kind::kCountsLost,
       .file = std::string(kRemovedName),
       .text = fmt::format("what retention had counted is not known any more: {}", removed.error().text())});
  return {};
}

/// Before anything is removed or changed.
Status Recovery::refuse_newer(const Listing& listing) {
  for (const SegmentFiles& segment : listing.segments) {
    if (segment.sealed) {
      auto trailer = SealedSegment::read_trailer(files_, directory_, segment.first);
      if (!trailer && trailer.error().code() != ErrorCode::kCorrupt) return fail(std::move(trailer.error()));
    }
    if (!segment.index) continue;
    const std::string path = segment_path(directory_, segment.first, kIndexSuffix);
    auto file = files_.open(path, OpenMode::kRead);
    if (!file) return fail(std::move(file.error()));
    std::string bytes(kIndexHeaderBytes, '\0');
    if (!read_all(**file, 0, bytes)) continue;  // short: recovery decides
    auto header = decode_header(bytes);
    if (!header && header.error().code() == ErrorCode::kUnsupported)
      return fail(std::move(header.error()).during("read " + path));
  }
  return {};
}

Status Recovery::remove_aside(const Listing& listing) {
  for (const std::string& name : listing.aside) {
    if (auto removed = files_.remove(fmt::format("{}/{}", directory_, name)); !removed) return removed;
    report_.add({.kind = Kind::kLeftover, .file = name, .text = "it was never finished and is removed"});
  }
  return {};
}

Status Recovery::recover_sealed(const SegmentFiles& segment, Sequence next_first, bool& dropped) {
  const std::string name = segment_name(segment.first, kSealedSuffix);
  const auto bytes = size_of(segment.first, kSealedSuffix);
  if (!bytes) return fail(bytes.error());
  // All of it where the lines are still there: they are about to be removed.
  Result<Trailer> trailer = SealedSegment::read_trailer(files_, directory_, segment.first);
  if (trailer && segment.lines) {
    const auto whole = SealedSegment::open(files_, directory_, segment.first);
    if (!whole) trailer = fail(whole.error());
  }
  SegmentInfo info{.first = segment.first, .bytes = *bytes, .sealed = true};
  if (trailer) {
    info.next = trailer->next;
    info.records = trailer->records;
    info.end_ns = trailer->end_ns;
    journal_.last_key = trailer->last_key;
    if (segment.lines || segment.index) {
      if (auto removed = remove_raw(files_, directory_, segment.first); !removed) return removed;
      report_.add(
          {.kind = Kind::kLeftover, .file = name, .text = "its open form was still there and is removed"});
    }
  } else if (segment.lines) {
    if (auto removed = files_.remove(segment_path(directory_, segment.first, kSealedSuffix)); !removed)
      return removed;
    report_.add({.kind = Kind::kSealedDropped,
                 .file = name,
                 .bytes = *bytes,
                 .text = "it was damaged and is removed; its lines are still there"});
    dropped = true;
    return {};
  } else {
    const auto salvaged = SealedSegment::salvage(files_, directory_, segment.first);
    if (!salvaged) return fail(salvaged.error());
    info.records = salvaged->trailer().records;
    info.next = next_first > 0 ? next_first : salvaged->trailer().next;
    info.end_ns = kTimeUnknownEnd;
    journal_.last_key.reset();
    report_.add(
        {.kind = Kind::kSealedDamaged,
         .file = name,
         .records = {.first = segment.first, .count = info.next - info.first},
         .text = fmt::format("its index is damaged; {} records can be read without it", info.records)});
  }
  journal_.segments.push_back(info);
  journal_.next = std::max(journal_.next, info.next);
  return {};
}

Status Recovery::drop_index_only(const SegmentFiles& segment) {
  const auto bytes = size_of(segment.first, kIndexSuffix);
  if (!bytes) return fail(bytes.error());
  const std::uint64_t records =
      *bytes > kIndexHeaderBytes ? (*bytes - kIndexHeaderBytes) / kIndexEntryBytes : 0;
  if (auto removed = remove_raw(files_, directory_, segment.first); !removed) return removed;
  const bool lost = records > 0;
  report_.add(
      {.kind = lost ? Kind::kRecordsLost : Kind::kLeftover,
       .file = segment_name(segment.first, kIndexSuffix),
       .records = {.first = segment.first, .count = records},
       .text = lost ? "its lines are missing" : "it is of a segment that was never begun and is removed"});
  journal_.next = std::max(journal_.next, segment.first + records);
  if (lost) journal_.last_key.reset();
  return {};
}

Status Recovery::recover_raw(const SegmentFiles& segment) {
  const auto bytes = size_of(segment.first, kLinesSuffix);
  if (!bytes) return fail(bytes.error());
  if (*bytes == 0 && !segment.index) {
    if (auto removed = remove_raw(files_, directory_, segment.first); !removed) return removed;
    report_.add({.kind = Kind::kLeftover,
                 .file = segment_name(segment.first, kLinesSuffix),
                 .text = "it is of a segment that was never begun and is removed"});
    return {};
  }
  const auto end = recover_segment(files_, directory_, segment.first, describe_, report_);
  if (!end) return fail(end.error());
  journal_.segments.push_back({.first = segment.first,
                               .next = end->next(),
                               .records = end->records,
                               .bytes = end->line_bytes + index_bytes(end->records),
                               .end_ns = end->end_ns});
  journal_.next = std::max(journal_.next, end->next());
  journal_.last_key = end->last_key;
  journal_.open = *end;
  return {};
}

Status Recovery::recover(const SegmentFiles& segment, Sequence next_first) {
  if (segment.first < journal_.removed.below) {
    if (auto removed = remove_raw(files_, directory_, segment.first); !removed) return removed;
    if (segment.sealed) {
      auto removed = files_.remove(segment_path(directory_, segment.first, kSealedSuffix));
      if (!removed) return removed;
    }
    report_.add({.kind = Kind::kRemovalFinished,
                 .file = segment_name(segment.first, kSealedSuffix),
                 .text = "retention had counted it as removed; now it is"});
    return {};
  }
  journal_.open.reset();  // only the last one is appended to
  if (segment.sealed) {
    bool dropped = false;
    auto recovered = recover_sealed(segment, next_first, dropped);
    if (!recovered || !dropped) return recovered;
  }
  return segment.lines ? recover_raw(segment) : drop_index_only(segment);
}

Status Recovery::pull_back_cursors() {
  CursorStore cursors(files_, directory_);
  const auto names = cursors.names();
  if (!names) return fail(names.error());
  for (const std::string& name : *names) {
    const auto cursor = cursors.load(name);
    if (!cursor && cursor.error().code() == ErrorCode::kCorrupt) {
      report_.add({.kind = Kind::kCursorDamaged, .file = name, .text = cursor.error().text()});
      continue;
    }
    if (!cursor) return fail(cursor.error());
    if (!*cursor || **cursor <= journal_.next) continue;
    if (auto saved = cursors.save(name, journal_.next); !saved) return saved;
    report_.add({.kind = Kind::kCursorPulledBack,
                 .file = name,
                 .records = {.first = journal_.next, .count = **cursor - journal_.next},
                 .text = fmt::format("it stood at {}, behind the end, and is pulled back to {}", **cursor,
                                     journal_.next)});
  }
  return {};
}

Result<RecoveredJournal> Recovery::run() {
  const auto listing = list_journal(files_, directory_);
  if (!listing) return fail(listing.error());
  if (auto fine = refuse_newer(*listing); !fine) return fail(std::move(fine.error()));
  if (auto loaded = load_counts(); !loaded) return fail(std::move(loaded.error()));
  if (auto removed = remove_aside(*listing); !removed) return fail(std::move(removed.error()));
  journal_.next = std::max<Sequence>(1, journal_.removed.below);
  for (std::size_t at = 0; at < listing->segments.size(); ++at) {
    const Sequence next_first = at + 1 < listing->segments.size() ? listing->segments[at + 1].first : 0;
    if (auto recovered = recover(listing->segments[at], next_first); !recovered)
      return fail(std::move(recovered.error()));
  }
  if (auto pulled = pull_back_cursors(); !pulled) return fail(std::move(pulled.error()));
  return std::move(journal_);
}

constexpr std::string_view kRemovedWord = "removed";

}  // namespace

Result<Removed> load_removed(FileSystem& files, const std::string& directory) {
  const std::string path = fmt::format("{}/{}", directory, kRemovedName);
  const auto text = read_file(files, path, kNumberFileBytesMax);
  if (!text && text.error().code() == ErrorCode::kNotFound) return Removed{};
  if (!text) return fail(text.error());
  auto numbers = decode_numbers(*text, kRemovedWord, 4);
  if (!numbers) return fail(std::move(numbers.error()).during("read " + path));
  return Removed{
      .records = (*numbers)[0], .bytes = (*numbers)[1], .segments = (*numbers)[2], .below = (*numbers)[3]};
}

Status save_removed(FileSystem& files, const std::string& directory, const Removed& removed) {
  const std::array<std::uint64_t, 4> numbers{removed.records, removed.bytes, removed.segments, removed.below};
  return replace_file(files, directory, std::string(kRemovedName), encode_numbers(kRemovedWord, numbers));
}

Result<RecoveredJournal> recover_journal(FileSystem& files, const std::string& directory,
                                         const Describe& describe, RecoveryReport& report) {
  return Recovery(files, directory, describe, report).run();
}

}  // namespace flowtally::journal
