#include "api/follow_body.hpp"

#include <utility>

#include <fmt/format.h>

#include "api/logged.hpp"
#include "journal/reader.hpp"

namespace flowtally::api {
namespace {

using Clock = std::chrono::steady_clock;

std::string_view reason_text(journal::Gap::Reason reason) noexcept {
  switch (reason) {
    case journal::Gap::Reason::kRemoved: return "removed";
    case journal::Gap::Reason::kDamaged: return "damaged";
    case journal::Gap::Reason::kMissing: break;
  }
  return "missing";
}

class FollowBody final : public Body {
 public:
  FollowBody(Following following, journal::JournalReader reader)
      : following_(std::move(following)), reader_(std::move(reader)) {
    // Sent at once, so that the client sees that it is being served.
    pieces_.add(": flowtally\nretry: 3000\n\n");
  }

  base::Result<std::size_t> read(std::span<char> out) override {
    while (pieces_.empty()) {
      if (following_.abandoned && following_.abandoned()) return 0;
      if (auto waited = fill(); !waited) return base::fail(std::move(waited.error()));
    }
    spoke_ = Clock::now();
    return pieces_.take(out);
  }

 private:
  /// The next event, or a wait that may have come to nothing.
  base::Status fill() {
    auto step = reader_.next();
    if (!step) return base::fail(std::move(step.error()).during("read the journal"));
    if (const auto* const record = std::get_if<journal::Record>(&*step)) {
      head_ = fmt::format("id: {}\ndata: ", record->sequence);
      pieces_.add(head_);
      outgoing_.add_to(pieces_, record->line);
      pieces_.add("\n\n");
    } else if (const auto* const gap = std::get_if<journal::Gap>(&*step)) {
      if (following_.missing) following_.missing(gap->records.count);
      head_ = fmt::format("event: gap\nid: {}\ndata: {{\"first\":{},\"count\":{},\"reason\":\"{}\"}}\n\n",
                          gap->records.first + gap->records.count - 1, gap->records.first, gap->records.count,
                          reason_text(gap->reason));
      pieces_.add(head_);
    } else if (Clock::now() - spoke_ >= following_.keep_alive) {
      pieces_.add(":\n\n");
    } else {
      static_cast<void>(reader_.wait(kFollowLook));
    }
    return {};
  }

  Following following_;
  journal::JournalReader reader_;
  Clock::time_point spoke_ = Clock::now();
  OutgoingLine outgoing_;
  std::string head_;
  Pieces pieces_;
};

}  // namespace

base::Result<std::unique_ptr<Body>> follow_records(Following following) {
  auto reader = journal::JournalReader::open(following.directory);
  if (!reader) return base::fail(std::move(reader.error()).during("open the journal"));
  auto placed = following.after ? reader->seek(*following.after + 1) : reader->seek_end();
  if (!placed) return base::fail(std::move(placed.error()).during("find the place in the journal"));
  return std::make_unique<FollowBody>(std::move(following), std::move(*reader));
}

}  // namespace flowtally::api
