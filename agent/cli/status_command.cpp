#include <optional>
#include <utility>

#include "cli/ask.hpp"
#include "cli/commands.hpp"
#include "cli/human.hpp"
#include "cli/status_text.hpp"
#include "record/parse.hpp"

namespace flowtally::cli {
namespace {

/// With more flows in a window the agent is not asked to read the one that is being counted.
constexpr std::uint64_t kLiveFlowsMax = 50'000;
/// A window that has just begun tells nothing.
constexpr double kLiveSecondsMin = 0.1;

/// Adds a record of the live window; false: it is none.
bool add_record(const JsonDocument& record, LiveRate& rate) {
  const auto start = record::parse_time(record.text("/start"));
  const auto end = record::parse_time(record.text("/end"));
  if (!start || !end) return false;
  rate.seconds = static_cast<double>(*end - *start) / 1e9;
  rate.tx_packets += record.number("/accounting/totals/txPkts");
  rate.tx_bytes += record.number("/accounting/totals/txBytes");
  rate.rx_packets += record.number("/accounting/totals/rxPkts");
  rate.rx_bytes += record.number("/accounting/totals/rxBytes");
  return true;
}

/// What passes just now, from the window that is being counted. Nothing where that cannot be had: the page is
/// whole without it.
std::optional<LiveRate> live_rate(HttpClient& client) {
  LiveRate rate;
  JsonDocument document;
  ListScanner scanner(
      "logs", [](std::string_view) { return true; },
      [&](std::string_view record) { return document.read(record) && add_record(document, rate); });
  const Reply reply =
      client.ask({.path = "/api/v1/flows/live"}, [&](std::string_view piece) { return scanner.feed(piece); });
  if (reply.end != Reply::End::kWhole || !scanner.frame() || rate.seconds < kLiveSecondsMin)
    return std::nullopt;
  return rate;
}

/// For probes: the agent's own judgement, in its words.
Outcome show_judgement(const std::string& socket, const std::string& path, Console& console) {
  auto body = ask(socket, {.path = path}, console);
  if (!body) return body.error();
  JsonDocument judgement;
  if (auto read = judgement.read(*body); !read) {
    console.say(read.error().text());
    return Outcome::kFailed;
  }
  console.print(printable(judgement.text("/message")) + "\n");
  return judge_output(console);
}

}  // namespace

Outcome show_status(const StatusOptions& options, Console& console) {
  using What = StatusOptions::What;
  if (options.what != What::kAll)
    return show_judgement(options.socket, options.what == What::kHealthy ? "/healthz" : "/readyz", console);
  auto body = ask(options.socket, {.path = "/api/v1/status"}, console);
  if (!body) return body.error();
  if (options.json) {
    console.print(*body);
    return judge_output(console);
  }
  JsonDocument status;
  if (auto read = status.read(*body); !read) {
    console.say(read.error().text());
    return Outcome::kFailed;
  }
  std::optional<LiveRate> rate;
  if (status.number("/table/flows") <= kLiveFlowsMax) {
    if (auto client = HttpClient::open(options.socket, console.stop_fd())) rate = live_rate(*client);
  }
  console.print(status_page(status_lines(status, rate, query::local_zone()), console.colour()));
  return judge_output(console);
}

}  // namespace flowtally::cli
