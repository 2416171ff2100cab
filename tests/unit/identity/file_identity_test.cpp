#include "identity/file_identity.hpp"

#include <filesystem>

#include <fmt/format.h>
#include <unistd.h>

#include "base/near_miss.hpp"
#include "support/catch.hpp"
#include "unit/identity/golden.hpp"
#include "yaml/yaml_tree.hpp"

namespace flowtally::identity {
namespace {

LocalAddresses host() { return {.addresses = {}, .prefixes = {prefix("10.77.0.0/24")}}; }

model::Tailnet parsed(std::string_view text) {
  auto tailnet = parse_identity(text, "f", host());
  if (!tailnet) FAIL(tailnet.error().text());
  return std::move(*tailnet);
}

std::string error_of(std::string_view text) {
  auto tailnet = parse_identity(text, "f", host());
  return tailnet ? "" : tailnet.error().text();
}

/// A file with the least there can be, and these lines after it.
std::string least(std::string_view more) {
  return fmt::format("node: {{id: n1, addresses: [100.64.0.1]}}\n{}", more);
}

std::string peer(std::string_view more) {
  return least(fmt::format("peers:\n  - {{id: n2, addresses: [100.64.0.2], {}}}\n", more));
}

TEST_CASE("the example of the documentation is read as it says", "[unit]") {
  const std::string page = file_text("docs/formats/identity.md");
  const std::size_t begin = page.find("```yaml\n") + 8;
  const model::Tailnet tailnet = parsed(page.substr(begin, page.find("```", begin) - begin));
  CHECK(tailnet.source == model::Tailnet::Source::kFile);
  const std::vector routes = {prefix("192.168.77.0/24"), prefix("fd77:77:0:1::/64")};
  CHECK(tailnet.self ==
        model::Node{.id = "nLab02CNTRL",
                    .name = "lab-n2.tailnet-lab.ts.net",
                    .os = "linux",
                    .tags = {"tag:lab", "tag:router"},
                    .addresses = {address("100.64.0.2"), address("fd7a:115c:a1e0::2")},
                    .allowed_ips = {prefix("100.64.0.2"), prefix("fd7a:115c:a1e0::2"), routes[0], routes[1]},
                    .primary_routes = routes});
  REQUIRE(tailnet.peers.size() == 2);
  CHECK(tailnet.peers[0] == model::Node{.id = "nLab01CNTRL",
                                        .name = "lab-n1.tailnet-lab.ts.net",
                                        .os = "windows",
                                        .user = "user-123@fake-control.example.net",
                                        .addresses = {address("100.64.0.1"), address("fd7a:115c:a1e0::1")},
                                        .allowed_ips = {prefix("100.64.0.1"), prefix("fd7a:115c:a1e0::1")},
                                        .endpoints = {endpoint("10.77.0.11:41641")}});
  CHECK(tailnet.peers[1].primary_routes == std::vector{prefix("10.20.0.0/16")});
  REQUIRE(tailnet.prefs);
  CHECK(*tailnet.prefs ==
        model::RoutingPrefs{.accept_routes = true, .exit_node = true, .advertised_routes = routes});
  CHECK(tailnet.exit_node_in_use);
  CHECK_FALSE(tailnet.log_exit_flows);
  CHECK(tailnet.udp_ports == std::vector<std::uint16_t>{41641});
  CHECK(tailnet.local_prefixes == host().prefixes);
}

TEST_CASE("the documentation's message is the one that comes", "[unit]") {
  const std::string page = file_text("docs/formats/identity.md");
  const std::string text = "\n\nnode:\n  id: n1\n  adresses: []\n";
  const auto tailnet = parse_identity(text, "who.yaml", host());
  REQUIRE_FALSE(tailnet);
  INFO(tailnet.error().text());
  CHECK(page.find(tailnet.error().text()) != std::string::npos);
}

TEST_CASE("only this node is needed, with an id and an address", "[unit]") {
  const model::Tailnet tailnet = parsed(least(""));
  CHECK(tailnet.self.id == "n1");
  CHECK(tailnet.peers.empty());
  CHECK(tailnet.prefs == model::RoutingPrefs{});
  CHECK(error_of("") ==
        "f:1:1: an identity file is not \"key: value\" lines. The keys of an identity file are node, "
        "peers, advertised_routes, accept_routes, exit_node, exit_node_allow_lan, log_exit_flows, "
        "service_addresses, udp_ports.");
  CHECK(error_of("peers: []\n") ==
        "f:1:1: there is no node. Describe this node: \"node:\" with id and addresses.");
  CHECK(error_of("node: {addresses: [100.64.0.1]}\n").starts_with("f:1:7: node has no id."));
  CHECK(error_of("node: {id: n1}\n").starts_with("f:1:7: node has no addresses."));
  CHECK(error_of(least("peers:\n  - id: n2\n")).starts_with("f:3:5: a peer has no addresses."));
}

TEST_CASE("an unknown key is said with its place and what could be meant", "[unit]") {
  CHECK(
      error_of(least("acept_routes: true\n"))
          .starts_with("f:2:1: unknown key \"acept_routes\" (did you mean \"accept_routes\"?). The keys of"));
  CHECK(error_of(peer("endpoint: []"))
            .starts_with("f:3:39: unknown key \"endpoint\" (did you mean \"endpoints\"?)."));
  CHECK(error_of(least("something: 1\n"))
            .starts_with("f:2:1: unknown key \"something\". The keys of an identity"));
}

TEST_CASE("a bad value is said with its place and what would do", "[unit]") {
  CHECK(error_of(least("accept_routes: yes\n")) ==
        "f:2:16: accept_routes: \"yes\" is neither true nor false. Write true or false.");
  CHECK(error_of(least("advertised_routes: [10.0.0.0/33]\n")) ==
        "f:2:21: advertised_routes: \"10.0.0.0/33\" is no network. Write it as 192.168.77.0/24 or "
        "\"fd77:77:0:1::/64\".");
  CHECK(error_of(least("udp_ports: [65536]\n")) ==
        "f:2:13: udp_ports: \"65536\" is no UDP port. Write a number from 1 to 65535.");
  CHECK(error_of(least("udp_ports: 41641\n")) ==
        "f:2:12: udp_ports: is not a list. Write [one, another], or one a line after \"- \".");
  CHECK(error_of(least("udp_ports: [1, 2, 1]\n")).starts_with("f:2:19: udp_ports: \"1\" stands here twice."));
  CHECK(error_of(peer("tags: [server]")).starts_with("f:3:46: tags: \"server\" is no tag. Write tag:NAME"));
  CHECK(error_of(peer("endpoints: [\"1.2.3.4\"]")).find("is no address with a port") != std::string::npos);
  CHECK(error_of(peer("endpoints: [\"1.2.3.4:0\"]")).find("is no address with a port") != std::string::npos);
  CHECK(error_of(peer("user: u, tags: [tag:a]")).starts_with("f:3:5: a peer has a user and tags."));
  CHECK(error_of(peer("os: [x]")).find("os: is no text.") != std::string::npos);
  CHECK(error_of("node: {id: n 1, addresses: [100.64.0.1]}").find("id: is no node id.") != std::string::npos);
  CHECK(error_of("node: {id: n1, addresses: [100.64.0.1/32]}").find("is no IP address") != std::string::npos);
  CHECK(error_of(least("peers: 7\n")).starts_with("f:2:8: peers: is not a list."));
  CHECK(error_of(least("exit_node_allow_lan: {a: b}\n")).find("is neither true nor false") !=
        std::string::npos);
}

TEST_CASE("texts have limits", "[unit]") {
  const auto os = [](std::size_t bytes) { return peer("os: " + std::string(bytes, 'x')); };
  CHECK(error_of(os(512)).empty());
  CHECK(error_of(os(513)).find("os: is no text.") != std::string::npos);
  CHECK(error_of(peer("os: \"a\\nb\"")).find("os: is no text.") != std::string::npos);
  std::string routes = "advertised_routes:\n";
  for (unsigned at = 0; at <= kFileListMax; ++at)
    routes += fmt::format("  - 10.{}.{}.0/24\n", at / 256, at % 256);
  CHECK(error_of(least(routes)).find("has more than 4096 entries") != std::string::npos);
}

TEST_CASE("no id, address or endpoint may name two nodes", "[unit]") {
  CHECK(error_of(least("peers:\n  - {id: n1, addresses: [100.64.0.2]}\n")) ==
        "f:3:5: node \"n1\" has the same id as node \"n1\" of line 1. Correct one of them.");
  CHECK(error_of(least("peers:\n  - {id: n2, addresses: [100.64.0.1]}\n"))
            .find("has the same address as node \"n1\"") != std::string::npos);
  CHECK(error_of(least("peers:\n  - {id: n2, addresses: [100.64.0.2], endpoints: [\"192.0.2.1:1\"]}\n"
                       "  - {id: n3, addresses: [100.64.0.3], endpoints: [\"192.0.2.1:1\"]}\n"))
            .find("has the same endpoint as node \"n2\" of line 3") != std::string::npos);
}

TEST_CASE("an exit node is a peer, by id or name", "[unit]") {
  CHECK(parsed(peer("name: a.example.") + "exit_node: n2\n").exit_node_in_use);
  CHECK(parsed(peer("name: a.example.") + "exit_node: a.example\n").prefs->exit_node);
  CHECK(error_of(peer("name: server.example") + "exit_node: sever.example\n") ==
        "f:4:12: exit_node: \"sever.example\" is no peer (did you mean \"server.example\"?). Give the id or "
        "the name of "
        "one of the peers, or leave the key out.");
  CHECK_FALSE(parsed(peer("os: linux")).exit_node_in_use);
}

TEST_CASE("peers are sorted by id, and an empty list of them is one", "[unit]") {
  const model::Tailnet tailnet = parsed(least(
      "peers:\n  - {id: n3, addresses: [100.64.0.3]}\n  - {id: n2, addresses: [\"fd7a:115c:a1e0::2\"]}\n"));
  REQUIRE(tailnet.peers.size() == 2);
  CHECK(tailnet.peers[0].id == "n2");
  CHECK(parsed(least("peers:\n")).peers.empty());
  CHECK(parsed(least("peers: []\n")).peers.empty());
}

TEST_CASE("what is no YAML, or more of it than is needed, is refused with its place", "[unit]") {
  CHECK(error_of("node: [\n").starts_with("f:2:1: no valid YAML: "));
  CHECK(error_of("node:\n\t- x\n").find("no valid YAML: ") != std::string::npos);
  CHECK(error_of("node: &a {id: n1}\npeers: [*a]\n") == "f:1:7: anchors and aliases are not used here");
  CHECK(error_of(least("--- \nnode: 7\n")).starts_with("f:3:1: a second document begins here"));
  CHECK(error_of("node: 7\nnode: 8\n") == "f:2:1: \"node\" stands here twice");
  CHECK(error_of("? [a]\n: b\n").find("a key has to be a word") != std::string::npos);
  CHECK(error_of(std::string(100'000, '[')).find("lists and maps are nested deeper than 16") !=
        std::string::npos);
  std::string keys;
  for (int at = 0; at < 100; ++at) keys += fmt::format("k{}: 1\n", at);
  CHECK(error_of(keys) == "f:65:1: there are more than 64 keys");
}

TEST_CASE("a file cut off anywhere does no harm", "[unit]") {
  const std::string page = file_text("docs/formats/identity.md");
  const std::size_t begin = page.find("```yaml\n") + 8;
  const std::string example = page.substr(begin, page.find("```", begin) - begin);
  for (std::size_t bytes = 0; bytes < example.size(); ++bytes) {
    const auto tailnet = parse_identity(example.substr(0, bytes), "f", host());
    if (!tailnet) CHECK(tailnet.error().text().starts_with("f:"));
  }
}

TEST_CASE("a file is read from disk, with its name in the errors", "[unit]") {
  const auto folder =
      std::filesystem::temp_directory_path() / fmt::format("flowtally-identity-{}", ::getpid());
  std::filesystem::create_directory(folder);
  const std::string path = folder / "who.yaml";
  std::ofstream(path) << least("");
  CHECK(read_identity_file(path).value().self.id == "n1");
  std::ofstream(path) << "nodes: 7\n";
  CHECK(read_identity_file(path).error().text().starts_with(
      path + ":1:1: unknown key \"nodes\" (did you mean \"node\"?)"));
  std::ofstream(path) << std::string(kIdentityFileBytesMax + 1, '#');
  CHECK(read_identity_file(path).error().text() ==
        fmt::format("the identity file {} is longer than {} bytes", path, kIdentityFileBytesMax));
  std::filesystem::remove_all(folder);
  CHECK(read_identity_file(path).error().text() ==
        fmt::format("open the identity file {}: No such file or directory", path));
  CHECK(read_identity_file("/").error().code() == base::ErrorCode::kIo);
}

TEST_CASE("near is a word that a slip or two makes", "[unit]") {
  const std::vector<std::string_view> words = {"addresses", "routes", "id", "endpoints"};
  CHECK(base::near_miss("adresses", words) == "addresses");
  CHECK(base::near_miss("address", words) == "addresses");
  CHECK(base::near_miss("addr", words) == "addresses");
  CHECK(base::near_miss("rotues", words) == "routes");
  CHECK(base::near_miss("route", words) == "routes");
  CHECK(base::near_miss("endpoints_of", words) == "endpoints");
  CHECK(base::near_miss("ix", words).empty());
  CHECK(base::near_miss("something", words).empty());
  CHECK(base::near_miss("", words).empty());
  CHECK(base::near_miss(std::string(1000, 'a'), words).empty());
}

}  // namespace
}  // namespace flowtally::identity
