#include "identity/endpoint_memory.hpp"

#include <fmt/format.h>

#include "support/catch.hpp"
#include "unit/identity/golden.hpp"

namespace flowtally::identity {
namespace {

ActivePath path(std::string_view where, std::string node) {
  return {.endpoint = endpoint(where), .node_id = std::move(node)};
}

model::Tailnet tailnet_of(std::initializer_list<const char*> ids) {
  model::Tailnet tailnet;
  for (const char* const id : ids) tailnet.peers.push_back({.id = id});
  return tailnet;
}

/// The endpoints of the first peer, after what is remembered was applied.
std::vector<model::Endpoint> endpoints_of(const EndpointMemory& memory, const char* id) {
  model::Tailnet tailnet = tailnet_of({id});
  memory.apply(tailnet);
  return tailnet.peers[0].endpoints;
}

TEST_CASE("an endpoint that is no longer in use is still its owner's", "[unit]") {
  EndpointMemory memory;
  memory.learn(std::vector{path("192.0.2.1:1", "n1"), path("[2001:db8::1]:2", "n2")}, 1);
  memory.learn({}, 2);
  CHECK(endpoints_of(memory, "n1") == std::vector{endpoint("192.0.2.1:1")});
  CHECK(endpoints_of(memory, "n2") == std::vector{endpoint("[2001:db8::1]:2")});
  CHECK(endpoints_of(memory, "n3").empty());
}

TEST_CASE("what is remembered comes after what is known, newest first, each once", "[unit]") {
  EndpointMemory memory;
  memory.learn(std::vector{path("192.0.2.1:1", "n1")}, 1);
  memory.learn(std::vector{path("192.0.2.2:2", "n1")}, 2);
  memory.learn(std::vector{path("192.0.2.3:3", "n1")}, 3);
  model::Tailnet tailnet = tailnet_of({"n1"});
  tailnet.peers[0].endpoints = {endpoint("192.0.2.2:2")};
  memory.apply(tailnet);
  CHECK(tailnet.peers[0].endpoints ==
        std::vector{endpoint("192.0.2.2:2"), endpoint("192.0.2.3:3"), endpoint("192.0.2.1:1")});
}

TEST_CASE("the newest owner has an endpoint", "[unit]") {
  EndpointMemory memory;
  memory.learn(std::vector{path("192.0.2.1:1", "n1")}, 1);
  memory.learn(std::vector{path("192.0.2.1:1", "n2")}, 2);
  CHECK(endpoints_of(memory, "n1").empty());
  CHECK(endpoints_of(memory, "n2").size() == 1);
  CHECK(memory.size() == 1);
}

TEST_CASE("an endpoint is forgotten a day after it was last seen", "[unit]") {
  EndpointMemory memory;
  memory.learn(std::vector{path("192.0.2.1:1", "n1"), path("192.0.2.2:2", "n1")}, 0);
  memory.learn(std::vector{path("192.0.2.2:2", "n1")}, 1);
  memory.learn({}, kForgetAfterNs);
  CHECK(memory.size() == 2);
  memory.learn({}, kForgetAfterNs + 1);
  CHECK(endpoints_of(memory, "n1") == std::vector{endpoint("192.0.2.2:2")});
}

TEST_CASE("a full memory forgets what was seen longest ago", "[unit]") {
  EndpointMemory memory(3);
  for (int at = 1; at <= 5; ++at) memory.learn(std::vector{path(fmt::format("192.0.2.1:{}", at), "n1")}, at);
  CHECK(memory.size() == 3);
  CHECK(endpoints_of(memory, "n1") ==
        std::vector{endpoint("192.0.2.1:5"), endpoint("192.0.2.1:4"), endpoint("192.0.2.1:3")});
  std::vector<ActivePath> many;
  for (int at = 1; at <= 10; ++at) many.push_back(path(fmt::format("192.0.2.2:{}", at), "n1"));
  memory.learn(many, 6);
  CHECK(memory.size() == 3);
}

TEST_CASE("a node gets its newest endpoints only", "[unit]") {
  EndpointMemory memory;
  for (int at = 1; at <= 40; ++at) memory.learn(std::vector{path(fmt::format("192.0.2.1:{}", at), "n1")}, at);
  const auto endpoints = endpoints_of(memory, "n1");
  CHECK(endpoints.size() == kRememberedPerNodeMax);
  CHECK(endpoints.front() == endpoint("192.0.2.1:40"));
}

TEST_CASE("a node that comes back has its endpoints", "[unit]") {
  EndpointMemory memory;
  memory.learn(std::vector{path("192.0.2.1:1", "n1")}, 1);
  model::Tailnet without = tailnet_of({"n2"});
  memory.apply(without);
  CHECK(without.peers[0].endpoints.empty());
  CHECK(endpoints_of(memory, "n1").size() == 1);
}

}  // namespace
}  // namespace flowtally::identity
