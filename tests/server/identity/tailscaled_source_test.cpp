// Goal: the agent knows what tailscaled knows, soon after it knows it; and while tailscaled is away, slow or
// wrong, what was known last goes on serving.
//
// Method: a stub in tailscaled's place, with its recorded answers. Nothing happens by time alone here: the
// poll interval is long, and what is waited for is an event, a question that arrives at the stub, or
// refresh().
#include <future>

#include <fmt/format.h>
#include <poll.h>

#include "base/clock.hpp"
#include "identity/identity.hpp"
#include "support/catch.hpp"
#include "support/local_api_stub.hpp"
#include "unit/identity/golden.hpp"

namespace flowtally::identity {
namespace {

using test::LocalApiStub;
using test::StubReply;
using std::chrono_literals::operator""h;
using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;

constexpr std::chrono::seconds kDeadline{20};

/// A stub that answers as the client of the laboratory did.
class Lab {
 public:
  explicit Lab(StubReply bus = {}) {
    stub_.reply("status", {.body = golden("status-client.json")});
    stub_.reply("prefs", {.body = golden("prefs-client.json")});
    stub_.reply("check-so-mark-in-use", {.body = "{\"UseSOMark\":true}\n"});
    stub_.reply("watch-ipn-bus", std::move(bus));
  }
  [[nodiscard]] LocalApiStub& stub() { return stub_; }

  /// Nothing is read without a reason, and what has one is read at once.
  [[nodiscard]] TailscaledOptions options() const {
    return {.socket = stub_.socket(),
            .poll_interval = 1h,
            .settle = 5ms,
            .read_gap_min = 1ms,
            .forced_gap_min = 1ms};
  }
  [[nodiscard]] std::unique_ptr<IdentitySource> source() const { return source(options()); }
  [[nodiscard]] static std::unique_ptr<IdentitySource> source(TailscaledOptions options) {
    auto source = identity_of_tailscaled(std::move(options));
    REQUIRE(source);
    return std::move(*source);
  }

 private:
  LocalApiStub stub_;
};

/// Waits for the next event of this kind; others before it are dropped.
Event next_event(IdentitySource& source, Event::Kind kind) {
  const auto until = std::chrono::steady_clock::now() + kDeadline;
  while (std::chrono::steady_clock::now() < until) {
    for (Event& event : source.take_events()) {
      if (event.kind == kind) return std::move(event);
    }
    pollfd waiting{.fd = source.event_fd(), .events = POLLIN, .revents = 0};
    static_cast<void>(::poll(&waiting, 1, 1000));
  }
  FAIL("no such event before the deadline");
  return {};
}

std::string status_with(std::string_view from, std::string_view to) {
  return with(golden("status-client.json"), from, to);
}

/// The recorded status with another DNS name of this node.
std::string status_named(std::string_view name) {
  return status_with("lab-n1.tailnet-lab.ts.net.", fmt::format("{}.", name));
}

TEST_CASE("the first answers make a snapshot", "[server]") {
  Lab lab;
  const auto source = lab.source();
  const Event event = next_event(*source, Event::Kind::kReached);
  CHECK(event.text == fmt::format("tailscaled 1.102.5-lab at {} answers: this is nLab01CNTRL "
                                  "(lab-n1.tailnet-lab.ts.net), with 2 peers",
                                  lab.stub().socket()));
  const Snapshot snapshot = source->snapshot();
  CHECK(snapshot.read_boot_ns > 0);
  CHECK(snapshot.read_boot_ns <= base::now().boot_ns);
  const model::Tailnet& tailnet = snapshot.nodes->tailnet();
  CHECK(tailnet.source == model::Tailnet::Source::kTailscaled);
  CHECK(tailnet.self.id == "nLab01CNTRL");
  CHECK(tailnet.peers.size() == 2);
  CHECK(tailnet.prefs == model::RoutingPrefs{.accept_routes = true, .exit_node = true});
  CHECK(tailnet.uses_socket_mark);
  REQUIRE(lab.stub().wait_for("watch-ipn-bus", 1));
  CHECK(lab.stub().questions("watch-ipn-bus")[0].find("?mask=36870 ") != std::string::npos);
  const Status status = source->status();
  CHECK(status.reachable);
  CHECK(status.backend_state == "Running");
  CHECK(status.version == "1.102.5-lab");
  CHECK(status.failures == 0);
}

TEST_CASE("a peer is known behind endpoints that only whois tells, and without them by the one in use",
          "[server]") {
  Lab lab;
  lab.stub().reply("whois", {.body = R"({"Node":{"Endpoints":["[2001:db8:77::12]:41641"]}})"});
  const auto source = lab.source();
  static_cast<void>(next_event(*source, Event::Kind::kReached));
  const auto questions = lab.stub().questions("whois");
  REQUIRE(questions.size() == 2);
  CHECK(questions[0].find("?addr=100.64.0.") != std::string::npos);
  const Snapshot snapshot = source->snapshot();
  CHECK(snapshot.nodes->node_behind(endpoint("[2001:db8:77::12]:41641")));
  CHECK(snapshot.nodes->node_behind(endpoint("10.77.0.12:41641")));

  Lab without;  // 404
  const auto other = without.source();
  static_cast<void>(next_event(*other, Event::Kind::kReached));
  CHECK(other->snapshot().nodes->node_behind(endpoint("10.77.0.12:41641")));
  CHECK_FALSE(other->snapshot().nodes->node_behind(endpoint("[2001:db8:77::12]:41641")));
}

TEST_CASE("before the first answer the snapshot is empty, not null", "[server]") {
  Lab lab;
  lab.stub().reply("status", {.body = "{}", .held = true});
  const auto source = lab.source();
  const Snapshot snapshot = source->snapshot();
  REQUIRE(snapshot.nodes);
  CHECK(snapshot.nodes->tailnet().source == model::Tailnet::Source::kNone);
  CHECK(snapshot.read_boot_ns == 0);
  REQUIRE(lab.stub().wait_for("status", 1));  // and the source ends although an answer is under way
}

TEST_CASE("a message on the bus leads to a new read, one that changes nothing does not", "[server]") {
  Lab lab;
  const auto source = lab.source();
  next_event(*source, Event::Kind::kReached);
  REQUIRE(lab.stub().wait_for("watch-ipn-bus", 1));
  lab.stub().reply("status", {.body = status_named("renamed.example")});
  lab.stub().send_bus(R"({"Version":"1.102.5","PeerChangedPatch":[{"NodeID":3,"Online":true}]})");
  lab.stub().send_bus(R"({"Version":"1.102.5","SelfChange":{"ID":1}})");
  const Event event = next_event(*source, Event::Kind::kSelfChanged);
  CHECK(event.text == "this node is now nLab01CNTRL (renamed.example)");
  CHECK(source->snapshot().nodes->tailnet().self.name == "renamed.example");
  CHECK(source->status().bus_messages == 2);
  CHECK(source->status().bus_open);
  CHECK(lab.stub().questions("status").size() == 2);
  CHECK(lab.stub().questions("check-so-mark-in-use").size() == 1);
}

TEST_CASE("an old tailscaled gets the old mask, and so does one that refuses the new one", "[server]") {
  SECTION("old") {
    Lab lab;
    lab.stub().reply("status", {.body = status_with("1.102.5-lab", "1.96.2")});
    lab.stub().reply("check-so-mark-in-use", {.status = 404});
    const auto source = lab.source();
    REQUIRE(lab.stub().wait_for("watch-ipn-bus", 1));
    CHECK(lab.stub().questions("watch-ipn-bus")[0].find("?mask=262 ") != std::string::npos);
    CHECK(source->snapshot().nodes->tailnet().uses_socket_mark);
  }
  SECTION("refused") {
    Lab lab({.status = 400, .body = "invalid mask"});
    const auto source = lab.source();
    REQUIRE(lab.stub().wait_for("watch-ipn-bus", 2));
    CHECK(lab.stub().questions("watch-ipn-bus")[0].find("?mask=36870 ") != std::string::npos);
    CHECK(lab.stub().questions("watch-ipn-bus")[1].find("?mask=262 ") != std::string::npos);
    CHECK_FALSE(source->status().bus_open);
    CHECK(lab.stub().questions("status").size() == 1);
  }
}

TEST_CASE("without the socket mark it is said so", "[server]") {
  Lab lab;
  lab.stub().reply("check-so-mark-in-use", {.body = "{\"UseSOMark\":false}"});
  const auto source = lab.source();
  next_event(*source, Event::Kind::kReached);
  CHECK_FALSE(source->snapshot().nodes->tailnet().uses_socket_mark);
}

TEST_CASE("an answer that cannot be read is said once, and the old nodes serve on", "[server]") {
  struct Case {
    const char* what;
    StubReply reply;
    std::string text;
  };
  const Case row = GENERATE(
      Case{"refused",
           {.status = 403, .body = "access denied"},
           "tailscaled answered with status 403: access denied"},
      Case{"malformed", {.body = "{\"BackendState\":"}, "no valid JSON"},
      Case{"without an essential", {.body = "{\"BackendState\":\"Running\"}"}, "has no Self"},
      Case{"cut off", {.body = "{\"BackendState\":\"Running\"}", .cut_after = 5}, "broke off its answer"},
      Case{"too large", {.body = std::string(60'000, ' '), .times = 2}, "longer than 100000 bytes"},
      Case{"too slow", {.body = "{}", .held = true}, "did not finish its answer within 100 ms"});
  INFO(row.what);
  Lab lab;
  TailscaledOptions options = lab.options();
  options.answer_bytes_max = 100'000;
  options.answer_timeout = 100ms;
  const auto source = Lab::source(options);
  next_event(*source, Event::Kind::kReached);
  const Snapshot before = source->snapshot();
  lab.stub().reply("status", row.reply);
  CHECK_FALSE(source->refresh(kDeadline));
  const Event event = next_event(*source, Event::Kind::kBadAnswer);
  INFO(event.text);
  CHECK(event.text.find(row.text) != std::string::npos);
  CHECK(event.text.find(" s ago go on serving") != std::string::npos);
  CHECK_FALSE(source->refresh(kDeadline));
  CHECK(source->take_events().empty());
  CHECK(source->snapshot().nodes == before.nodes);
  CHECK(source->snapshot().read_boot_ns == before.read_boot_ns);
  CHECK(source->status().reachable);
  CHECK(source->status().failures >= 2);
  CHECK(source->status().last_error.find(row.text) != std::string::npos);

  lab.stub().reply("status", {.body = golden("status-client.json")});
  CHECK(source->refresh(kDeadline));
  next_event(*source, Event::Kind::kReached);
  CHECK(source->snapshot().nodes == before.nodes);
  CHECK(source->snapshot().read_boot_ns > before.read_boot_ns);
}

TEST_CASE("tailscaled that is away at the start is found when it comes", "[server]") {
  Lab lab;
  lab.stub().disappear();
  const auto source = lab.source();
  const Event lost = next_event(*source, Event::Kind::kLost);
  CHECK(lost.text.find(
            "No such file or directory. Start tailscaled, or give the path of its socket. No node") !=
        std::string::npos);
  CHECK_FALSE(source->status().reachable);
  lab.stub().appear();
  next_event(*source, Event::Kind::kReached);
  CHECK(source->snapshot().nodes->size() == 3);
}

TEST_CASE("tailscaled that ends and comes back is seen both times, without being asked", "[server]") {
  Lab lab;
  const auto source = lab.source();
  next_event(*source, Event::Kind::kReached);
  const Snapshot before = source->snapshot();
  REQUIRE(lab.stub().wait_for("watch-ipn-bus", 1));
  lab.stub().disappear();  // which ends the bus
  next_event(*source, Event::Kind::kLost);
  CHECK(source->snapshot().nodes == before.nodes);
  CHECK_FALSE(source->status().reachable);
  CHECK_FALSE(source->status().bus_open);
  lab.stub().reply("status", {.body = status_named("upgraded.example")});
  lab.stub().appear();
  next_event(*source, Event::Kind::kReached);
  CHECK(source->snapshot().nodes->tailnet().self.name == "upgraded.example");
  REQUIRE(lab.stub().wait_for("watch-ipn-bus", 2));
  CHECK(lab.stub().questions("check-so-mark-in-use").size() == 2);
}

TEST_CASE("a node that is taken down keeps its last nodes", "[server]") {
  Lab lab;
  const auto source = lab.source();
  next_event(*source, Event::Kind::kReached);
  const Snapshot before = source->snapshot();
  lab.stub().reply("status",
                   {.body = status_with("\"BackendState\": \"Running\"", "\"BackendState\": \"Stopped\"")});
  CHECK_FALSE(source->refresh(kDeadline));
  CHECK(next_event(*source, Event::Kind::kLost).text ==
        "tailscaled is not running as a node: its state is Stopped. The nodes of 0 s ago go on serving");
  CHECK(source->snapshot().nodes == before.nodes);
  CHECK(source->snapshot().read_boot_ns == before.read_boot_ns);
  CHECK(source->status().reachable);
  CHECK(source->status().backend_state == "Stopped");
  CHECK(source->status().failures == 0);
  lab.stub().reply("status", {.body = golden("status-client.json")});
  CHECK(source->refresh(kDeadline));
  next_event(*source, Event::Kind::kReached);
}

TEST_CASE("a node that was never up is nobody, one that starts is known by what it was", "[server]") {
  Lab lab;
  lab.stub().reply("status", {.body = R"({"BackendState":"NeedsLogin","Self":{"ID":""},"Peer":null})"});
  const auto source = lab.source();
  CHECK(next_event(*source, Event::Kind::kLost).text ==
        "tailscaled is not running as a node: its state is NeedsLogin. No node is known yet");
  CHECK(source->snapshot().nodes->tailnet().source == model::Tailnet::Source::kNone);
  lab.stub().reply("status",
                   {.body = status_with("\"BackendState\": \"Running\"", "\"BackendState\": \"Starting\"")});
  CHECK(source->refresh(kDeadline));
  CHECK(source->snapshot().nodes->tailnet().self.id == "nLab01CNTRL");
}

TEST_CASE("preferences that cannot be read do not keep the nodes back", "[server]") {
  Lab lab;
  lab.stub().reply("prefs", {.status = 403, .body = "no"});
  const auto source = lab.source();
  CHECK(
      next_event(*source, Event::Kind::kBadAnswer).text.ends_with("Traffic is classified by address ranges"));
  CHECK(source->snapshot().nodes->tailnet().self.id == "nLab01CNTRL");
  CHECK_FALSE(source->snapshot().nodes->tailnet().prefs);
  lab.stub().reply("prefs", {.body = golden("prefs-router.json")});
  CHECK(source->refresh(kDeadline));
  next_event(*source, Event::Kind::kReached);
  lab.stub().reply("prefs", {.body = "["});
  CHECK(source->refresh(kDeadline));
  CHECK(next_event(*source, Event::Kind::kBadAnswer).text.ends_with("The last known preferences hold"));
  REQUIRE(source->snapshot().nodes->tailnet().prefs);
  CHECK(source->snapshot().nodes->tailnet().prefs->advertised_routes.size() == 2);
}

TEST_CASE("refresh() waits for an answer to a question of after the call", "[server]") {
  Lab lab;
  lab.stub().reply("status", {.body = golden("status-client.json"), .held = true});
  const auto source = lab.source();
  REQUIRE(lab.stub().wait_for("status", 1));
  const std::int64_t called_ns = base::now().boot_ns;
  auto refreshed = std::async(std::launch::async, [&] { return source->refresh(kDeadline); });
  while (source->status().forced_refreshes == 0) std::this_thread::yield();
  lab.stub().release();
  CHECK(refreshed.get());
  CHECK(lab.stub().questions("status").size() == 2);
  CHECK(source->snapshot().read_boot_ns >= called_ns);
  CHECK(source->status().forced_refreshes == 1);
}

TEST_CASE("refresh() is limited in its rate, and does not wait in vain", "[server]") {
  Lab lab;
  TailscaledOptions options = lab.options();
  options.forced_gap_min = 1h;
  const auto source = Lab::source(options);
  next_event(*source, Event::Kind::kReached);
  CHECK(source->refresh(kDeadline));
  const std::size_t asked = lab.stub().questions("status").size();
  CHECK_FALSE(source->refresh(kDeadline));
  CHECK_FALSE(source->refresh(kDeadline));
  CHECK(lab.stub().questions("status").size() == asked);
  CHECK(source->status().forced_refreshes == 3);
}

TEST_CASE("refresh() gives up with its time, or when tailscaled is away", "[server]") {
  Lab lab;
  const auto source = lab.source();
  next_event(*source, Event::Kind::kReached);
  lab.stub().reply("status", {.body = golden("status-client.json"), .held = true});
  CHECK_FALSE(source->refresh(20ms));
  lab.stub().disappear();
  CHECK_FALSE(source->refresh(1h));
}

TEST_CASE("answers that are the same keep the same nodes, and their age starts anew", "[server]") {
  Lab lab;
  const auto source = lab.source();
  next_event(*source, Event::Kind::kReached);
  const Snapshot first = source->snapshot();
  CHECK(source->refresh(kDeadline));
  const Snapshot second = source->snapshot();
  CHECK(first.nodes == second.nodes);
  CHECK(first.read_boot_ns < second.read_boot_ns);
  CHECK(source->take_events().empty());
}

TEST_CASE("an endpoint is a peer's after its path has ended", "[server]") {
  Lab lab;
  const auto source = lab.source();
  next_event(*source, Event::Kind::kReached);
  lab.stub().reply("status", {.body = status_with("\"CurAddr\": \"10.77.0.12:41641\"", "\"CurAddr\": \"\"")});
  CHECK(source->refresh(kDeadline));
  const Snapshot snapshot = source->snapshot();
  const model::Node& peer = snapshot.nodes->tailnet().peers.at(0);
  CHECK(peer.id == "nLab02CNTRL");
  CHECK(peer.endpoints == std::vector{endpoint("10.77.0.12:41641")});
  CHECK(source->status().remembered_endpoints == 2);
}

TEST_CASE("ten thousand peers are read", "[server]") {
  std::string peers;
  for (int at = 0; at < 10'000; ++at) {
    const std::string ip = fmt::format("100.{}.{}.{}", 80 + at / 65536, at / 256 % 256, at % 256);
    peers +=
        fmt::format(R"({}"nodekey:{:064x}":{{"ID":"nPeer{}","DNSName":"p{}.tailnet.ts.net.","OS":"linux",)"
                    R"("UserID":123,"TailscaleIPs":["{}"],"AllowedIPs":["{}/32"],"Addrs":null,)"
                    R"("CurAddr":"192.0.2.{}:{}","Relay":"lab","Online":true,"Padding":"{}"}})",
                    at == 0 ? "" : ",", at, at, at, ip, ip, at % 256, 1024 + at, std::string(1200, 'x'));
  }
  Lab lab;
  lab.stub().reply(
      "status", {.body = fmt::format(R"({{"BackendState":"Running","Version":"1.102.5",)"
                                     R"("Self":{{"ID":"n1","TailscaleIPs":["100.64.0.1"]}},"Peer":{{{}}}}})",
                                     peers)});
  TailscaledOptions options = lab.options();
  options.answer_timeout = kDeadline;
  const auto source = Lab::source(options);
  CHECK(next_event(*source, Event::Kind::kReached).text.ends_with("with 10000 peers"));
  CHECK(source->snapshot().nodes->size() == 10'001);
  CHECK(source->status().remembered_endpoints == 10'000);
}

TEST_CASE("a source that takes its events later has the newest of them", "[server]") {
  Lab lab;
  const auto source = lab.source();
  next_event(*source, Event::Kind::kReached);
  for (std::size_t at = 0; at < kEventsMax + 10; ++at) {
    lab.stub().reply("status", {.body = status_named(fmt::format("n{}.example", at))});
    REQUIRE(source->refresh(kDeadline));
  }
  CHECK(source->status().events_lost == 10);
  const auto events = source->take_events();
  REQUIRE(events.size() == kEventsMax);
  CHECK(events.back().text.find(fmt::format("n{}.example", kEventsMax + 9)) != std::string::npos);
  CHECK(source->take_events().empty());
}

TEST_CASE("many threads may ask at once", "[server]") {
  Lab lab({.body = "{\"State\":6}\n"});
  const auto source = lab.source();
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&] {
      for (int at = 0; at < 20; ++at) {
        source->refresh(5ms);
        static_cast<void>(source->snapshot().nodes->size());
        static_cast<void>(source->status().reads);
        static_cast<void>(source->take_events());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(source->refresh(kDeadline));
}

TEST_CASE("nobody, and a file, never change", "[server]") {
  const auto nobody = no_identity();
  CHECK(nobody->snapshot().nodes->tailnet().source == model::Tailnet::Source::kNone);
  CHECK(nobody->snapshot().read_boot_ns == 0);
  CHECK_FALSE(nobody->refresh(kDeadline));
  CHECK(nobody->event_fd() == -1);
  CHECK(nobody->take_events().empty());
  CHECK(identity_of_file("/nowhere/who.yaml").error().code() == base::ErrorCode::kNotFound);
  CHECK(identity_of_tailscaled({.socket = std::string(200, 'x')}).error().code() ==
        base::ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace flowtally::identity
