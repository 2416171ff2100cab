// Goal: no client can take what others need: connections, memory, time, places. Method: a server with small
// limits, and clients that behave badly on purpose.
#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include <poll.h>

#include "api/server.hpp"
#include "server/api/client.hpp"
#include "server/api/fake_source.hpp"
#include "server/api/sanitized.hpp"
#include "support/catch.hpp"
#include "support/temp_dir.hpp"
#include "support/wait_until.hpp"

namespace flowtally::test {
namespace {

using Catch::Matchers::ContainsSubstring;
using std::chrono::milliseconds;

constexpr const char* kLogs =
    "/api/v2/tailnet/-/logging/network?start=2026-11-23T00:00:00Z&end=2027-11-23T00:00:00Z";

constexpr const char* kQuery =
    "/api/v1/query?format=ndjson&start=2026-11-23T00:00:00Z&end=2027-11-23T00:00:00Z";

struct Rig {
  TempDir folder;
  FakeSource source{folder.path.string()};
  std::string path = folder.path.string() + "/s.sock";
  std::unique_ptr<api::Server> server{};

  explicit Rig(api::Limits limits, std::size_t records = 10, std::size_t flows = 10) {
    source.append(records, flows);
    auto started = api::Server::start({.socket_path = path, .limits = limits}, source);
    REQUIRE(started.has_value());
    server = std::move(*started);
  }

  /// The number behind a metric's name and labels.
  [[nodiscard]] std::string metric(const std::string& name) const {
    const std::string page = ask({.socket = path, .target = "/metrics"}).body;
    const std::size_t at = page.find("\n" + name + " ");
    if (at == std::string::npos) return {};
    const std::size_t begin = at + name.size() + 2;
    return page.substr(begin, page.find('\n', begin) - begin);
  }
};

std::string get(const std::string& target) { return "GET " + target + " HTTP/1.1\r\nHost: x\r\n\r\n"; }

}  // namespace

TEST_CASE("200 clients at once are all answered, with a small memory for each", "[server]") {
  constexpr std::size_t kClients = 200;
  const TempDir folder;
  const std::string path = folder.path.string() + "/s.sock";
  const ApiProcess process({folder.path.string(), path, "100", "100"});
  REQUIRE(ask({.socket = path, .target = kLogs}).whole);
  const std::uint64_t before = process.status_number("VmRSS");
  // All are connected before any asks.
  std::vector<std::unique_ptr<RawClient>> clients;
  clients.reserve(kClients);
  for (std::size_t client = 0; client < kClients; ++client)
    clients.push_back(std::make_unique<RawClient>(path));
  wait_until([&] { return process.status_number("Threads") >= kClients; });
  std::atomic<std::size_t> whole = 0;
  std::vector<std::thread> readers;
  readers.reserve(kClients);
  for (const auto& client : clients) {
    readers.emplace_back([&client = *client, &whole] {
      client.send(get(kLogs));
      if (client.read_until("]}\n\r\n0\r\n\r\n", std::chrono::seconds(60))) ++whole;
    });
  }
  for (std::thread& reader : readers) reader.join();
  CHECK(whole == kClients);
  const std::uint64_t after = process.status_number("VmHWM");
  INFO("before " << before << " KiB, at most " << after << " KiB");
  CHECK((kSanitized || after < before + kClients * 150));
  clients.clear();
  wait_until([&] { return process.status_number("Threads") < 10; });
}

TEST_CASE("readers that take nothing are cut off, cost little, and keep nobody waiting", "[server]") {
  const Rig rig({.stall_time = milliseconds(300)}, 300, 1000);
  std::vector<std::unique_ptr<RawClient>> slow;
  for (unsigned client = 0; client < api::kLogReadersMax; ++client) {
    slow.push_back(std::make_unique<RawClient>(rig.path));
    slow.back()->send(get(kLogs));
  }
  // All places among the readers are taken, until the slow ones lose theirs.
  const Response response = ask({.socket = rig.path, .target = kLogs, .keep_body = false});
  CHECK(response.status == 200);
  CHECK(response.whole);
  for (const auto& client : slow) client->wait_for_hang_up();
  CHECK(rig.metric("flowtally_api_refusals_total{reason=\"stall\"}") == std::to_string(api::kLogReadersMax));
}

TEST_CASE("a reader that is slow but takes its time well is served to the end", "[server]") {
  Rig rig({.stall_time = milliseconds(2000)}, 30, 1000);
  RawClient raw(rig.path);
  raw.send(get(kLogs));
  REQUIRE(raw.read_until("\"nodeId\""));
  wait_until([&] { return rig.metric("flowtally_api_connections") == "2"; });
  CHECK(raw.read_until("]}\n\r\n0\r\n\r\n"));
}

TEST_CASE("a request that does not come is cut: none, half of one, byte by byte", "[server]") {
  const Rig rig({.request_time = milliseconds(300)});
  RawClient silent(rig.path);
  RawClient half(rig.path);
  half.send("GET /metr");
  RawClient headers(rig.path);
  headers.send("GET /metrics HTTP/1.1\r\nHost: x\r\nX-A: ");
  std::atomic<bool> cut = false;
  RawClient drip(rig.path);
  std::thread dripping([&] {
    // Each byte would be a sign of life if the whole request had no time of its own.
    for (pollfd pause{.fd = -1, .events = 0, .revents = 0}; !cut; ::poll(&pause, 1, 10)) drip.send("G");
  });
  silent.wait_for_end();
  half.wait_for_end();
  headers.wait_for_end();
  drip.wait_for_hang_up();
  cut = true;
  dripping.join();
  CHECK(rig.metric("flowtally_api_refusals_total{reason=\"request_time\"}") == "4");
}

TEST_CASE("a connection that is kept is cut when no next request comes", "[server]") {
  const Rig rig({.request_time = milliseconds(300)});
  RawClient raw(rig.path);
  raw.send(get("/healthz"));
  REQUIRE(raw.read_until("ok"));
  raw.wait_for_end();
  CHECK(raw.text().starts_with("HTTP/1.1 200"));
}

TEST_CASE("an address, headers or a body that is too large is refused by its status", "[server]") {
  const Rig rig({});
  CHECK(ask({.socket = rig.path, .target = "/" + std::string(20'000, 'a')}).status == 414);
  std::string many = "/metrics?";
  for (int at = 0; at < 40; ++at) many += "a=b&";
  CHECK(ask({.socket = rig.path, .target = many}).status == 414);
  CHECK(ask({.socket = rig.path, .target = "/metrics", .headers = {"X-A: " + std::string(40'000, 'a')}})
            .status == 431);
  // Beyond a connection's memory the HTTP library refuses by itself.
  for (const std::size_t bytes : {100'000U, 10'000'000U}) {
    RawClient raw(rig.path);
    raw.send("GET /metrics HTTP/1.1\r\nHost: x\r\nX-A: " + std::string(bytes, 'a'));
    raw.wait_for_end();
    CHECK((raw.text().empty() || raw.text().starts_with("HTTP/1.1 4")));
  }
  RawClient body(rig.path);
  body.send("GET /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000000\r\n\r\nabc");
  body.wait_for_end();
  CHECK_THAT(body.text(), ContainsSubstring("HTTP/1.1 413") && ContainsSubstring("{\"message\":"));
  RawClient chunked(rig.path);
  chunked.send("GET /metrics HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffff\r\n");
  chunked.wait_for_end();
  CHECK_THAT(chunked.text(), ContainsSubstring("HTTP/1.1 413"));
  CHECK(ask({.socket = rig.path, .target = "/healthz"}).status == 200);
}

TEST_CASE("what is no HTTP is refused, and harms nobody", "[server]") {
  const Rig rig({.request_time = milliseconds(500)});
  for (const std::string& text :
       {std::string("\r\n\r\n\r\n"), std::string("nonsense\r\n\r\n"), std::string("GET\r\n\r\n"),
        std::string("GET /metrics\r\n\r\n"), std::string("GET /metrics HTTP/9.9\r\n\r\n"),
        std::string(1000, '\0'), std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11),
        std::string("GET /metrics HTTP/1.1\r\n: x\r\n\r\n"),
        std::string("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")}) {
    RawClient raw(rig.path);
    raw.send(text);
    raw.wait_for_end();
  }
  CHECK(ask({.socket = rig.path, .target = "/healthz"}).status == 200);
}

TEST_CASE("one user cannot take every connection", "[server]") {
  Rig rig({.connections = 8, .connections_per_user = 4});
  std::vector<std::unique_ptr<RawClient>> kept;
  for (int client = 0; client < 4; ++client) {
    kept.push_back(std::make_unique<RawClient>(rig.path));
    kept.back()->send(get("/healthz"));
    REQUIRE(kept.back()->read_until("ok"));
  }
  const Response refused = ask({.socket = rig.path, .target = "/healthz"});
  CHECK(refused.status == 503);
  CHECK_THAT(refused.headers, ContainsSubstring("Retry-After: 5"));
  kept.pop_back();
  wait_until([&] { return ask({.socket = rig.path, .target = "/healthz"}).status == 200; });
}

TEST_CASE("who comes when all places are taken waits a while, then is told to come again", "[server]") {
  const Rig rig({.log_readers = 1, .slot_wait = milliseconds(50)}, 300, 1000);
  RawClient first(rig.path);
  first.send(get(kLogs));
  REQUIRE(first.read_until("\"nodeId\""));
  const Response second = ask({.socket = rig.path, .target = kLogs});
  CHECK(second.status == 503);
  CHECK_THAT(second.headers, ContainsSubstring("Retry-After: 5"));
  CHECK(ask({.socket = rig.path, .target = "/api/v1/status"}).status == 200);
  CHECK(rig.metric("flowtally_api_refusals_total{reason=\"busy\"}") == "1");
}

TEST_CASE("a query whose client leaves is stopped, and its place is free", "[server]") {
  const Rig rig({.queries = 1, .slot_wait = std::chrono::seconds(20)}, 300, 1000);
  for (int client = 0; client < 3; ++client) {
    RawClient raw(rig.path);
    raw.send(get(kQuery));
    REQUIRE(raw.read_until("\"txPkts\""));
  }
  const Response response = ask({.socket = rig.path, .target = std::string(kQuery) + "&group_by=proto"});
  CHECK(response.whole);
  CHECK_THAT(response.body, ContainsSubstring("\"flows\":300000,"));
}

TEST_CASE("the server stops at once, whatever its clients are about", "[server]") {
  Rig rig({.log_readers = 1}, 300, 1000);
  RawClient silent(rig.path);
  RawClient half(rig.path);
  half.send("GET /");
  RawClient stalled(rig.path);
  stalled.send(get(kLogs));
  REQUIRE(stalled.read_until("\"nodeId\""));
  RawClient waiting(rig.path);  // for the place that the stalled one has
  waiting.send(get(kLogs));
  RawClient asking(rig.path);  // a query whose rows nobody takes
  asking.send(get(kQuery));
  REQUIRE(asking.read_until("\"txPkts\""));
  RawClient follower(rig.path);
  follower.send(get("/api/v1/flows/live?follow=1"));
  REQUIRE(follower.read_until("retry:"));
  const auto begin = std::chrono::steady_clock::now();
  rig.server->stop();
  CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(3));
  silent.wait_for_end();
  half.wait_for_end();
  stalled.wait_for_end();
  waiting.wait_for_end();
  asking.wait_for_end();
  follower.wait_for_end();
}

}  // namespace flowtally::test
