// Goal: the records of a running program say who is who, as tailscaled or a file tells it, and which kind of
// traffic each flow is; knowing comes and goes, counting does not.
//
// Method: the program as a user runs it, beside a stand-in for tailscaled that answers with what a real one
// said (tests/golden/identity); the test is the TUN's owner and writes packets from known, routed and outside
// addresses. All of them arrive, so every flow is in a record as soon as the next window is written.
#include <csignal>
#include <cstdio>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include <unistd.h>

#include "model/address_text.hpp"
#include "net/capture/node.hpp"
#include "record/reader.hpp"
#include "support/catch.hpp"
#include "support/local_api_stub.hpp"
#include "support/packet_builder.hpp"
#include "support/process.hpp"
#include "test_paths.h"

namespace flowtally::test {
namespace {

std::string golden(const std::string& name) {
  std::ifstream file(std::string(FLOWTALLY_SOURCE_DIR) + "/tests/golden/identity/" + name);
  REQUIRE(file);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

/// What the node lab-n1 heard: lab-n2 serves 192.168.77.0/24, lab-n3 is its exit node, routes are accepted.
void tell_all(LocalApiStub& stub) {
  stub.reply("status", {.body = golden("status-client.json")});
  stub.reply("prefs", {.body = golden("prefs-client.json")});
  stub.reply("check-so-mark-in-use", {.body = R"({"UseSOMark":true})"});
  stub.reply("watch-ipn-bus", {.body = ""});
}

/// A datagram that arrives from `source`.
void arrive(TestTun& tun, const char* source) {
  REQUIRE(tun.write(support::packet().ipv4(source, "100.64.0.1").udp(4000, 9).payload(60).bytes()) == 0);
}

std::vector<model::Record> records_of(const std::string& text) {
  std::vector<model::Record> records;
  record::RecordReader reader;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text.find('\n', at);
    REQUIRE(end != std::string::npos);
    auto record = reader.read(std::string_view(text).substr(at, end - at));
    INFO((record ? std::string() : record.error().text()));
    REQUIRE(record);
    records.push_back(std::move(*record));
    at = end + 1;
  }
  return records;
}

/// The packets that arrived in one list of all records from one address; none: without an address.
std::uint64_t arrived(const std::vector<model::Record>& records,
                      std::vector<model::Flow> model::Record::* list, std::optional<std::string> remote) {
  const model::Address wanted = remote ? model::parse_address(*remote).value() : model::Address{};
  std::uint64_t packets = 0;
  for (const model::Record& record : records) {
    for (const model::Flow& flow : record.*list) {
      if (flow.remote.address == wanted) packets += flow.counters.rx_packets;
    }
  }
  return packets;
}

void check_adds_up(const model::Record& record) {
  const model::Counters listed = model::sum(record.virtual_traffic) + model::sum(record.subnet_traffic) +
                                 model::sum(record.exit_traffic);
  const model::Accounting& proof = record.accounting;
  CHECK(listed + proof.unparsed + proof.excluded + proof.dropped == proof.totals);
}

/// Stops the program and gives its records, each checked.
std::vector<model::Record> stop(Program& program) {
  program.signal(SIGTERM);
  const int code = program.wait();
  INFO(program.err());
  REQUIRE(code == 0);
  auto records = records_of(program.out());
  REQUIRE_FALSE(records.empty());
  for (const model::Record& record : records) check_adds_up(record);
  return records;
}

}  // namespace

TEST_CASE("records name the nodes that tailscaled knows, and each kind of traffic has its list", "[net]") {
  enter_fresh_namespace();
  LocalApiStub stub;
  tell_all(stub);
  TestTun tun(TestTun::Headers::kBare);
  Program program(
      {"run", "--no-journal", "--interval", "200ms", "--tailscaled-socket", stub.socket(), "--no-physical"});
  program.wait_for_output("counting tailscale0");
  program.wait_for_output("nLab01CNTRL");
  arrive(tun, "100.64.0.2");    // lab-n2
  arrive(tun, "192.168.77.9");  // behind lab-n2
  arrive(tun, "203.0.113.80");  // through the exit node
  const auto records = stop(program);

  CHECK(arrived(records, &model::Record::virtual_traffic, "100.64.0.2") == 1);
  CHECK(arrived(records, &model::Record::subnet_traffic, "192.168.77.9") == 1);
  CHECK(arrived(records, &model::Record::exit_traffic, std::nullopt) == 1);
  for (const model::Record& record : records) {
    CHECK(record.node_id == "nLab01CNTRL");
    REQUIRE(record.src_node);
    CHECK(record.src_node->name == "lab-n1.tailnet-lab.ts.net");
    for (const model::Flow& flow : record.exit_traffic) {
      CHECK(flow.proto == 0);
      CHECK(flow.local.port == 0);
    }
    const bool speaks_of_n2 = arrived({record}, &model::Record::virtual_traffic, "100.64.0.2") > 0;
    const bool names_n2 = std::ranges::any_of(
        record.dst_nodes, [](const model::RecordNode& node) { return node.id == "nLab02CNTRL"; });
    CHECK(names_n2 == speaks_of_n2);
  }
}

TEST_CASE("a node that joined since tailscaled was last asked is known in the record of its first packet",
          "[net]") {
  enter_fresh_namespace();
  LocalApiStub stub;
  tell_all(stub);
  std::string before = golden("status-client.json");
  const std::string joined = before;
  // As if lab-n2 were not there yet: its addresses are another's.
  for (const char* text : {"100.64.0.2\"", "100.64.0.2/32\""}) {
    for (std::size_t at = before.find(text); at != std::string::npos; at = before.find(text))
      before.replace(at, 10, "100.64.0.9");
  }
  stub.reply("status", {.body = before});
  TestTun tun(TestTun::Headers::kBare);
  // Long enough for a question beside the first one (kReadGapMin), as any interval that people use is.
  Program program({"run", "--no-journal", "--interval", "2s", "--tailscaled-socket", stub.socket(),
                   "--no-physical", "--log-exit-flows"});
  program.wait_for_output("counting tailscale0");
  program.wait_for_output("nLab01CNTRL");
  stub.reply("status", {.body = joined});
  arrive(tun, "100.64.0.2");
  program.wait_for_output("\"nodeId\"");
  const auto records = stop(program);
  CHECK(arrived(records, &model::Record::virtual_traffic, "100.64.0.2") == 1);
  CHECK(arrived(records, &model::Record::exit_traffic, "100.64.0.2") == 0);
}

TEST_CASE("while tailscaled is away its last answer serves, and a record is not late for it", "[net]") {
  enter_fresh_namespace();
  LocalApiStub stub;
  tell_all(stub);
  TestTun tun(TestTun::Headers::kBare);
  Program program(
      {"run", "--no-journal", "--interval", "200ms", "--tailscaled-socket", stub.socket(), "--no-physical"});
  program.wait_for_output("counting tailscale0");
  program.wait_for_output("nLab01CNTRL");
  stub.disappear();
  arrive(tun, "100.64.0.2");
  arrive(tun, "100.64.0.77");  // nobody's
  const auto records = stop(program);
  CHECK(arrived(records, &model::Record::virtual_traffic, "100.64.0.2") == 1);
  CHECK(arrived(records, &model::Record::exit_traffic, std::nullopt) == 1);
  CHECK(records.back().node_id == "nLab01CNTRL");
}

TEST_CASE("without a tailscaled the records have the id of this host, and address ranges decide", "[net]") {
  enter_fresh_namespace();
  TestTun tun(TestTun::Headers::kBare);
  Program program({"run", "--no-journal", "--interval", "200ms", "--tailscaled-socket", "/nonexistent/socket",
                   "--no-physical"});
  program.wait_for_output("counting tailscale0");
  arrive(tun, "100.64.0.2");
  arrive(tun, "192.168.77.9");
  arrive(tun, "203.0.113.80");
  const auto records = stop(program);
  CHECK(arrived(records, &model::Record::virtual_traffic, "100.64.0.2") == 1);
  CHECK(arrived(records, &model::Record::subnet_traffic, "192.168.77.9") == 1);
  CHECK(arrived(records, &model::Record::exit_traffic, std::nullopt) == 1);
  CHECK(records.back().node_id.ends_with("LOCAL"));
  CHECK_FALSE(records.back().src_node);
}

TEST_CASE("a file says who is who, exit flows are written where that is asked for", "[net]") {
  enter_fresh_namespace();
  const std::string path = "/tmp/flowtally-identity-" + std::to_string(::getpid()) + ".yaml";
  std::ofstream(path)
      << "node: {id: nFile1, name: one.example, addresses: [100.64.0.1]}\n"
         "peers:\n"
         "  - {id: nFile2, name: two.example, addresses: [100.64.0.2], routes: [192.168.77.0/24]}\n"
         "accept_routes: true\n";
  TestTun tun(TestTun::Headers::kBare);
  Program program({"run", "--no-journal", "--interval", "200ms", "--identity", path, "--no-physical",
                   "--log-exit-flows"});
  program.wait_for_output("counting tailscale0");
  ::unlink(path.c_str());
  arrive(tun, "100.64.0.2");
  arrive(tun, "192.168.77.9");
  arrive(tun, "203.0.113.80");
  const auto records = stop(program);
  CHECK(arrived(records, &model::Record::virtual_traffic, "100.64.0.2") == 1);
  CHECK(arrived(records, &model::Record::subnet_traffic, "192.168.77.9") == 1);
  CHECK(arrived(records, &model::Record::exit_traffic, "203.0.113.80") == 1);
  CHECK(records.back().node_id == "nFile1");
  REQUIRE(records.back().src_node);
  CHECK(records.back().src_node->name == "one.example");
}

TEST_CASE("an identity file with a mistake is refused before anything is counted", "[net]") {
  const std::string path = "/tmp/flowtally-identity-" + std::to_string(::getpid()) + ".yaml";
  std::ofstream(path) << "node: {id: n1, adresses: [100.64.0.1]}\n";
  Program program({"run", "--no-journal", "--identity", path});
  CHECK(program.wait() == 2);
  ::unlink(path.c_str());
  CHECK_THAT(program.err(), Catch::Matchers::ContainsSubstring("adresses"));
  CHECK_THAT(program.err(), Catch::Matchers::ContainsSubstring("addresses"));
}

}  // namespace flowtally::test
