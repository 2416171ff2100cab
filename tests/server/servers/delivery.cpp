#include "server/servers/delivery.hpp"

#include <algorithm>
#include <chrono>

#include "record/parse.hpp"
#include "sink/batch_maker.hpp"
#include "sink/receiver.hpp"
#include "support/agent_calls.hpp"
#include "support/catch.hpp"

namespace flowtally::test {
namespace {

/// Of the window, as the journal's index has it.
std::int64_t time_in(std::string_view record, std::string_view name) {
  const std::size_t at = record.find(name);
  REQUIRE(at != std::string_view::npos);
  const std::string_view rest = record.substr(at + name.size());
  const auto time = record::parse_time(rest.substr(0, rest.find('"')));
  REQUIRE(time);
  return *time;
}

void send(sink::Receiver& receiver, const sink::Batch& batch) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  const sink::Outcome outcome = with_agent_calls([&] {
    for (;;) {  // a server that has just started may not be ready for everything yet
      sink::Outcome one = receiver.send(batch, 0, batch.items.size(), {});
      if (one.verdict != sink::Verdict::kRetry || std::chrono::steady_clock::now() >= end) return one;
    }
  });
  INFO(outcome.reason);
  const bool there =
      outcome.verdict == sink::Verdict::kDelivered || outcome.verdict == sink::Verdict::kAlreadyThere;
  REQUIRE(there);
  REQUIRE(std::ranges::all_of(outcome.items, [](sink::Verdict verdict) {
    return verdict == sink::Verdict::kDelivered || verdict == sink::Verdict::kAlreadyThere;
  }));
}

}  // namespace

Items deliver(const model::SinkSettings& settings, const std::vector<std::string>& records,
              std::size_t batch) {
  auto receiver = with_agent_calls([&] { return sink::make_receiver(settings, model::LogType::kNetwork); });
  if (!receiver) FAIL(receiver.error().text());
  auto maker = sink::BatchMaker::make(settings, model::LogType::kNetwork);
  REQUIRE(maker);
  Items items;
  for (std::size_t first = 0; first < records.size(); first += batch) {
    sink::Batch made{.first = first + 1, .next = first + 1};
    for (std::size_t at = first; at < std::min(first + batch, records.size()); ++at) {
      REQUIRE(maker->add({.line = records[at],
                          .sequence = at + 1,
                          .start_ns = time_in(records[at], R"("start":")"),
                          .end_ns = time_in(records[at], R"("end":")")},
                         made));
    }
    send(**receiver, made);
    for (const sink::Item& item : made.items) items[item_id(made, item)] = made.text_of(item);
  }
  return items;
}

}  // namespace flowtally::test
