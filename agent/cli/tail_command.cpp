// This file answers `flowtally tail`: it follows the agent's records and prints their connections. It tells
// the agent the number of the last record that it has seen, so that nothing is missed or shown twice when the
// agent restarts, and says so when that happens.
#include <chrono>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "cli/ask.hpp"
#include "cli/commands.hpp"
#include "cli/event_stream.hpp"
#include "query/filter.hpp"
#include "query/line.hpp"
#include "query/values.hpp"

namespace flowtally::cli {
namespace {

using std::chrono::milliseconds;

/// Between two looks whether the agent is back.
constexpr milliseconds kReconnectEvery{1000};
/// The agent says something each 15 seconds.
constexpr std::chrono::seconds kSilenceMax{60};
constexpr std::size_t kPrintBytes = std::size_t{32} << 10U;

constexpr std::size_t kTimeWidth = 19;
constexpr std::size_t kEndpointWidth = 22;  // 100.100.100.100:65535

AnswerStyle style_of(const TailOptions& options, const Console& console) {
  return {.format = options.json ? Format::kNdjson : Format::kTable,
          .connections = true,
          .colour = console.colour(),
          .zone = query::local_zone(),
          .measured_rows = 0};
}

/// The widths hold for ever: nobody knows what comes.
std::vector<AnswerColumn> tail_columns() {
  auto columns = answer_columns(query::columns_of(query::Query{}));
  for (AnswerColumn& column : columns) {
    if (column.name == "start") column.width = kTimeWidth;
    if (column.name == "src" || column.name == "dst") column.width = kEndpointWidth;
    if (column.name == "peer") column.width = kEndpointWidth;
    if (column.name == "class" || column.name == "proto") column.width = 8;
  }
  return columns;
}

class Follower {
 public:
  Follower(const TailOptions& options, query::Filter filter, Console& console)
      : filter_(std::move(filter)), console_(console), writer_(tail_columns(), style_of(options, console)) {}

  /// From the next record on that the agent appends; without a journal it says so when it is asked to follow.
  [[nodiscard]] Outcome find_end(const std::string& socket) {
    auto body = ask(socket, {.path = "/api/v1/status"}, console_);
    if (!body) return body.error();
    JsonDocument status;
    if (!status.read(*body)) return Outcome::kDone;
    for (std::size_t at = 0; at < status.size("/journals"); ++at) {
      const std::string place = fmt::format("/journals/{}", at);
      const std::uint64_t next = status.number(place + "/nextSequence");
      if (status.text(place + "/logType") == "network" && next > 0) last_id_ = fmt::format("{}", next - 1);
    }
    return Outcome::kDone;
  }

  /// Until the answer ends.
  [[nodiscard]] Reply follow(HttpClient& client) {
    EventStream events([this](const Event& event) { return take(event); });
    Question question{
        .path = "/api/v1/flows/live", .headers = {"Accept: text/event-stream"}, .idle_max = kSilenceMax};
    if (!last_id_.empty()) question.headers.push_back("Last-Event-ID: " + last_id_);
    return client.ask(question, [&](std::string_view piece) {
      if (std::exchange(away_, false)) console_.say("the agent is back; going on behind the last record");
      heard_ = true;
      return events.feed(piece) && flush();
    });
  }

  void gone() {
    if (!std::exchange(away_, true)) console_.say("the agent has gone; waiting for it to come back");
  }
  /// The journal has no such record: it is another one.
  void begin_anew() {
    last_id_.clear();
    console_.say("the agent has another journal now; following it from its end");
  }
  [[nodiscard]] bool heard() const noexcept { return heard_; }
  [[nodiscard]] bool has_place() const noexcept { return !last_id_.empty(); }

 private:
  bool flush() { return text_.empty() || console_.print(std::exchange(text_, {})); }

  bool take(const Event& event) {
    if (!event.id.empty()) last_id_ = event.id;
    if (event.type == "gap") {
      JsonDocument gap;
      if (!gap.read(event.data)) return true;
      if (!flush()) return false;
      console_.say(fmt::format("{} cannot be had any more: {}",
                               count_text(gap.number("/count"), "record", "records"),
                               printable(gap.text("/reason"))));
      return true;
    }
    if (!event.type.empty()) return true;  // of a newer agent
    const query::Line* const line = reader_.read(event.data, query::Nodes::kYes);
    if (line == nullptr) {
      console_.say(fmt::format("record {} cannot be read", printable(last_id_)));
      return true;
    }
    for (const query::Connection& connection : line->connections) {
      if (!filter_.matches(*line, connection)) continue;
      writer_.row(query::connection_row(*line, connection), text_);
      if (text_.size() >= kPrintBytes && !flush()) return false;
    }
    return true;
  }

  query::Filter filter_;
  Console& console_;
  AnswerWriter writer_;
  query::LineReader reader_;
  std::string text_;
  std::string last_id_;
  bool away_ = false;
  bool heard_ = false;
};

}  // namespace

Outcome follow(const TailOptions& options, Console& console) {
  auto filter = query::Filter::parse(options.filter);
  if (!filter) {
    console.say(filter.error().text());
    return Outcome::kUsage;
  }
  auto client = HttpClient::open(options.socket, console.stop_fd());
  if (!client) {
    console.say(client.error().text());
    return Outcome::kUsage;
  }
  Follower follower(options, std::move(*filter), console);
  if (const Outcome found = follower.find_end(options.socket); found != Outcome::kDone) return found;
  for (;;) {
    const Reply reply = follower.follow(*client);
    if (reply.end == Reply::End::kStopped) return Outcome::kStopped;
    if (reply.end == Reply::End::kEnough) return judge_output(console);
    // Forbidden, unknown or full: waiting does not help where it never worked.
    if (!follower.heard() && reply.error) return judge(reply, console);
    if (reply.status == 400 && follower.has_place())
      follower.begin_anew();
    else
      follower.gone();
    if (console.stopped_within(kReconnectEvery)) return Outcome::kStopped;
  }
}

}  // namespace flowtally::cli
