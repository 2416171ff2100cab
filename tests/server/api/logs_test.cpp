// Goal: a listing of any size is whole, costs no memory, and is seen to be cut where it is. Method: the API
// in a process of its own over a journal of some 200 MB; its memory as the kernel tells it.
#include <atomic>
#include <string>
#include <thread>
#include <vector>

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

constexpr std::string_view kAll = "?start=2026-11-23T00:00:00Z&end=2027-11-23T00:00:00Z";

std::string logs(std::string_view range = kAll) {
  return "/api/v2/tailnet/-/logging/network" + std::string(range);
}

}  // namespace

TEST_CASE("a listing of 200 MB costs a few MB of memory, and four at once no more than each a few",
          "[server]") {
  const TempDir folder;
  const std::string path = folder.path.string() + "/s.sock";
  const ApiProcess process({folder.path.string(), path, "1800", "1000"});
  // Filling the journal is no part of it; one short answer is, so that what is made once is made.
  REQUIRE(ask({.socket = path, .target = "/healthz"}).status == 200);
  const std::uint64_t before = process.status_number("VmRSS");

  const Response one = ask({.socket = path, .target = logs(), .keep_body = false});
  CHECK(one.whole);
  CHECK(one.bytes > 190'000'000);
  std::vector<std::thread> clients;
  std::atomic<int> whole = 0;
  for (int client = 0; client < 4; ++client) {
    clients.emplace_back([&] {
      const Response response = ask({.socket = path, .target = logs(), .keep_body = false});
      if (response.whole && response.bytes == one.bytes) ++whole;
    });
  }
  for (std::thread& client : clients) client.join();
  CHECK(whole == 4);
  const std::uint64_t after = process.status_number("VmHWM");
  INFO("before " << before << " KiB, at most " << after << " KiB");
  CHECK((kSanitized || after < before + 40'000));
}

TEST_CASE("a client that leaves in the middle leaves nothing behind", "[server]") {
  const TempDir folder;
  FakeSource source(folder.path.string());
  source.append(300, 1000);
  const std::string path = folder.path.string() + "/s.sock";
  const auto server = api::Server::start(
      {.socket_path = path, .limits = {.log_readers = 1, .slot_wait = std::chrono::seconds(20)}}, source);
  REQUIRE(server.has_value());
  for (int client = 0; client < 3; ++client) {
    RawClient raw(path);
    raw.send("GET " + logs() + " HTTP/1.1\r\nHost: x\r\n\r\n");
    CHECK(raw.read_until("\"virtualTraffic\""));
  }
  // There is only one place: it is free again.
  const Response response = ask({.socket = path, .target = logs(), .keep_body = false});
  CHECK(response.status == 200);
  CHECK(response.whole);
}

TEST_CASE("a listing that cannot be read to its end is seen to be cut", "[server]") {
  const TempDir folder;
  FakeSource source(folder.path.string());
  source.append(50, 1000);
  const std::string path = folder.path.string() + "/s.sock";
  auto server = api::Server::start({.socket_path = path}, source);
  REQUIRE(server.has_value());
  RawClient raw(path);
  raw.send("GET " + logs() + " HTTP/1.1\r\nHost: x\r\n\r\n");
  CHECK(raw.read_until("\"virtualTraffic\""));
  (*server)->stop();
  raw.wait_for_end();
  // The last chunk, which says that the answer is whole, is not there.
  CHECK_FALSE(raw.text().ends_with("0\r\n\r\n"));
}

TEST_CASE("one connection serves many requests, and HEAD has the head only", "[server]") {
  const TempDir folder;
  FakeSource source(folder.path.string());
  source.append(2, 1);
  const std::string path = folder.path.string() + "/s.sock";
  const auto server = api::Server::start({.socket_path = path}, source);
  REQUIRE(server.has_value());
  RawClient raw(path);
  for (int request = 0; request < 20; ++request) {
    raw.send("GET " + logs() + " HTTP/1.1\r\nHost: x\r\n\r\n");
    REQUIRE(raw.read_until("]}\n\r\n0\r\n\r\n"));
  }
  raw.send("HEAD " + logs() +
           " HTTP/1.1\r\nHost: x\r\n\r\nGET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  raw.wait_for_end();
  CHECK_THAT(raw.text(), ContainsSubstring("{\"message\":\"ok\"}"));
  const Response head = ask({.socket = path, .target = logs(), .head = true});
  CHECK(head.status == 200);
  CHECK(head.bytes == 0);
  CHECK(ask({.socket = path, .target = logs("?start=x"), .head = true}).status == 400);
}

}  // namespace flowtally::test
