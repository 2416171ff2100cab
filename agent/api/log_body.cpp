#include "api/log_body.hpp"

#include <optional>
#include <utility>

#include "api/logged.hpp"
#include "journal/reader.hpp"

namespace flowtally::api {
namespace {

/// After so many records that are not in the range somebody looks whether the client is still there.
constexpr unsigned kRecordsBetweenLooks = 256;
/// How far the first look goes back; each further one twice as far.
constexpr journal::Sequence kFirstStride = 8;

class LogBody final : public Body {
 public:
  LogBody(LogListing listing, std::optional<journal::JournalReader> reader)
      : listing_(std::move(listing)), reader_(std::move(reader)) {}

  /// To the first record, or the end.
  base::Status start() {
    pieces_.add(listing_.begin);
    return advance();
  }

  base::Result<std::size_t> read(std::span<char> out) override {
    std::size_t written = 0;
    while (written < out.size()) {
      written += pieces_.take(out.subspan(written));
      if (!pieces_.empty() || done_) break;
      if (auto advanced = advance(); !advanced) return base::fail(std::move(advanced.error()));
    }
    return written;
  }

 private:
  /// Puts the next record, or what follows the last one, into the pieces.
  base::Status advance() {
    for (unsigned passed = 1; reader_; ++passed) {
      if (passed % kRecordsBetweenLooks == 0 && listing_.abandoned && listing_.abandoned()) {
        return base::fail(base::Error(base::ErrorCode::kIo, "nobody waits for the answer any more"));
      }
      auto step = reader_->next();
      if (!step) return base::fail(std::move(step.error()).during("read the journal"));
      if (std::holds_alternative<journal::AtEnd>(*step)) break;
      if (const auto* const gap = std::get_if<journal::Gap>(&*step)) {
        if (listing_.missing) listing_.missing(gap->records.count);
        continue;
      }
      const std::string_view line = std::get<journal::Record>(*step).line;
      if (!in_range(line)) continue;
      if (std::exchange(any_, true)) pieces_.add(",\n");
      outgoing_.add_to(pieces_, line);
      return {};
    }
    pieces_.add("]}\n");
    done_ = true;
    return {};
  }

  [[nodiscard]] bool in_range(std::string_view line) const {
    const auto logged = logged_at(line);
    return logged && *logged >= listing_.range.start_ns && *logged < listing_.range.end_ns;
  }

  LogListing listing_;
  std::optional<journal::JournalReader> reader_;
  OutgoingLine outgoing_;
  Pieces pieces_;
  bool any_ = false;
  bool done_ = false;
};

/// The number of the first record whose window ends in the range, as the index knows it; or of the next one
/// to come.
base::Result<journal::Sequence> first_by_window(const std::string& directory, const TimeRange& range) {
  auto reader = journal::JournalReader::open(directory, {.start_ns = range.start_ns, .end_ns = range.end_ns});
  if (!reader) return base::fail(std::move(reader.error()));
  for (;;) {
    auto step = reader->next();
    if (!step) return base::fail(std::move(step.error()));
    if (const auto* const record = std::get_if<journal::Record>(&*step)) return record->sequence;
    if (std::holds_alternative<journal::AtEnd>(*step)) return reader->position();
  }
}

/// What a look at the records before a place found.
struct LookBack {
  journal::Sequence first = 0;  ///< of those that were logged in the range; the place itself if none was
  bool more = false;            ///< even the first one that was looked at
};

base::Result<LookBack> look_back(journal::JournalReader& reader, journal::Sequence from,
                                 journal::Sequence place, std::int64_t start_ns) {
  if (auto sought = reader.seek(from); !sought) return base::fail(std::move(sought.error()));
  LookBack found{.first = place, .more = true};
  for (bool first = true;; first = false) {
    auto step = reader.next();
    if (!step) return base::fail(std::move(step.error()));
    if (const auto* const gap = std::get_if<journal::Gap>(&*step)) {
      // What retention removed is the begin of everything.
      if (gap->reason == journal::Gap::Reason::kRemoved) found.more = false;
      continue;
    }
    const auto* const record = std::get_if<journal::Record>(&*step);
    if (record == nullptr || record->sequence >= place) return found;
    const auto logged = logged_at(record->line);
    if (logged && *logged >= start_ns) {
      found.first = record->sequence;
      found.more = found.more && first;
      return found;
    }
    found.more = false;
  }
}

/// A reader that stands before the first record that was logged at `start` or later.
base::Result<journal::JournalReader> reader_at(const std::string& directory, const TimeRange& range) {
  auto place = first_by_window(directory, range);
  if (!place) return base::fail(std::move(place.error()));
  // A record is logged after its window began, so a window that begins at the end is not in the range.
  auto reader = journal::JournalReader::open(directory, {.end_ns = range.end_ns});
  if (!reader) return base::fail(std::move(reader.error()));
  LookBack found{.first = *place, .more = true};
  for (journal::Sequence stride = kFirstStride; found.more && found.first > 1; stride *= 2) {
    const journal::Sequence from = found.first > stride ? found.first - stride : 1;
    auto looked = look_back(*reader, from, found.first, range.start_ns);
    if (!looked) return base::fail(std::move(looked.error()));
    found = *looked;
    if (from == 1) break;
  }
  if (auto sought = reader->seek(found.first); !sought) return base::fail(std::move(sought.error()));
  return reader;
}

}  // namespace

base::Result<std::unique_ptr<Body>> list_logs(LogListing listing) {
  std::optional<journal::JournalReader> reader;
  if (!listing.directory.empty() && listing.range.start_ns < listing.range.end_ns) {
    auto placed = reader_at(listing.directory, listing.range);
    if (!placed) return base::fail(std::move(placed.error()).during("look into the journal"));
    reader = std::move(*placed);
  }
  auto body = std::make_unique<LogBody>(std::move(listing), std::move(reader));
  if (auto started = body->start(); !started) return base::fail(std::move(started.error()));
  return body;
}

}  // namespace flowtally::api
