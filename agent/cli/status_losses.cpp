// This file is the list of all counters that tell of something lost, left out or failed, and what each means.
#include <fmt/format.h>

#include "cli/status_text.hpp"

namespace flowtally::cli {
namespace {

/// A counter of packets by direction: {txPkts,txBytes,rxPkts,rxBytes}.
struct Traffic {
  std::string_view place;
  std::string_view reason;
  Mood mood;
};

constexpr Traffic kTraffic[] = {
    {"/traffic/coarse", "counted by peer only: more flows than --max-flows", Mood::kWarning},
    {"/traffic/rest", "counted by protocol only: no room left", Mood::kWarning},
    {"/traffic/dropped", "dropped by the device's full ring, taken off their flows", Mood::kPlain},
    {"/traffic/droppedLate", "dropped after their record was written, which counts them", Mood::kWarning},
    {"/underlay/unmapped", "of tailscaled's own traffic, with addresses that are no peer's", Mood::kPlain},
    {"/underlay/rest", "of tailscaled's own traffic, without room for their peer", Mood::kWarning}};

struct Reasons {
  std::string_view object;
  std::string_view reason;
  std::string_view text;
  Mood mood;
};

/// Counters by reason; the names are those of the API.
constexpr Reasons kReasons[] = {
    {"unparsedPkts", "not_ip", "packets not listed: no IP", Mood::kPlain},
    {"unparsedPkts", "truncated", "packets not listed: shorter than their headers", Mood::kWarning},
    {"unparsedPkts", "header_length", "packets not listed: impossible header length", Mood::kWarning},
    {"unparsedPkts", "total_length", "packets not listed: impossible total length", Mood::kWarning},
    {"unparsedPkts", "extensions", "packets not listed: too many IPv6 extension headers", Mood::kWarning},
    {"excludedPkts", "service", "packets left out as Tailscale does: its service addresses", Mood::kPlain},
    {"excludedPkts", "multicast", "packets left out as Tailscale does: multicast", Mood::kPlain},
    {"excludedPkts", "link_local", "packets left out as Tailscale does: link-local", Mood::kPlain},
    {"excludedPkts", "fragment",
     "packets left out as Tailscale does: fragments that begin in the first 80 bytes", Mood::kPlain},
    {"excludedPkts", "protocol", "packets left out as Tailscale does: protocols that it never sends",
     Mood::kPlain},
    {"flowInsertFailures", "full", "flows without an entry: the table was full", Mood::kWarning},
    {"flowInsertFailures", "busy", "flows without an entry: the table was busy", Mood::kWarning},
    {"flowInsertFailures", "memory", "flows without an entry: the kernel had no memory", Mood::kWarning},
    {"flowInsertFailures", "other", "flows without an entry: the kernel refused", Mood::kWarning},
    {"coarseInsertFailures", "full", "peers without an entry: the table was full", Mood::kWarning},
    {"coarseInsertFailures", "busy", "peers without an entry: the table was busy", Mood::kWarning},
    {"coarseInsertFailures", "memory", "peers without an entry: the kernel had no memory", Mood::kWarning},
    {"coarseInsertFailures", "other", "peers without an entry: the kernel refused", Mood::kWarning}};

struct Single {
  std::string_view place;
  std::string_view text;
  Mood mood;
};

constexpr Single kSingles[] = {
    {"/windows/unbalanced", "windows that do not add up: a fault of flowtally", Mood::kWrong},
    {"/traffic/deviceDroppedPkts", "packets dropped by the device that are counted as sent", Mood::kWarning},
    {"/output/failures", "failures of writing to --output", Mood::kWarning},
    {"/identity/failures", "questions that tailscaled did not answer", Mood::kWarning},
    {"/identity/eventsLost", "of tailscaled's events were lost", Mood::kWarning},
    {"/identity/peersLeftOut", "peers left out: more than are taken", Mood::kWarning}};

class Losses {
 public:
  explicit Losses(const JsonDocument& status) : status_(status) {}

  void traffic(const Traffic& counter) {
    const auto of = [&](std::string_view field) {
      return status_.number(fmt::format("{}/{}", counter.place, field));
    };
    const std::uint64_t packets = of("txPkts") + of("rxPkts");
    const std::uint64_t bytes = of("txBytes") + of("rxBytes");
    if (packets + bytes == 0) return;
    lines_.push_back({.text = fmt::format("{} ({}) {}", count_text(packets, "packet", "packets"),
                                          bytes_text(bytes), counter.reason),
                      .mood = counter.mood});
  }

  void number(std::string_view place, std::string_view text, Mood mood) {
    const std::uint64_t count = status_.number(place);
    if (count == 0) return;
    lines_.push_back({.text = fmt::format("{} {}", count_text(count), text), .mood = mood});
  }

  /// A reason that this program does not know is shown as it is called.
  void unknown_reasons(std::string_view object) {
    for (const JsonField& field : status_.fields(fmt::format("/traffic/{}", object))) {
      bool known = field.number == 0;
      for (const Reasons& reason : kReasons)
        known = known || (reason.object == object && reason.reason == field.name);
      if (known) continue;
      lines_.push_back({.text = fmt::format("{} {}: {}", count_text(field.number), object, field.name),
                        .mood = Mood::kWarning});
    }
  }

  void devices() {
    for (std::size_t at = 0; at < status_.size("/interfaces"); ++at) {
      const std::string place = fmt::format("/interfaces/{}", at);
      const std::uint64_t gaps = status_.number(place + "/gaps");
      const double uncounted = status_.seconds(place + "/uncountedSeconds");
      if (gaps == 0 && uncounted <= 0) continue;
      lines_.push_back({.text = fmt::format("{} was not counted for {}, in {}", status_.text(place + "/name"),
                                            duration_text(uncounted), count_text(gaps, "gap", "gaps")),
                        .mood = Mood::kWarning});
    }
  }

  void journals() {
    for (std::size_t at = 0; at < status_.size("/journals"); ++at) {
      const std::string place = fmt::format("/journals/{}", at);
      const std::string type = status_.text(place + "/logType");
      number(place + "/failures", fmt::format("failures of writing to the {} journal", type), Mood::kWarning);
      const std::uint64_t removed = status_.number(place + "/removed/records");
      if (removed == 0) continue;
      lines_.push_back({.text = fmt::format("{} ({}) removed from the {} journal by retention",
                                            count_text(removed, "record", "records"),
                                            bytes_text(status_.number(place + "/removed/bytes")), type)});
    }
  }

  void streams() {
    for (std::size_t at = 0; at < status_.size("/streams"); ++at) {
      const std::string place = fmt::format("/streams/{}", at);
      const std::string name = status_.text(place + "/name");
      number(place + "/refusedItems",
             fmt::format("items refused by the receiver of {}, kept as dead letters", name), Mood::kWarning);
      number(place + "/lostRecords", fmt::format("records gone before {} had delivered them", name),
             Mood::kWrong);
      number(place + "/unreadableRecords", fmt::format("lines that {} could not read", name), Mood::kWarning);
    }
  }

  std::vector<StatusLine> take() { return std::move(lines_); }

 private:
  const JsonDocument& status_;
  std::vector<StatusLine> lines_;
};

}  // namespace

std::vector<StatusLine> loss_lines(const JsonDocument& status) {
  Losses losses(status);
  losses.devices();
  for (const Traffic& counter : kTraffic) losses.traffic(counter);
  for (const Reasons& reason : kReasons)
    losses.number(fmt::format("/traffic/{}/{}", reason.object, reason.reason), reason.text, reason.mood);
  for (const std::string_view object :
       {"unparsedPkts", "excludedPkts", "flowInsertFailures", "coarseInsertFailures"})
    losses.unknown_reasons(object);
  for (const Single& single : kSingles) losses.number(single.place, single.text, single.mood);
  losses.journals();
  losses.streams();
  return losses.take();
}

}  // namespace flowtally::cli
