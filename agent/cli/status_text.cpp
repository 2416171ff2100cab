#include "cli/status_text.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "record/parse.hpp"

namespace flowtally::cli {
namespace {

/// The label's column, with the two spaces behind it.
constexpr std::size_t kLabelWidth = 14;
/// Older than this tailscaled does not answer: it is asked each minute at the latest.
constexpr double kIdentityOldSeconds = 300;

class Page {
 public:
  Page(const JsonDocument& status, const query::ZoneOffset& zone)
      : status_(status), zone_(zone), now_(record::parse_time(status.text("/now"))) {}

  void agent() {
    add("flowtally",
        fmt::format("{}, node {}", or_dash(status_.text("/version")), or_dash(status_.text("/nodeId"))));
    add("", fmt::format("up {}, since {}; generation {}", duration_text(status_.seconds("/uptimeSeconds")),
                        when("/started"), count_text(status_.number("/epoch"))));
    if (const std::uint64_t epochs = status_.number("/adoption/epochs"); epochs > 0) {
      add("", fmt::format("took over {} that had been counted before it began",
                          count_text(epochs, "generation", "generations")));
    }
  }

  void devices() {
    for (std::size_t at = 0; at < status_.size("/interfaces"); ++at) {
      const std::string place = fmt::format("/interfaces/{}", at);
      const std::string name = status_.text(place + "/name");
      const std::string failure = status_.text(place + "/failure");
      if (status_.flag(place + "/attached")) {
        const std::string since = place + "/attachedSince";
        add(name,
            fmt::format("counted by {}{}", or_dash(status_.text(place + "/mode")),
                        status_.has(since) ? " since " + when(since) : ""),
            Mood::kGood);
        if (!status_.flag(place + "/dropsTakenOff"))
          add("", "packets that its full ring drops are counted as sent: this kernel does not tell");
      } else if (failure.empty()) {
        add(name, "is not there yet: waited for", Mood::kWarning);
      } else {
        add(name, "is NOT counted: " + failure, Mood::kWrong);
      }
    }
  }

  void traffic(const std::optional<LiveRate>& rate) {
    if (rate) {
      const auto of = [&](std::uint64_t bytes, std::uint64_t packets) {
        return rate_of(bytes, packets, rate->seconds);
      };
      add("now", fmt::format("sends {}; receives {}", of(rate->tx_bytes, rate->tx_packets),
                             of(rate->rx_bytes, rate->rx_packets)));
    }
    const double seconds = status_.seconds("/uptimeSeconds");
    for (const auto& [label, direction] : {std::pair{"sent", "tx"}, std::pair{"received", "rx"}}) {
      const std::uint64_t packets = status_.number(fmt::format("/traffic/totals/{}Pkts", direction));
      const std::uint64_t bytes = status_.number(fmt::format("/traffic/totals/{}Bytes", direction));
      add(label, fmt::format("{} in {}; on average {}", bytes_text(bytes),
                             count_text(packets, "packet", "packets"), rate_of(bytes, packets, seconds)));
    }
  }

  void windows() {
    const std::uint64_t windows = status_.number("/windows/count");
    const std::uint64_t unbalanced = status_.number("/windows/unbalanced");
    if (unbalanced > 0) {
      add("conservation",
          fmt::format("{} of {} do NOT add up: a fault of flowtally", count_text(unbalanced),
                      count_text(windows, "window", "windows")),
          Mood::kWrong);
    } else {
      add("conservation",
          windows == 0
              ? "no window with traffic yet"
              : fmt::format("every packet accounted for in {}", count_text(windows, "window", "windows")),
          Mood::kGood);
    }
    const std::uint64_t flows = status_.number("/table/flows");
    const std::uint64_t capacity = status_.number("/table/capacity4") + status_.number("/table/capacity6");
    const double use = capacity == 0 ? 0 : static_cast<double>(flows) * 100 / static_cast<double>(capacity);
    std::string text =
        fmt::format("{} in the latest window, {:.1f} % of the room; at the most {} of each IP version",
                    count_text(flows, "flow", "flows"), use, count_text(status_.number("/table/flowsMax")));
    if (const std::uint64_t early = status_.number("/windows/pressureDrains"); early > 0)
      text += fmt::format("; {} for lack of room", count_text(early, "early drain", "early drains"));
    add("tables", text);
  }

  void drain() {
    const std::string failure = status_.text("/drain/failure");
    const std::string every = duration_text(status_.seconds("/drain/intervalSeconds"));
    if (!failure.empty()) {
      add("drain", fmt::format("each {}; the latest FAILED: {}", every, failure), Mood::kWrong);
    } else if (status_.has("/drain/doneAt")) {
      add("drain", fmt::format("each {}; the latest {}, in {}", every, ago("/drain/doneAt"),
                               duration_text(status_.seconds("/drain/durationSeconds"))));
    } else {
      add("drain", fmt::format("each {}; none yet", every));
    }
  }

  void streams() {
    for (std::size_t at = 0; at < status_.size("/streams"); ++at) {
      const std::string place = fmt::format("/streams/{}", at);
      const bool failing = !status_.text(place + "/failingSince").empty();
      add(at == 0 ? "streams" : "",
          fmt::format("{} ({}, {}): {}, {} delivered, {} behind", status_.text(place + "/name"),
                      status_.text(place + "/type"), status_.text(place + "/logType"),
                      status_.text(place + "/state"), count_text(status_.number(place + "/items")),
                      count_text(status_.number(place + "/behindRecords"), "record", "records")),
          failing ? Mood::kWarning : Mood::kPlain);
      if (failing) add("", status_.text(place + "/failure"), Mood::kWrong);
    }
  }

  void journals() {
    for (std::size_t at = 0; at < status_.size("/journals"); ++at) {
      const std::string place = fmt::format("/journals/{}", at);
      const std::uint64_t first = status_.number(place + "/firstSequence");
      const std::uint64_t next = status_.number(place + "/nextSequence");
      std::string text = fmt::format("{}: {}, {} in {}", status_.text(place + "/logType"),
                                     bytes_text(status_.number(place + "/bytes")),
                                     count_text(next - std::min(first, next), "record", "records"),
                                     count_text(status_.number(place + "/segments"), "segment", "segments"));
      if (const std::uint64_t waiting = status_.number(place + "/segmentsWaiting"); waiting > 0)
        text += fmt::format(", {} to be sealed", count_text(waiting));
      add(at == 0 ? "journal" : "", text);
      failing(place, "cannot be written");
    }
    if (status_.has("/output")) {
      if (!status_.flag("/output/failing")) add("output", "a copy is written");
      failing("/output", "the copy cannot be written");
    }
  }

  void identity() {
    const std::string source = status_.text("/identity/source");
    const std::string error = status_.text("/identity/lastError");
    if (source.empty() || source == "none") {
      add("identity", "nobody has told who is who yet: address ranges decide", Mood::kWarning);
    } else {
      const double age = status_.seconds("/identity/ageSeconds");
      const std::string backend = status_.text("/identity/backendState");
      add("identity",
          fmt::format("{}{}{}, {}, {} old", source,
                      source == "tailscaled" ? " " + or_dash(status_.text("/identity/version")) : "",
                      backend.empty() ? "" : " (" + backend + ")",
                      count_text(status_.number("/identity/peers"), "peer", "peers"), duration_text(age)),
          source == "tailscaled" && age > kIdentityOldSeconds ? Mood::kWarning : Mood::kPlain);
    }
    if (source == "tailscaled" && !status_.flag("/identity/reachable"))
      add("",
          status_.flag("/identity/folderRemoved")
              ? "the mounted folder of tailscaled's socket was removed and made anew: start this container "
                "again"
              : "tailscaled does not answer" + (error.empty() ? "" : ": " + error),
          Mood::kWrong);
    else if (!error.empty())
      add("", error, Mood::kWarning);
    if (source == "tailscaled" && status_.has("/identity/hasTun") && !status_.flag("/identity/hasTun"))
      add("", "tailscaled runs in userspace mode: nothing passes a device that could be counted",
          Mood::kWrong);
  }

  void losses() {
    auto lines = loss_lines(status_);
    if (lines.empty()) lines.push_back({.text = "nothing", .mood = Mood::kGood});
    lines.front().label = "lost, left out";
    std::ranges::move(lines, std::back_inserter(lines_));
  }

  std::vector<StatusLine> take() { return std::move(lines_); }

 private:
  void add(std::string label, std::string text, Mood mood = Mood::kPlain) {
    lines_.push_back({.label = std::move(label), .text = std::move(text), .mood = mood});
  }
  static std::string rate_of(std::uint64_t bytes, std::uint64_t packets, double seconds) {
    if (seconds <= 0) seconds = 1;
    return fmt::format("{} and {:.0f} packets/s", rate_text(static_cast<double>(bytes) / seconds),
                       static_cast<double>(packets) / seconds);
  }

  void failing(const std::string& place, std::string_view what) {
    if (!status_.flag(place + "/failing")) return;
    add("",
        fmt::format("{} since {}: {}", what, when(place + "/failingSince"),
                    or_dash(status_.text(place + "/lastFailure"))),
        Mood::kWrong);
  }

  /// Between what happened and the agent's own now.
  [[nodiscard]] std::string age_of(std::int64_t then) const {
    return duration_text(static_cast<double>(*now_ - then) / 1e9);
  }
  [[nodiscard]] std::string ago(const std::string& place) const {
    const auto then = record::parse_time(status_.text(place));
    return then && now_ ? age_of(*then) + " ago" : "at a time not known";
  }
  [[nodiscard]] std::string when(const std::string& place) const {
    const auto then = record::parse_time(status_.text(place));
    if (!then) return "a time not known";
    const std::string local = local_time_text(*then, zone_);
    return now_ ? fmt::format("{} ({})", local, age_of(*then)) : local;
  }

  const JsonDocument& status_;
  const query::ZoneOffset& zone_;
  std::optional<std::int64_t> now_;
  std::vector<StatusLine> lines_;
};

}  // namespace

std::vector<StatusLine> status_lines(const JsonDocument& status, const std::optional<LiveRate>& rate,
                                     const query::ZoneOffset& zone) {
  Page page(status, zone);
  page.agent();
  page.devices();
  page.traffic(rate);
  page.windows();
  page.drain();
  page.journals();
  page.streams();
  page.identity();
  page.losses();
  return page.take();
}

std::string status_page(const std::vector<StatusLine>& lines, bool colour) {
  std::size_t width = kLabelWidth;
  for (const StatusLine& line : lines) width = std::max(width, width_of(line.label));
  std::string page;
  for (const StatusLine& line : lines) {
    const std::string label = printable(line.label);
    page += coloured(label, Mood::kHeading, colour);
    page.append(width + 2 - width_of(label), ' ');
    page += coloured(printable(line.text), line.mood, colour);
    page += '\n';
  }
  return page;
}

}  // namespace flowtally::cli
