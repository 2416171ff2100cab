// Goal: a stream delivers everything behind its cursor, goes on where it was, tells of what is gone, keeps
// what is refused, and is in nobody's way.
#include <string>
#include <vector>

#include "journal/cursor_store.hpp"
#include "server/sink/rig.hpp"
#include "sink/dead_letters.hpp"
#include "sink/streams.hpp"

namespace flowtally::test {

using Catch::Matchers::ContainsSubstring;
using model::SinkState;

TEST_CASE("everything in the journal arrives, and what is appended later too", "[server]") {
  Written written;
  written.append(500);
  BulkStore store;
  HttpReceiver server([&](const HttpHeard& heard) { return store.take(heard); });
  auto settings = quick(model::ElasticSettings{.url = server.url()});
  settings.compression = model::Compression::kGzip;
  const auto stream = stream_of(written, settings);
  wait_until([&] { return store.size() == 1000; });
  written.append(100);
  wait_until([&] { return store.size() == 1200; });
  wait_until([&] { return stream->status().state == SinkState::kIdle && stream->status().next == 601; });
  check_all_there(store, 600);
  const model::SinkStatus status = stream->status();
  CHECK(status.records == 600);
  CHECK(status.items == 1200);
  CHECK(status.repeated_items == 0);
  CHECK(status.lost_records == 0);
  CHECK(status.delivered_end_ns == kFirstStart + 600 * 1'000'000'000LL);
}

TEST_CASE("a stream goes on behind what was acknowledged before", "[server]") {
  Written written;
  written.append(300);
  BulkStore store;
  HttpReceiver server([&](const HttpHeard& heard) { return store.take(heard); });
  const auto settings = quick(model::ElasticSettings{.url = server.url()});
  for (int life = 0; life < 10 && store.size() < 600; ++life) {
    const std::size_t before = store.size();
    const auto stream = stream_of(written, settings);
    wait_until([&] { return store.size() > before; });
  }
  const auto stream = stream_of(written, settings);
  wait_until([&] { return store.size() == 600; });
  check_all_there(store, 300);
}

TEST_CASE("a new sink can begin with the newest record; one of another journal begins with the oldest",
          "[server]") {
  Written written;
  written.append(100);
  BulkStore store;
  HttpReceiver server([&](const HttpHeard& heard) { return store.take(heard); });
  auto settings = quick(model::ElasticSettings{.url = server.url()});
  settings.start = model::StartAt::kNewest;
  {
    const auto stream = stream_of(written, settings);
    written.append(10);
    wait_until([&] { return store.size() == 20; });
    wait_until([&] { return stream->status().next == 111; });
  }
  journal::CursorStore cursors(journal::posix_file_system(), written.directory());
  REQUIRE(cursors.save("s", 100'000));
  const auto stream = stream_of(written, settings);
  CHECK_THAT(stream->status().failure, ContainsSubstring("another one"));
  wait_until([&] { return store.size() == 220; });
  check_all_there(store, 110);
}

TEST_CASE("what retention removed before it was delivered is counted, and the receiver is told", "[server]") {
  Written written(std::uint64_t{8} << 10U, std::uint64_t{32} << 10U);
  written.append(600);
  BulkStore store;
  HttpReceiver server([&](const HttpHeard& heard) { return store.take(heard); });
  const auto settings = quick(model::ElasticSettings{.url = server.url()});
  {
    journal::CursorStore cursors(journal::posix_file_system(), written.directory());
    REQUIRE(cursors.save("s", 1));
  }
  REQUIRE(written.journal().retain());
  const std::uint64_t removed = written.journal().state().removed.records;
  REQUIRE(removed > 0);
  const auto stream = stream_of(written, settings);
  wait_until([&] { return stream->status().next == 601; });
  CHECK(stream->status().lost_records == removed);
  check_all_there(store, 600 - removed);
  std::size_t gaps = 0;
  for (const auto& [id, document] : store.stored()) {
    if (document.find("\"event\":\"gap\"") == std::string::npos) continue;
    ++gaps;
    CHECK_THAT(document, ContainsSubstring(fmt::format("\"count\":{},\"reason\":\"removed\"", removed)));
  }
  CHECK(gaps == 1);
}

TEST_CASE(
    "what is refused for good is kept with its reason, does not hold up the rest, and can be sent again",
    "[server]") {
  Written written;
  written.append(100);
  BulkStore store;
  store.refuse = [](const std::string& document) {
    return document.find("\"dstPort\":13,") != std::string::npos &&
           document.find("\"proto\":6,") != std::string::npos;
  };
  HttpReceiver server([&](const HttpHeard& heard) { return store.take(heard); });
  const auto settings = quick(model::ElasticSettings{.url = server.url()});
  {
    const auto stream = stream_of(written, settings);
    wait_until([&] { return stream->status().next == 101; });
    CHECK(stream->status().refused_items == 1);
  }
  CHECK(store.size() == 199);
  sink::DeadLetters letters(sink::sink_folder(written.state_dir(), "s"), "s");
  auto receiver = sink::make_receiver(settings, model::LogType::kNetwork);
  REQUIRE(receiver);
  // Refused again: kept. Then it is taken, with the id that it always had.
  auto again = sink::replay(letters, **receiver, model::LogType::kNetwork, {});
  REQUIRE(again);
  CHECK(again->refused == 1);
  store.refuse = nullptr;
  again = sink::replay(letters, **receiver, model::LogType::kNetwork, {});
  REQUIRE(again);
  CHECK(again->delivered == 1);
  check_all_there(store, 100);
  again = sink::replay(letters, **receiver, model::LogType::kNetwork, {});
  REQUIRE(again);
  CHECK(again->delivered + again->refused == 0);
  CHECK(store.repeated == 0);
}

TEST_CASE("a receiver that refuses us loses nothing, is said once, and is asked seldom", "[server]") {
  Written written;
  written.append(50);
  BulkStore store;
  std::atomic<bool> forbidden = true;
  std::atomic<int> asked = 0;
  HttpReceiver server([&](const HttpHeard& heard) {
    ++asked;
    return forbidden ? HttpSaid{.status = 403, .body = "{\"error\":\"no right\"}"} : store.take(heard);
  });
  auto settings =
      quick(model::ElasticSettings{.url = server.url(), .user = "u", .password = model::Secret("s3cr3t")});
  std::atomic<int> told = 0;
  auto receiver = sink::make_receiver(settings, model::LogType::kNetwork);
  REQUIRE(receiver);
  auto stream = sink::Stream::start({.settings = settings,
                                     .journal_directory = written.directory(),
                                     .state_dir = written.state_dir(),
                                     .changed = [&](const model::SinkStatus&) { ++told; }},
                                    std::move(*receiver));
  REQUIRE(stream);
  wait_until([&] { return asked > 5; });
  CHECK((*stream)->status().state == SinkState::kMisconfigured);
  CHECK_THAT((*stream)->status().failure, ContainsSubstring("403"));
  CHECK((*stream)->status().failure.find("s3cr3t") == std::string::npos);
  CHECK(told == 1);
  forbidden = false;
  wait_until([&] { return store.size() == 100; });
  wait_until([&] { return told == 2; });
  check_all_there(store, 50);
}

TEST_CASE("a dead sink delays no other, and a changed one goes on behind its cursor", "[server]") {
  Written written;
  written.append(200);
  BulkStore store;
  HttpReceiver server([&](const HttpHeard& heard) { return store.take(heard); });
  HttpReceiver hanging([](const HttpHeard&) { return HttpSaid{.fault = HttpSaid::Fault::kHang}; });
  sink::Streams streams({.state_dir = written.state_dir(), .journal = [&](model::LogType type) {
                           return type == model::LogType::kNetwork ? written.directory() : std::string();
                         }});
  auto dead = quick(model::HttpSettings{.url = hanging.url()}, "dead");
  dead.retry.request_timeout = std::chrono::seconds(30);
  auto live = quick(model::ElasticSettings{.url = server.url()}, "live");
  const auto wrong = quick(model::ElasticSettings{.url = "ftp://x"}, "wrong");
  streams.apply({dead, live, wrong});
  wait_until([&] { return store.size() == 400; });
  const auto state_of = [&](const std::string& name) {
    for (const model::SinkStatus& status : streams.status()) {
      if (status.sink == name) return status;
    }
    return model::SinkStatus{};
  };
  CHECK(state_of("dead").items == 0);
  CHECK(state_of("wrong").state == SinkState::kMisconfigured);
  // Its stream begins anew; nothing of what was acknowledged is sent again.
  wait_until([&] { return state_of("live").next == 201; });
  live.batch.items_max = 7;
  streams.apply({live});
  written.append(10);
  wait_until([&] { return store.size() == 420; });
  CHECK(store.repeated == 0);
  CHECK(streams.status().size() == 1);
  check_all_there(store, 210);
}

}  // namespace flowtally::test
