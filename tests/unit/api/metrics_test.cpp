#include "api/metrics.hpp"

#include <cstdio>
#include <cstdlib>
#include <set>
#include <string>

#include "support/catch.hpp"

namespace flowtally::test {
namespace {

using Catch::Matchers::ContainsSubstring;

model::AgentStatus full_status() {
  model::AgentStatus status{.version = "1\"2\\3", .now = {.boot_ns = 10'000'000'000, .wall_ns = 0}};
  status.attachments = {{.interface = "tailscale0", .attached = true}};
  status.sums.totals.hook = {.tx_packets = 1, .tx_bytes = 2, .rx_packets = 3, .rx_bytes = 4};
  status.sums.totals.flow_insert_failures[FT_INSERT_FULL] = 5;
  status.sums.underlay.counted = true;
  status.sinks = {{.sink = "siem", .kind = "http", .behind_records = 3, .items = 7}};
  status.drain.done_at = base::Moment{.boot_ns = 0, .wall_ns = 1'500'000'000};
  status.journals = {{.log_type = "network", .next = 42}, {.log_type = "configuration"}};
  status.output.wanted = true;
  status.identity.read_boot_ns = 4'000'000'000;
  return status;
}

}  // namespace

TEST_CASE("metrics tell what the status has", "[unit]") {
  api::Counts counts;
  counts.refused(api::Refusal::kStalled);
  const std::string page = api::metrics_text(full_status(), counts);
  CHECK_THAT(page, ContainsSubstring("flowtally_hook_bytes_total{direction=\"rx\"} 4\n"));
  CHECK_THAT(page, ContainsSubstring("flowtally_insert_failures_total{table=\"flow\",reason=\"full\"} 5\n"));
  CHECK_THAT(page, ContainsSubstring("flowtally_journal_records_total{log_type=\"network\"} 41\n"));
  CHECK_THAT(page, ContainsSubstring("flowtally_identity_age_seconds 6\n"));
  CHECK_THAT(page, ContainsSubstring("flowtally_sink_items_total{sink=\"siem\",log_type=\"network\"} 7\n"));
  CHECK_THAT(page, ContainsSubstring("flowtally_last_drain_timestamp_seconds 1.5\n"));
  CHECK_THAT(page, ContainsSubstring("flowtally_api_refusals_total{reason=\"stall\"} 1\n"));
  CHECK_THAT(page, ContainsSubstring("flowtally_build_info{version=\"1\\\"2\\\\3\"} 1\n"));
}

TEST_CASE("each family is there once, with help and type before its samples", "[unit]") {
  const std::string page = api::metrics_text(full_status(), api::Counts{});
  std::set<std::string> families;
  std::string family;
  std::size_t begin = 0;
  for (std::size_t end = page.find('\n'); end != std::string::npos; end = page.find('\n', begin)) {
    const std::string line = page.substr(begin, end - begin);
    begin = end + 1;
    if (line.starts_with("# TYPE ")) {
      family = line.substr(7, line.find(' ', 7) - 7);
      CHECK(families.insert(family).second);
      CHECK(line.ends_with(" counter") == family.ends_with("_total"));
    } else if (!line.starts_with("#")) {
      CHECK(line.substr(0, line.find_first_of("{ ")) == family);
    }
  }
  CHECK(begin == page.size());
  CHECK(families.size() > 40);
}

TEST_CASE("promtool finds nothing wrong with the metrics", "[unit]") {
  // scripts/setup brings it.
  FILE* const promtool = ::popen("/usr/local/lib/flowtally-tests/promtool check metrics 1>&2", "w");
  REQUIRE(promtool != nullptr);
  const std::string page = api::metrics_text(full_status(), api::Counts{});
  CHECK(std::fwrite(page.data(), 1, page.size(), promtool) == page.size());
  CHECK(::pclose(promtool) == 0);
}

}  // namespace flowtally::test
