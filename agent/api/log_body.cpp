#include "api/log_body.hpp"

#include <limits>
#include <optional>
#include <utility>

#include "api/logged.hpp"
#include "journal/reader.hpp"

namespace flowtally::api {
namespace {

/// After so many records that are not in the range somebody looks whether the client is still there.
constexpr unsigned kRecordsBetweenLooks = 256;

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

}  // namespace

base::Result<std::unique_ptr<Body>> list_logs(LogListing listing) {
  std::optional<journal::JournalReader> reader;
  const TimeRange range = listing.range;
  if (!listing.directory.empty() && range.start_ns < range.end_ns) {
    constexpr std::int64_t kEarliest = std::numeric_limits<std::int64_t>::min() + kLoggedLagMaxNs;
    // A record is appended after its window began, so a window that begins at the end is not in the range.
    journal::ScanOptions options{.end_ns = range.end_ns};
    if (range.start_ns > kEarliest) options.start_ns = range.start_ns - kLoggedLagMaxNs;
    auto opened = journal::JournalReader::open(listing.directory, std::move(options));
    if (!opened) return base::fail(std::move(opened.error()).during("open the journal"));
    reader = std::move(*opened);
  }
  auto body = std::make_unique<LogBody>(std::move(listing), std::move(reader));
  if (auto started = body->start(); !started) return base::fail(std::move(started.error()));
  return body;
}

}  // namespace flowtally::api
