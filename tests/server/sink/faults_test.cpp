// Goal: whatever goes wrong between a stream and its receiver, every record arrives; where the receiver knows
// ids, once. Method: a receiver that stores what it is sent and then fails in a way drawn by lot, request by
// request.
#include <mutex>
#include <random>
#include <set>
#include <string>

#include "server/sink/rig.hpp"

namespace flowtally::test {
namespace {

/// Every way to fail, and a third of the time none. What was heard may or may not have been stored.
class Unreliable {
 public:
  explicit Unreliable(HttpReceiver::Handler inner) : inner_(std::move(inner)) {}

  HttpSaid operator()(const HttpHeard& heard) {
    using Fault = HttpSaid::Fault;
    switch (random_() % 12) {
      case 0: return {.status = 503, .body = "busy"};
      case 1: return {.status = 429, .headers = "Retry-After: 0\r\n", .body = "later"};
      case 2: return {.fault = Fault::kReset};
      case 3: return after(heard, Fault::kReset);  // stored, and nobody knows
      case 4: return after(heard, Fault::kSilence);
      case 5: return after(heard, Fault::kHalfAnswer);
      case 6: return {.status = 502, .body = "<html>"};
      case 7:  // one item is never too large here
        if (heard.body.size() > 4000) return {.status = 413, .body = "too large"};
        return inner_(heard);
      default: return inner_(heard);
    }
  }

 private:
  HttpSaid after(const HttpHeard& heard, HttpSaid::Fault fault) {
    HttpSaid said = inner_(heard);
    said.fault = fault;
    return said;
  }

  HttpReceiver::Handler inner_;
  std::mt19937 random_{11};  // NOLINT(cert-msc51-cpp): the same faults each time
};

}  // namespace

TEST_CASE("with ids every item is there exactly once, whatever fails", "[server]") {
  Written written;
  written.append(1000);
  BulkStore store;
  std::mt19937 random(5);  // NOLINT(cert-msc51-cpp)
  store.later = [&random](const std::string&) { return random() % 50 == 0; };
  Unreliable unreliable([&](const HttpHeard& heard) { return store.take(heard); });
  HttpReceiver server([&](const HttpHeard& heard) { return unreliable(heard); });
  const auto stream = stream_of(written, quick(model::ElasticSettings{.url = server.url()}));
  for (int outage = 0; outage < 5; ++outage) {
    const std::size_t before = store.size();
    wait_until([&] { return store.size() > before + 100 || store.size() == 2000; });
    server.go_down();
    server.come_up();
  }
  wait_until([&] { return stream->status().next == 1001; });
  CHECK(stream->status().refused_items == 0);
  check_all_there(store, 1000);
  CHECK(stream->status().retries > 10);
}

TEST_CASE("without ids every item is there at least once, and is the same each time", "[server]") {
  Written written;
  written.append(500);
  std::set<std::string> lines;
  std::mutex mutex;
  Unreliable unreliable([&](const HttpHeard& heard) {
    const std::scoped_lock lock(mutex);
    for (std::size_t at = 0; at < heard.body.size();) {
      const std::size_t end = heard.body.find('\n', at);
      lines.insert(heard.body.substr(at, end - at));
      at = end + 1;
    }
    return HttpSaid{};
  });
  HttpReceiver server([&](const HttpHeard& heard) { return unreliable(heard); });
  const auto stream = stream_of(written, quick(model::HttpSettings{.url = server.url()}));
  wait_until([&] { return stream->status().next == 501; });
  CHECK(stream->status().refused_items == 0);
  CHECK(lines.size() == 1000);
}

TEST_CASE("Splunk: a bad event in the middle costs itself, and acknowledgement is waited for", "[server]") {
  Written written;
  written.append(200);
  std::set<std::string> indexed;
  std::uint64_t acks = 0;
  std::uint64_t acked = 0;
  HttpReceiver server([&](const HttpHeard& heard) -> HttpSaid {
    if (heard.headers.find("Authorization: Splunk t0ken") == std::string::npos)
      return {.status = 401, .body = R"({"text":"Token is required","code":2})"};
    if (heard.headers.find("X-Splunk-Request-Channel: ") == std::string::npos)
      return {.status = 400, .body = R"({"text":"Data channel is missing","code":10})"};
    if (heard.target.starts_with("/services/collector/ack?channel=")) {
      ++acked;
      // Told by the second question only.
      const std::string id =
          heard.body.substr(heard.body.find('[') + 1, heard.body.find(']') - heard.body.find('[') - 1);
      return {.body = R"({"acks":{")" + id + R"(":)" + (acked % 2 == 0 ? "true" : "false") + "}}"};
    }
    CHECK(heard.target == "/services/collector/event");
    std::uint64_t number = 0;
    for (std::size_t at = 0; at < heard.body.size(); ++number) {
      const std::size_t end = heard.body.find('\n', at);
      const std::string event = heard.body.substr(at, end - at);
      at = end + 1;
      if (event.find("\"dstPort\":77,") != std::string::npos) {
        return {.status = 400,
                .body = R"({"text":"Invalid data format","code":6,"invalid-event-number":)" +
                        std::to_string(number) + "}"};
      }
      indexed.insert(event);
    }
    return {.body = R"({"text":"Success","code":0,"ackId":)" + std::to_string(++acks) + "}"};
  });
  const auto stream =
      stream_of(written, quick(model::SplunkSettings{
                             .url = server.url(), .token = model::Secret("t0ken"), .acknowledge = true}));
  wait_until([&] { return stream->status().next == 201; });
  CHECK(stream->status().refused_items == 2);
  CHECK(indexed.size() == 398);
  CHECK(acked >= acks * 2);
}

TEST_CASE("memory is bounded while a receiver is dead, and a stop does not wait for it", "[server]") {
  Written written;
  written.append(20'000);
  HttpReceiver hanging([](const HttpHeard&) { return HttpSaid{.fault = HttpSaid::Fault::kHang}; });
  auto settings = quick(model::HttpSettings{.url = hanging.url()});
  settings.retry.request_timeout = std::chrono::minutes(10);
  auto stream = stream_of(written, settings);
  wait_until([&] { return stream->status().state == model::SinkState::kSending; });
  CHECK(stream->status().next == 1);
  stream.reset();  // the test's time-out would tell
}

}  // namespace flowtally::test
