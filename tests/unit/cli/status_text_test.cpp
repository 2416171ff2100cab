// Goal: the page of a healthy agent is short, and whatever is wrong or lost is on it. Method: the answers are
// made by the API itself; a status with a number of its own in each counter shows that none is left out.
#include "api/status_text.hpp"

#include "cli/status_text.hpp"
#include "support/catch.hpp"

namespace flowtally::test {
namespace {

using Catch::Matchers::ContainsSubstring;

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::int64_t kNow = 1'795'392'005 * kSecond;  // 2026-11-23T00:00:05Z

base::Moment ago(std::int64_t seconds) {
  return {.boot_ns = 100'000 * kSecond - seconds * kSecond, .wall_ns = kNow - seconds * kSecond};
}

model::AgentStatus healthy() {
  model::AgentStatus status{
      .version = "0.1.0", .node_id = "nLab01CNTRL", .now = ago(0), .started = ago(7384)};
  status.epoch = 1478;
  status.attachments = {{.interface = "tailscale0",
                         .ifindex = 7,
                         .attached = true,
                         .mode = "TCX",
                         .attached_since = ago(7384),
                         .drops_taken_off = true}};
  status.sums.windows = 1477;
  status.sums.totals.hook = {
      .tx_packets = 2'000'000, .tx_bytes = 1'500'000'000, .rx_packets = 1'000'000, .rx_bytes = 80'000'000};
  status.table = {.capacity4 = 8192, .capacity6 = 1808, .flows_max = 131'072, .flows_latest = 250};
  status.drain = {
      .interval_ns = 5 * kSecond, .tried_at = ago(2), .done_at = ago(2), .duration_ns = 1'200'000};
  status.journals = {{.log_type = "network", .first = 1, .next = 1478, .bytes = 12'345'678, .segments = 2}};
  status.identity = {.source = model::Tailnet::Source::kTailscaled,
                     .reachable = true,
                     .backend_state = "Running",
                     .tailscaled_version = "1.88.1",
                     .read_boot_ns = ago(3).boot_ns,
                     .peers = 12};
  return status;
}

std::string page(const model::AgentStatus& status, bool colour = false,
                 const std::optional<cli::LiveRate>& rate = {}) {
  cli::JsonDocument document;
  REQUIRE(document.read(api::status_json(status)));
  return cli::status_page(cli::status_lines(document, rate, [](std::int64_t) { return 3600; }), colour);
}

}  // namespace

TEST_CASE("the page of a healthy agent", "[unit]") {
  const cli::LiveRate rate{
      .seconds = 2, .tx_packets = 3000, .tx_bytes = 3'000'000, .rx_packets = 20, .rx_bytes = 1000};
  CHECK(page(healthy(), false, rate) ==
        "flowtally       0.1.0, node nLab01CNTRL\n"
        "                up 2 h 3 min, since 2026-11-22 22:57:01 (2 h 3 min); generation 1,478\n"
        "tailscale0      counted by TCX since 2026-11-22 22:57:01 (2 h 3 min)\n"
        "now             sends 1.50 MB/s and 1500 packets/s; receives 500 B/s and 10 packets/s\n"
        "sent            1.50 GB in 2,000,000 packets; on average 203 kB/s and 271 packets/s\n"
        "received        80.0 MB in 1,000,000 packets; on average 10.8 kB/s and 135 packets/s\n"
        "conservation    every packet accounted for in 1,477 windows\n"
        "tables          250 flows in the latest window, 2.5 % of the room; at the most 131,072 of each IP "
        "version\n"
        "drain           each 5.0 s; the latest 2.0 s ago, in 1.2 ms\n"
        "journal         network: 12.3 MB, 1,477 records in 2 segments\n"
        "identity        tailscaled 1.88.1 (Running), 12 peers, 3.0 s old\n"
        "lost, left out  nothing\n");
}

TEST_CASE("what is wrong is on the page, in red on a terminal", "[unit]") {
  model::AgentStatus status = healthy();
  status.attachments[0].attached = false;
  status.attachments[0].failure = "Operation not permitted";
  status.sums.windows_unbalanced = 3;
  status.drain.failure = "Input/output error";
  status.journals[0].failing_since = ago(60);
  status.journals[0].failure = "No space left on device";
  status.identity.reachable = false;
  status.identity.last_error = "Connection refused\x1b[2J";
  status.output = {.wanted = true, .failing_since = ago(5), .failure = "Broken pipe"};
  const std::string text = page(status, true);
  for (const char* const wrong :
       {"is NOT counted: Operation not permitted", "3 of 1,477 windows do NOT add up: a fault of flowtally",
        "each 5.0 s; the latest FAILED: Input/output error",
        "cannot be written since 2026-11-23 00:59:05 (1 min 0 s): No space left on device",
        "tailscaled does not answer: Connection refused?[2J",
        "the copy cannot be written since 2026-11-23 01:00:00 (5.0 s): Broken pipe"}) {
    INFO(wrong);
    CHECK_THAT(text, ContainsSubstring("\x1b[31m" + std::string(wrong) + "\x1b[0m"));
  }
  CHECK(page(status).find('\x1b') == std::string::npos);
}

TEST_CASE("an agent that waits for its interface and for tailscaled says so", "[unit]") {
  model::AgentStatus status{.version = "1", .now = ago(0), .started = ago(0)};
  status.attachments = {{.interface = "tailscale0"}};
  const std::string text = page(status);
  CHECK_THAT(text, ContainsSubstring("tailscale0      is not there yet: waited for"));
  CHECK_THAT(text, ContainsSubstring("no window with traffic yet"));
  CHECK_THAT(text, ContainsSubstring("address ranges decide"));
}

TEST_CASE("every counter of a loss is on the page, each with a reason that is known", "[unit]") {
  model::AgentStatus status = healthy();
  std::uint64_t next = 7001;
  std::vector<std::uint64_t> packets;
  std::vector<std::uint64_t> counts;
  const auto packet_counter = [&](model::Counters& counters) {
    counters.tx_packets = next++;
    packets.push_back(counters.tx_packets);
  };
  const auto count = [&](std::uint64_t& counter) {
    counter = next++;
    counts.push_back(counter);
  };
  model::Totals& totals = status.sums.totals;
  status.sums.underlay.counted = true;
  for (model::Counters* const counters :
       {&status.sums.coarse, &totals.rest, &totals.dropped, &totals.dropped_late,
        &status.sums.underlay.unmapped, &status.sums.underlay.rest})
    packet_counter(*counters);
  count(totals.device_dropped);
  for (std::size_t reason = 1; reason < 6; ++reason) count(totals.unparsed_packets[reason]);
  for (std::size_t reason = 1; reason < 6; ++reason) count(totals.excluded_packets[reason]);
  for (auto& failures : totals.flow_insert_failures) count(failures);
  for (auto& failures : totals.coarse_insert_failures) count(failures);
  count(status.sums.windows_unbalanced);
  count(status.attachments[0].gaps);
  count(status.journals[0].removed_records);
  count(status.journals[0].failures);
  status.output.wanted = true;
  count(status.output.failures);
  count(status.identity.failures);
  count(status.identity.events_lost);
  count(status.identity.peers_left_out);

  cli::JsonDocument document;
  REQUIRE(document.read(api::status_json(status)));
  std::string text;
  for (const cli::StatusLine& line : cli::loss_lines(document)) text += line.text + "\n";
  for (const std::uint64_t number : packets)
    CHECK_THAT(text, ContainsSubstring(cli::count_text(number) + " packets ("));
  for (const std::uint64_t number : counts)
    CHECK_THAT(text, ContainsSubstring(cli::count_text(number) + " "));
  CHECK(text.find("Pkts:") == std::string::npos);      // a reason without words
  CHECK(text.find("Failures:") == std::string::npos);  // the same
}

TEST_CASE("a reason of a newer agent is shown as it is called", "[unit]") {
  cli::JsonDocument document;
  REQUIRE(document.read("{\"traffic\":{\"excludedPkts\":{\"service\":0,\"whim\":5}}}"));
  const auto lines = cli::loss_lines(document);
  REQUIRE(lines.size() == 1);
  CHECK(lines[0].text == "5 excludedPkts: whim");
}

TEST_CASE("an answer without fields gives a page and no fault", "[unit]") {
  cli::JsonDocument document;
  REQUIRE(document.read("{}"));
  CHECK_FALSE(cli::status_lines(document, {}, query::local_zone()).empty());
}

}  // namespace flowtally::test
