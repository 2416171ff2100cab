#include "identity/peer_endpoints.hpp"

#include <string>
#include <utility>
#include <vector>

#include "model/address_text.hpp"
#include "support/catch.hpp"
#include "unit/identity/golden.hpp"

namespace flowtally::identity {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;

model::Node peer(std::string id, std::string_view address, bool online) {
  model::Node node{.id = std::move(id)};
  node.addresses = {model::parse_address(address).value()};
  node.online = online;
  return node;
}

std::vector<std::string> names(const std::vector<PeerEndpoints::Question>& questions) {
  std::vector<std::string> texts;
  for (const auto& question : questions) texts.push_back(question.name);
  return texts;
}

TEST_CASE("whois tells the endpoints of a node, what is none is passed over", "[unit]") {
  const auto told =
      parse_whois_endpoints(R"({"Node":{"StableID":"n2",)"
                            R"("Endpoints":["10.77.0.12:41641",7,"nonsense","[2001:db8:77::12]:41641"]}})");
  REQUIRE(told);
  CHECK(*told == std::vector{endpoint("10.77.0.12:41641"), endpoint("[2001:db8:77::12]:41641")});
  for (const char* text : {R"({})", R"({"Node":null})", R"({"Node":{}})", R"({"Node":{"Endpoints":null}})",
                           R"({"Node":{"Endpoints":"x"}})", R"([])", R"(1)"}) {
    INFO(text);
    const auto nothing = parse_whois_endpoints(text);
    REQUIRE(nothing);
    CHECK(nothing->empty());
  }
  CHECK_FALSE(parse_whois_endpoints(""));
  CHECK_FALSE(parse_whois_endpoints(R"({"Node":{"Endpoints":[)"));
  std::string many = R"({"Node":{"Endpoints":[)";
  for (int port = 1; port < 500; ++port)
    many += (port > 1 ? ",\"1.2.3.4:" : "\"1.2.3.4:") + std::to_string(port) + '"';
  CHECK(parse_whois_endpoints(many + "]}}")->size() == kNodeEndpointsMax);
}

TEST_CASE("peers that packets go to are asked about first, then those online, the others never", "[unit]") {
  const PeerEndpoints known;
  TailscaledStatus status;
  status.tailnet.peers = {peer("n1", "100.64.0.1", true), peer("n2", "100.64.0.2", false),
                          peer("n3", "fd7a:115c:a1e0::3", false)};
  status.active_paths = {{.endpoint = endpoint("192.0.2.3:3"), .node_id = "n3"}};
  CHECK(names(known.questions(status, 0, false)) ==
        std::vector<std::string>{"whois?addr=fd7a:115c:a1e0:0:0:0:0:3", "whois?addr=100.64.0.1"});
  status.tailnet.peers[0].addresses.clear();
  CHECK(known.questions(status, 0, false).size() == 1);
}

TEST_CASE("a peer is asked about again when what is known is stale, sooner where that did not do", "[unit]") {
  PeerEndpoints known;
  TailscaledStatus status;
  status.tailnet.peers = {peer("n1", "100.64.0.1", true)};
  known.learn("n1", {}, 100 * kSecond);  // no answer of use is an answer
  CHECK(known.questions(status, 100 * kSecond + kSecond / 4, true).empty());
  CHECK(known.questions(status, 101 * kSecond, true).size() == 1);
  CHECK(known.questions(status, 399 * kSecond, false).empty());
  CHECK(known.questions(status, 401 * kSecond, false).size() == 1);
}

TEST_CASE("one read asks about a bounded number of peers, the next one about others", "[unit]") {
  PeerEndpoints known;
  TailscaledStatus status;
  for (int number = 1; number <= 100; ++number) {
    status.tailnet.peers.push_back(
        peer("n" + std::to_string(number), "100.64.1." + std::to_string(number), true));
  }
  std::size_t asked = 0;
  for (int read = 0; read < 4; ++read) {
    const auto questions = known.questions(status, read, false);
    CHECK(questions.size() <= kWhoisPerReadMax);
    asked += questions.size();
    for (const auto& question : questions) known.learn(question.node_id, {}, read);
  }
  CHECK(asked == 100);
}

TEST_CASE("what whois told is added behind what is in use, and forgotten with its peer", "[unit]") {
  PeerEndpoints known;
  known.learn("n1", {endpoint("192.0.2.1:1"), endpoint("[2001:db8::1]:1")}, 0);
  model::Tailnet tailnet;
  tailnet.peers = {peer("n1", "100.64.0.1", true)};
  tailnet.peers[0].endpoints = {endpoint("192.0.2.1:1")};
  known.apply(tailnet);
  CHECK(tailnet.peers[0].endpoints == std::vector{endpoint("192.0.2.1:1"), endpoint("[2001:db8::1]:1")});

  model::Tailnet gone;
  known.apply(gone);
  tailnet.peers[0].endpoints.clear();
  known.apply(tailnet);
  CHECK(tailnet.peers[0].endpoints.empty());
}

}  // namespace
}  // namespace flowtally::identity
