// Goal: what tailscaled says is understood, and whatever else comes does no harm.
//
// Method: the answers of a laboratory tailnet are read and compared with what is known of it; then each value
// in them is replaced by everything it should not be, left out, and the text is cut at each byte.
#include "identity/status_parser.hpp"

#include <set>

#include <fmt/format.h>

#include "support/catch.hpp"
#include "unit/identity/golden.hpp"

namespace flowtally::identity {
namespace {

/// The host on which the samples of one node were recorded.
LocalAddresses host(std::initializer_list<std::string_view> addresses) {
  LocalAddresses local{.prefixes = {prefix("10.77.0.0/24")}};
  for (const std::string_view text : addresses) local.addresses.push_back(address(text));
  std::ranges::sort(local.addresses);
  return local;
}

base::Result<TailscaledStatus> parse(std::string_view json) {
  return parse_status(json, host({"10.77.0.11"}));
}

TailscaledStatus parsed(std::string_view json) {
  auto status = parse(json);
  if (!status) FAIL(status.error().text());
  return std::move(*status);
}

std::string error_of(std::string_view json) {
  auto status = parse(json);
  return status ? "" : status.error().text();
}

/// The status of a node with these fields of Self, and these after it.
std::string small(std::string_view self, std::string_view more = "") {
  return fmt::format(R"({{"BackendState":"Running","Self":{{"ID":"n1"{}{}}}{}{}}})", self.empty() ? "" : ",",
                     self, more.empty() ? "" : ",", more);
}

/// What holds for every tailnet that is accepted.
void check_sound(const TailscaledStatus& status) {
  std::vector<const model::Node*> nodes = {&status.tailnet.self};
  for (const model::Node& peer : status.tailnet.peers) {
    nodes.push_back(&peer);
    CHECK(!peer.id.empty());
  }
  for (const model::Node* const node : nodes) {
    CHECK(node->id.size() <= kIdBytesMax);
    CHECK(node->addresses.size() <= kNodeAddressesMax);
    CHECK(node->tags.size() <= kTagsMax);
    CHECK(std::ranges::is_sorted(node->tags));
    CHECK((node->user.empty() || node->tags.empty()));
    for (const std::string* const text : {&node->name, &node->os, &node->user, &node->relay})
      CHECK(text->size() <= kTextBytesMax);
    CHECK(std::set(node->endpoints.begin(), node->endpoints.end()).size() == node->endpoints.size());
  }
  CHECK(std::ranges::is_sorted(status.tailnet.peers, {}, &model::Node::id));
  CHECK(!status.backend_state.empty());
  CHECK((!status.running() || !status.tailnet.self.id.empty()));
}

TEST_CASE("a client's status is read as the laboratory was", "[unit]") {
  const TailscaledStatus status = parsed(golden("status-client.json"));
  CHECK(status.running());
  CHECK(status.version == "1.102.5-lab");
  CHECK(status.has_tun);
  CHECK(status.peers_left_out == 0);
  const model::Tailnet& tailnet = status.tailnet;
  CHECK(tailnet.source == model::Tailnet::Source::kTailscaled);
  CHECK(tailnet.self ==
        model::Node{
            .id = "nLab01CNTRL",
            .name = "lab-n1.tailnet-lab.ts.net",
            .os = "linux",
            .user = "user-123@fake-control.example.net",
            .addresses = {address("100.64.0.1"), address("fd7a:115c:a1e0:ab12:4843:cd96:6240:1")},
            .allowed_ips = {prefix("100.64.0.1/32"), prefix("fd7a:115c:a1e0:ab12:4843:cd96:6240:1/128")},
            .endpoints = {endpoint("10.77.0.11:41641")},
            .relay = "lab",
            .online = true});
  REQUIRE(tailnet.peers.size() == 2);
  CHECK(
      tailnet.peers[0] ==
      model::Node{.id = "nLab02CNTRL",
                  .name = "lab-n2.tailnet-lab.ts.net",
                  .os = "linux",
                  .user = "user-123@fake-control.example.net",
                  .addresses = {address("100.64.0.2"), address("fd7a:115c:a1e0:ab12:4843:cd96:6240:2")},
                  .allowed_ips = {prefix("100.64.0.2/32"), prefix("fd7a:115c:a1e0:ab12:4843:cd96:6240:2/128"),
                                  prefix("192.168.77.0/24"), prefix("fd77:77:0:1::/64")},
                  .primary_routes = {prefix("192.168.77.0/24"), prefix("fd77:77:0:1::/64")},
                  .endpoints = {endpoint("10.77.0.12:41641")},
                  .relay = "lab",
                  .online = true});
  CHECK(tailnet.peers[1].id == "nLab03CNTRL");
  CHECK(tailnet.peers[1].allowed_ips.back() == prefix("::/0"));
  CHECK(!tailnet.prefs);
  CHECK(tailnet.service_addresses.empty());
  CHECK(tailnet.local_prefixes == std::vector{prefix("10.77.0.0/24")});
  CHECK(tailnet.exit_node_in_use);
  CHECK(!tailnet.log_exit_flows);
  CHECK(tailnet.udp_ports == std::vector<std::uint16_t>{41641});
  CHECK(tailnet.uses_socket_mark);
  CHECK(status.active_paths ==
        std::vector<ActivePath>{{.endpoint = endpoint("10.77.0.13:41641"), .node_id = "nLab03CNTRL"},
                                {.endpoint = endpoint("10.77.0.12:41641"), .node_id = "nLab02CNTRL"}});
}

TEST_CASE("the status of a plain node, a router and an exit node", "[unit]") {
  CHECK_FALSE(parsed(golden("status.json")).tailnet.exit_node_in_use);
  const auto router = parse_status(golden("status-router.json"), host({"10.77.0.12", "192.168.77.1"}));
  REQUIRE(router);
  CHECK(router->tailnet.self.primary_routes ==
        std::vector{prefix("192.168.77.0/24"), prefix("fd77:77:0:1::/64")});
  CHECK(router->tailnet.udp_ports == std::vector<std::uint16_t>{41641});
  REQUIRE(router->tailnet.peers.size() == 2);
  CHECK(router->tailnet.peers[1].endpoints.empty());
  CHECK(router->active_paths.size() == 1);
  CHECK(parsed(golden("status-exit.json")).tailnet.self.endpoints.back() ==
        endpoint("[2001:db8:ffff::1]:41641"));
}

TEST_CASE("preferences as recorded", "[unit]") {
  const auto client = parse_prefs(golden("prefs-client.json"));
  REQUIRE(client);
  CHECK(*client == model::RoutingPrefs{.accept_routes = true, .exit_node = true});
  const auto router = parse_prefs(golden("prefs-router.json"));
  REQUIRE(router);
  CHECK(*router ==
        model::RoutingPrefs{.advertised_routes = {prefix("192.168.77.0/24"), prefix("fd77:77:0:1::/64")}});
  const auto exit = parse_prefs(golden("prefs-exit.json"));
  REQUIRE(exit);
  CHECK(exit->advertised_routes == std::vector{prefix("0.0.0.0/0"), prefix("::/0")});
  CHECK(parse_prefs(R"({"ExitNodeIP":"100.64.0.9","ExitNodeAllowLANAccess":true})").value() ==
        model::RoutingPrefs{.exit_node_allow_lan = true, .exit_node = true});
  CHECK(parse_prefs(R"({"ExitNodeIP":"","ExitNodeID":""})").value() == model::RoutingPrefs{});
  CHECK(parse_prefs("{}").value() == model::RoutingPrefs{});
  CHECK(parse_prefs("[]").error().text() == "prefs of tailscaled: the answer is not an object");
}

TEST_CASE("whether tailscaled marks its sockets", "[unit]") {
  CHECK(parse_socket_mark(R"({"UseSOMark":true})").value());
  CHECK_FALSE(parse_socket_mark(R"({"UseSOMark":false})").value());
  CHECK(parse_socket_mark(R"({"UseSOMark":1})").error().text() ==
        "socket mark of tailscaled: has no UseSOMark");
}

TEST_CASE("an essential that is missing is said", "[unit]") {
  CHECK(error_of("") == "status of tailscaled: the answer is empty");
  CHECK(error_of("[]") == "status of tailscaled: the answer is not an object");
  CHECK(error_of("{}") == "status of tailscaled: has no BackendState");
  CHECK(error_of(R"({"BackendState":6,"Self":{"ID":"n1"}})") == "status of tailscaled: has no BackendState");
  CHECK(error_of(R"({"BackendState":"Running"})") == "status of tailscaled: has no Self");
  CHECK(error_of(R"({"BackendState":"Running","Self":null})") == "status of tailscaled: has no Self");
  CHECK(error_of(R"({"BackendState":"Running","Self":{}})") == "status of tailscaled: Self has no ID");
  CHECK(error_of(R"({"BackendState":"Running","Self":{"ID":7}})") == "status of tailscaled: Self has no ID");
  CHECK(error_of("not json").starts_with("status of tailscaled: no valid JSON: "));
  CHECK(error_of("{\"BackendState\":\"\xff\"}").starts_with("status of tailscaled: no valid JSON: "));
}

TEST_CASE("a backend that is not running needs no self", "[unit]") {
  const TailscaledStatus out =
      parsed(R"({"BackendState":"NeedsLogin","Self":null,"Peer":null,"CurrentTailnet":null})");
  CHECK(!out.running());
  CHECK(out.tailnet.self.id.empty());
  CHECK(parsed(R"({"BackendState":"SomethingNew"})").backend_state == "SomethingNew");
}

TEST_CASE("tags are sorted, each once, and a tagged node has no user", "[unit]") {
  const auto tagged = parsed(
      small(R"("UserID":5,"Tags":["tag:b","tag:a","tag:b","",7])", R"("User":{"5":{"LoginName":"u"}})"));
  CHECK(tagged.tailnet.self.tags == std::vector<std::string>{"tag:a", "tag:b"});
  CHECK(tagged.tailnet.self.user.empty());
  const auto untagged = parsed(small(R"("UserID":5,"Tags":[])", R"("User":{"5":{"LoginName":"u"}})"));
  CHECK(untagged.tailnet.self.user == "u");
}

TEST_CASE("user ids beyond 2^53 and unknown ones", "[unit]") {
  const char* const users =
      R"("User":{"9007199254740993":{"LoginName":"big"},"18446744073709551615":{"LoginName":"top"},)"
      R"("-1":{"LoginName":"minus"}})";
  CHECK(parsed(small(R"("UserID":9007199254740993)", users)).tailnet.self.user == "big");
  CHECK(parsed(small(R"("UserID":18446744073709551615)", users)).tailnet.self.user == "top");
  CHECK(parsed(small(R"("UserID":-1)", users)).tailnet.self.user == "minus");
  CHECK(parsed(small(R"("UserID":9007199254740992)", users)).tailnet.self.user.empty());
  CHECK(parsed(small(R"("UserID":1)", R"("User":null)")).tailnet.self.user.empty());
  CHECK(parsed(small(R"("UserID":1)", R"("User":{"1":null})")).tailnet.self.user.empty());
}

TEST_CASE("one dot is taken off the end of a name", "[unit]") {
  CHECK(parsed(small(R"("DNSName":"a.b.")")).tailnet.self.name == "a.b");
  CHECK(parsed(small(R"("DNSName":"a.b")")).tailnet.self.name == "a.b");
  CHECK(parsed(small(R"("DNSName":"")")).tailnet.self.name.empty());
}

TEST_CASE("a text that is too long or has control characters is none", "[unit]") {
  const std::string longest(kTextBytesMax, 'x');
  CHECK(parsed(small(fmt::format(R"("OS":"{}")", longest))).tailnet.self.os == longest);
  CHECK(parsed(small(fmt::format(R"("OS":"{}y")", longest))).tailnet.self.os.empty());
  CHECK(parsed(small(R"("OS":"a\nb")")).tailnet.self.os.empty());
  CHECK(parsed(small(R"("OS":"ä")")).tailnet.self.os == "ä");
  const std::string id(kIdBytesMax + 1, 'n');
  CHECK(error_of(fmt::format(R"({{"BackendState":"Running","Self":{{"ID":"{}"}}}})", id)) ==
        "status of tailscaled: Self has no ID");
}

TEST_CASE("the endpoint in use comes first, candidates after it, a relay's not at all", "[unit]") {
  const auto status =
      parsed(small("", R"("Peer":{"k":{"ID":"n2","CurAddr":"192.0.2.1:1",)"
                       R"("Addrs":["192.0.2.2:2","192.0.2.1:1","nonsense","[2001:db8::1]:3"],)"
                       R"("PeerRelay":"192.0.2.9:9:vni:7"}})"));
  REQUIRE(status.tailnet.peers.size() == 1);
  CHECK(status.tailnet.peers[0].endpoints ==
        std::vector{endpoint("192.0.2.1:1"), endpoint("192.0.2.2:2"), endpoint("[2001:db8::1]:3")});
  CHECK(status.active_paths.size() == 1);
}

TEST_CASE("a port is tailscaled's where the address is this host's", "[unit]") {
  const std::string json =
      small(R"("Addrs":["203.0.113.5:55555","[2001:db8::7]:41642","10.0.0.2:41641","192.0.2.1:0"])");
  CHECK(parse_status(json, host({"10.0.0.2", "2001:db8::7", "192.0.2.1"})).value().tailnet.udp_ports ==
        std::vector<std::uint16_t>{41641, 41642});
  CHECK(parse_status(json, host({"10.0.0.3"})).value().tailnet.udp_ports.empty());
}

TEST_CASE("addresses of hosted services and the leave to log exit flows are capabilities", "[unit]") {
  const auto status = parsed(small(
      R"("CapMap":{"log-exit-flows":null,"service-host":[{"svc:a":["100.100.0.5","fd7a:115c:a1e0::5"]},)"
      R"({"svc:b":["100.100.0.6"],"svc:c":null},7]})"));
  CHECK(status.tailnet.log_exit_flows);
  CHECK(status.tailnet.service_addresses ==
        std::vector{address("100.100.0.5"), address("fd7a:115c:a1e0::5"), address("100.100.0.6")});
  CHECK_FALSE(parsed(small(R"("CapMap":null)")).tailnet.log_exit_flows);
}

TEST_CASE("a peer without an id is left out and counted", "[unit]") {
  const auto status = parsed(
      small("", R"("Peer":{"a":{"ID":"n3"},"b":null,"c":{"DNSName":"x"},"d":{"ID":"n2","Expired":true}})"));
  CHECK(status.peers_left_out == 2);
  REQUIRE(status.tailnet.peers.size() == 2);
  CHECK(status.tailnet.peers[0].id == "n2");
  CHECK(status.tailnet.peers[0].expired);
  CHECK(!status.tailnet.peers[1].expired);
}

TEST_CASE("userspace networking is seen", "[unit]") {
  CHECK_FALSE(parsed(small("", R"("TUN":false)")).has_tun);
}

TEST_CASE("each value replaced by what it should not be, or left out, does no harm", "[unit]") {
  const std::string huge = "\"" + std::string(100'000, 'x') + "\"";
  const std::vector<std::string> replacements = {"null",
                                                 "true",
                                                 "0",
                                                 "-1",
                                                 "18446744073709551615",
                                                 "1e300",
                                                 "\"\"",
                                                 "\"\\u0000\"",
                                                 huge,
                                                 "[]",
                                                 "{}",
                                                 "[[[]]]",
                                                 R"({"a":{"b":null}})",
                                                 R"(["x",null,7,{}])"};
  for (const char* const name : {"status-client.json", "prefs-client.json"}) {
    const std::string text = golden(name);
    const bool is_status = std::string_view(name).starts_with("status");
    const JsonPlaces places(text);
    CHECK(places.places().size() > 30);
    for (const JsonPlace& place : places.places()) {
      std::vector<std::string> mutations;
      for (const std::string& replacement : replacements)
        mutations.push_back(text.substr(0, place.value) + replacement + text.substr(place.end));
      mutations.push_back(text.substr(0, place.begin) +
                          (text[place.begin] == '"' && place.value != place.begin ? "\"gone\":0" : "0") +
                          text.substr(place.end));
      for (const std::string& mutation : mutations) {
        if (!is_status) {
          CHECK(parse_prefs(mutation).has_value());
          continue;
        }
        auto status = parse(mutation);
        if (status)
          check_sound(*status);
        else
          CHECK(status.error().text().starts_with("status of tailscaled: "));
      }
    }
  }
}

TEST_CASE("an answer that is cut off anywhere is refused", "[unit]") {
  const std::string text = golden("status-client.json");
  const std::size_t whole = text.rfind('}') + 1;
  for (std::size_t bytes = 0; bytes < whole; ++bytes) {
    const auto status = parse(std::string_view(text).substr(0, bytes));
    if (status) FAIL_CHECK("taken after " << bytes << " bytes");
  }
  CHECK(parse(std::string_view(text).substr(0, whole)).has_value());
}

TEST_CASE("deep nesting and too many bytes are refused", "[unit]") {
  std::string deep = R"({"BackendState":)";
  deep.append(100'000, '[');
  CHECK(error_of(deep).starts_with("status of tailscaled: no valid JSON: "));
  const std::string large(kAnswerBytesMax + 1, ' ');
  CHECK(error_of(large) ==
        fmt::format("status of tailscaled: the answer is longer than {} bytes", kAnswerBytesMax));
}

TEST_CASE("more peers than can be are refused, many are read", "[unit]") {
  const auto peers = [](std::size_t count) {
    std::string list;
    for (std::size_t peer = 0; peer < count; ++peer)
      list += fmt::format(R"({}"k{}":{{"ID":"n{}"}})", peer == 0 ? "" : ",", peer, peer);
    return small("", fmt::format(R"("Peer":{{{}}})", list));
  };
  CHECK(parsed(peers(20'000)).tailnet.peers.size() == 20'000);
  CHECK(error_of(peers(kPeersMax + 1)) ==
        fmt::format("status of tailscaled: there are more than {} peers", kPeersMax));
}

}  // namespace
}  // namespace flowtally::identity
