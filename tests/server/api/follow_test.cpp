// Goal: a follower gets each record once, at once, and goes on where it was cut off.
#include <string>

#include "api/server.hpp"
#include "server/api/client.hpp"
#include "server/api/fake_source.hpp"
#include "support/catch.hpp"
#include "support/temp_dir.hpp"
#include "support/wait_until.hpp"

namespace flowtally::test {
namespace {

using Catch::Matchers::ContainsSubstring;
using std::chrono::milliseconds;

struct Rig {
  TempDir folder;
  FakeSource source{folder.path.string()};
  std::string path = folder.path.string() + "/s.sock";
  std::unique_ptr<api::Server> server{};

  explicit Rig(api::Limits limits = {}) {
    source.append(5, 1);
    auto started = api::Server::start({.socket_path = path, .limits = limits}, source);
    REQUIRE(started.has_value());
    server = std::move(*started);
  }
};

std::string follow(const std::string& more = {}) {
  return "GET /api/v1/flows/live HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n" + more + "\r\n";
}

}  // namespace

TEST_CASE("a follower gets new records as they are appended, with their numbers", "[server]") {
  Rig rig;
  RawClient raw(rig.path);
  raw.send(follow());
  REQUIRE(raw.read_until("retry: 3000\n\n"));
  CHECK_THAT(raw.text(), ContainsSubstring("Content-Type: text/event-stream"));
  for (int record = 6; record < 9; ++record) {
    rig.source.append(1, 2);
    CHECK(raw.read_until("id: " + std::to_string(record) + "\ndata: {\"logged\":\""));
    CHECK(raw.read_until("}\n\n"));
  }
  CHECK(raw.text().find("id: 5\n") == std::string::npos);
}

TEST_CASE("a follower that was cut off goes on behind the last record it had", "[server]") {
  Rig rig;
  RawClient raw(rig.path);
  raw.send(follow("Last-Event-ID: 2\r\n"));
  REQUIRE(raw.read_until("id: 5\ndata: "));
  CHECK(raw.text().find("id: 2\n") == std::string::npos);
  const std::size_t third = raw.text().find("id: 3\n");
  const std::size_t fourth = raw.text().find("id: 4\n");
  CHECK(third < fourth);
  CHECK(fourth < raw.text().find("id: 5\n"));
}

TEST_CASE("a follower hears a comment now and then while there is nothing else", "[server]") {
  const Rig rig({.keep_alive = milliseconds(50)});
  RawClient raw(rig.path);
  raw.send(follow());
  CHECK(raw.read_until("\n:\n\n"));
}

TEST_CASE("followers are few, and one that leaves makes room", "[server]") {
  const Rig rig({.followers = 1});
  {
    RawClient raw(rig.path);
    raw.send(follow());
    REQUIRE(raw.read_until("retry:"));
    CHECK(ask({.socket = rig.path, .target = "/api/v1/flows/live?follow=1"}).status == 503);
  }
  wait_until([&] {
    RawClient raw(rig.path);
    raw.send(follow());
    return raw.read_until("\r\n\r\n") && raw.text().starts_with("HTTP/1.1 200");
  });
}

}  // namespace flowtally::test
