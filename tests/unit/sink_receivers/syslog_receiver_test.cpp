// Goal: messages are RFC 5424's; delivered is what the other end's TCP has taken, and after a break
// everything behind that comes again.
#include "sink/syslog_receiver.hpp"

#include <algorithm>
#include <cstdio>
#include <set>

#include "sink/syslog_message.hpp"
#include "support/catch.hpp"
#include "support/temp_dir.hpp"
#include "support/wait_until.hpp"
#include "unit/sink_receivers/batches.hpp"
#include "unit/sink_receivers/listener.hpp"

namespace flowtally::sink {
namespace {

using std::chrono::milliseconds;
using test::batch_of;
using test::Listener;

model::SinkSettings settings(const std::string& address, milliseconds timeout = milliseconds(10'000)) {
  model::SinkSettings made{.name = "syslog"};
  made.retry.request_timeout = timeout;
  made.receiver = model::SyslogSettings{.address = address, .host_name = "gate"};
  return made;
}

std::unique_ptr<Receiver> receiver(const model::SinkSettings& settings) {
  auto made = make_syslog_receiver(settings, model::LogType::kNetwork);
  if (!made) FAIL(made.error().text());
  return std::move(*made);
}

Outcome send(Receiver& to, const Batch& batch) { return to.send(batch, 0, batch.items.size(), {}); }

/// What stands behind the header and the structured data of each octet-counted message; a broken frame ends
/// it.
std::vector<std::string> bodies(std::string_view stream) {
  std::vector<std::string> found;
  while (true) {
    const std::size_t space = stream.find(' ');
    if (space == std::string_view::npos) return found;
    const std::size_t size = std::stoul(std::string(stream.substr(0, space)));
    stream.remove_prefix(space + 1);
    if (stream.size() < size) return found;
    const std::string_view message = stream.substr(0, size);
    found.emplace_back(message.substr(message.find("] ") + 2));
    stream.remove_prefix(size);
  }
}

std::string message_of(const model::SyslogSettings& syslog, const Batch& batch) {
  std::string out;
  CHECK(SyslogForm(syslog, batch.log_type).append(batch, batch.items[0], out));
  return out;
}

}  // namespace

TEST_CASE("a message has priority, time, source and structured data, and says how long it is") {
  const Batch batch = batch_of({R"({"a":1})"}, 7);
  const std::string head =
      "<134>1 2026-11-22T23:29:06.069506Z gate flowtally - network [flowtally@32473 id=\"" +
      item_id(batch, batch.items[0]) + "\" sequence=\"7\" node=\"nLab01CNTRL\"] {\"a\":1}";
  CHECK(message_of({.host_name = "gate"}, batch) == fmt::format("{} {}", head.size(), head));
  CHECK(message_of({.octet_counting = false, .host_name = "gate"}, batch) == head + "\n");
}

TEST_CASE("facility, application and host are the settings', without what a header cannot have") {
  const Batch batch = batch_of({"{}"});
  const std::string message = message_of(
      {.octet_counting = false, .facility = 4, .app_name = "our flows\n", .host_name = "h\xc3\xa4st"}, batch);
  CHECK(message.starts_with("<38>1 "));
  CHECK(message.find(" h__st our_flows_ - network ") != std::string::npos);
  CHECK(message_of({.app_name = "", .host_name = "h"}, batch).find(" h - - network ") != std::string::npos);
}

TEST_CASE("a node's id is escaped in structured data") {
  Batch batch = batch_of({"{}"});
  batch.node_id = R"(a"b\c]d)";
  CHECK(message_of({.host_name = "h"}, batch).find(R"(node="a\"b\\c\]d")") != std::string::npos);
}

TEST_CASE("times before 1970 and at its begin are right") {
  Batch batch = batch_of({"{}"});
  batch.items[0].time_ns = -1;
  CHECK(message_of({.host_name = "h"}, batch).find("1 1969-12-31T23:59:59.999999Z h ") != std::string::npos);
  batch.items[0].time_ns = 0;
  CHECK(message_of({.host_name = "h"}, batch).find("1 1970-01-01T00:00:00.000000Z h ") != std::string::npos);
}

TEST_CASE("items arrive in order, over one connection") {
  const Listener listener;
  const auto to = receiver(settings(listener.address()));
  const auto texts = test::record_texts(3000);
  CHECK(send(*to, batch_of(std::vector(texts.begin(), texts.begin() + 1000))).verdict == Verdict::kDelivered);
  CHECK(send(*to, batch_of(std::vector(texts.begin() + 1000, texts.end()), 1001)).verdict ==
        Verdict::kDelivered);
  REQUIRE(listener.wait_for(texts.back()));
  CHECK(bodies(listener.text()) == texts);
  CHECK(listener.connections() == 1);
}

TEST_CASE("a message that is too long is refused, the others arrive") {
  const Listener listener;
  auto small = settings(listener.address());
  std::get<model::SyslogSettings>(small.receiver).message_bytes_max = 1000;
  const auto to = receiver(small);
  CHECK(to->traits().item_bytes_max == 1000);
  const Outcome outcome = send(*to, batch_of({"{\"a\":1}", std::string(950, 'x'), "{\"b\":2}"}));
  CHECK(outcome.items == std::vector{Verdict::kDelivered, Verdict::kRefused, Verdict::kDelivered});
  CHECK(outcome.reasons.at(1).find("message_size") != std::string::npos);
  REQUIRE(listener.wait_for("{\"b\":2}"));
  CHECK(bodies(listener.text()) == std::vector<std::string>{"{\"a\":1}", "{\"b\":2}"});
}

TEST_CASE("a connection that was closed while it was idle is made anew, and nothing is lost") {
  Listener listener;
  const auto to = receiver(settings(listener.address()));
  const bool reset = GENERATE(false, true);
  CHECK(send(*to, batch_of({"{\"a\":1}"})).verdict == Verdict::kDelivered);
  REQUIRE(listener.wait_for("{\"a\":1}"));
  listener.hang_up(reset);
  // The farewell needs its time even on loopback.
  Outcome outcome;
  test::wait_until([&] {
    return (outcome = send(*to, batch_of({"{\"b\":2}"}))).verdict == Verdict::kDelivered &&
           listener.connections() == 2;
  });
  CHECK(listener.wait_for("{\"b\":2}"));
}

TEST_CASE("what a reset swallowed comes again") {
  const auto texts = test::record_texts(2000);
  Listener listener({.reset_after = 100'000});
  const auto to = receiver(settings(listener.address()));
  std::vector<std::string> left = texts;
  for (int tries = 0; tries < 10 && !left.empty(); ++tries) {
    const Outcome outcome = send(*to, batch_of(left));
    if (outcome.verdict == Verdict::kDelivered) {
      left.clear();
    } else {
      CHECK(outcome.verdict == Verdict::kRetry);
      const auto first = std::ranges::find(outcome.items, Verdict::kRetry);
      left.erase(left.begin(), left.begin() + (first - outcome.items.begin()));
    }
  }
  CHECK(left.empty());
  REQUIRE(listener.wait_for(texts.back()));
  // The two connections have all between them, but what lay in the other end's buffer when it was reset: TCP
  // had taken it, and no more can be known.
  const std::string all = listener.text();
  CHECK(all.find(texts.back()) != std::string::npos);
  CHECK(all.find(texts.front()) != std::string::npos);
}

TEST_CASE("a receiver that takes nothing is given up in time, and what its TCP has taken counts") {
  Listener listener({.reads = false, .receive_buffer = 4096});
  const auto to = receiver(settings(listener.address(), milliseconds(700)));
  const auto texts = test::record_texts(20'000);
  const Outcome outcome = send(*to, batch_of(texts));
  CHECK(outcome.verdict == Verdict::kRetry);
  CHECK_FALSE(outcome.reason.empty());
  if (!outcome.items.empty()) {
    CHECK(outcome.items.size() == texts.size());
    CHECK(outcome.items.back() == Verdict::kRetry);
    CHECK(std::ranges::is_partitioned(outcome.items, [](Verdict v) { return v == Verdict::kDelivered; }));
  }
}

TEST_CASE("nobody there is tried again") {
  std::uint16_t port = 0;
  {
    const Listener gone;
    port = gone.port();
  }
  const Outcome outcome = send(*receiver(settings(fmt::format("127.0.0.1:{}", port))), batch_of({"{}"}));
  CHECK(outcome.verdict == Verdict::kRetry);
  CHECK(outcome.reason.find("127.0.0.1") != std::string::npos);
}

TEST_CASE("a stop ends the waiting for TCP") {
  Listener listener({.reads = false, .receive_buffer = 4096});
  const auto to = receiver(settings(listener.address()));
  const auto texts = test::record_texts(20'000);
  const Batch batch = batch_of(texts);
  std::stop_source stop;
  const std::jthread stopper([&] {
    test::wait_until([&] { return listener.connections() == 1; });
    stop.request_stop();
  });
  const auto start = std::chrono::steady_clock::now();
  CHECK(to->send(batch, 0, batch.items.size(), stop.get_token()).verdict != Verdict::kDelivered);
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(3));
}

TEST_CASE("over TLS everything arrives, and a certificate that nobody vouches for is refused") {
  const test::SelfSigned certificate;
  const test::TempDir folder;
  const std::string ca = folder.path / "ca.pem";
  std::FILE* const file = std::fopen(ca.c_str(), "w");
  REQUIRE(file != nullptr);
  std::fputs(certificate.pem().c_str(), file);
  std::fclose(file);

  const Listener listener({.tls = &certificate});
  auto over_tls = settings(listener.address());
  std::get<model::SyslogSettings>(over_tls.receiver).tls = true;

  const Outcome refused = send(*receiver(over_tls), batch_of({"{}"}));
  CHECK(refused.verdict == Verdict::kMisconfigured);
  CHECK(refused.reason.find("certificate") != std::string::npos);

  over_tls.tls.ca_file = ca;
  const auto texts = test::record_texts(2000);
  const Outcome outcome = send(*receiver(over_tls), batch_of(texts));
  INFO(outcome.reason);
  CHECK(outcome.verdict == Verdict::kDelivered);
  REQUIRE(listener.wait_for(texts.back()));
  CHECK(bodies(listener.text()) == texts);

  over_tls.tls = {.verify = false};
  CHECK(send(*receiver(over_tls), batch_of({"{\"last\":1}"})).verdict == Verdict::kDelivered);
}

TEST_CASE("settings of syslog that cannot be are refused with their place") {
  struct Wrong {
    model::SyslogSettings syslog;
    const char* text;
  };
  const auto wrong =
      GENERATE(Wrong{{.address = ""}, "address"}, Wrong{{.address = "host"}, "address"},
               Wrong{{.address = "host:0"}, "address"}, Wrong{{.address = "::1:514"}, "address"},
               Wrong{{.address = "a/b:514"}, "address"}, Wrong{{.address = "host:70000"}, "address"},
               Wrong{{.address = "h:1", .facility = 24}, "facility"},
               Wrong{{.address = "h:1", .message_bytes_max = 100}, "message_size"});
  model::SinkSettings made{.name = "syslog"};
  made.receiver = wrong.syslog;
  const auto refused = make_syslog_receiver(made, model::LogType::kNetwork);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code() == base::ErrorCode::kInvalidArgument);
  CHECK(refused.error().text().find(wrong.text) != std::string::npos);
}

TEST_CASE("a file of the TLS settings that is not there is told") {
  auto made = settings("h:1");
  made.tls.ca_file = "/nowhere/ca.pem";
  const auto refused = make_syslog_receiver(made, model::LogType::kNetwork);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code() == base::ErrorCode::kNotFound);
}

}  // namespace flowtally::sink
