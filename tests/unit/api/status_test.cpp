#include "api/status_text.hpp"
#include "support/catch.hpp"

namespace flowtally::test {
namespace {

using Catch::Matchers::ContainsSubstring;

constexpr std::int64_t kSecond = 1'000'000'000;

model::AgentStatus running() {
  model::AgentStatus status{.version = "1", .now = {.boot_ns = 1000 * kSecond, .wall_ns = 0}};
  status.attachments = {{.interface = "tailscale0", .attached = true, .mode = "TCX"}};
  status.drain = {.interval_ns = 5 * kSecond, .tried_at = base::Moment{.boot_ns = 990 * kSecond}};
  status.journals = {{.log_type = "network"}};
  return status;
}

}  // namespace

TEST_CASE("the agent is healthy while its loop comes by", "[unit]") {
  model::AgentStatus status = running();
  CHECK(api::health(status).status == 200);
  status.drain.tried_at = base::Moment{.boot_ns = 970 * kSecond};
  CHECK(api::health(status).status == 200);
  status.drain.tried_at = base::Moment{.boot_ns = 969 * kSecond};
  CHECK(api::health(status).status == 503);
  status.drain.interval_ns = 60 * kSecond;  // three of them may pass
  CHECK(api::health(status).status == 200);
  status.drain.tried_at.reset();  // then since the start
  status.started.boot_ns = 500 * kSecond;
  CHECK(api::health(status).status == 503);
}

TEST_CASE("an agent that sees a folder which tailscaled has left is to be started again", "[unit]") {
  model::AgentStatus status = running();
  status.identity.folder_removed = true;
  CHECK(api::health(status).status == 503);
}

TEST_CASE("a disk that is full or an interface that is away is no illness", "[unit]") {
  model::AgentStatus status = running();
  status.journals[0].failing_since = base::Moment{};
  status.attachments[0].attached = false;
  CHECK(api::health(status).status == 200);
}

TEST_CASE("the agent is ready while it counts, or waits for the interface, and its journal takes records",
          "[unit]") {
  model::AgentStatus status = running();
  CHECK(api::readiness(status).status == 200);
  status.attachments[0].attached = false;
  const api::Answer waiting = api::readiness(status);
  CHECK(waiting.status == 200);
  CHECK_THAT(waiting.text, ContainsSubstring("waiting"));
  status.attachments[0].failure = "no right to";
  CHECK(api::readiness(status).status == 503);
  status = running();
  status.journals[0].failing_since = base::Moment{};
  status.journals[0].failure = "No space left on device";
  const api::Answer failing = api::readiness(status);
  CHECK(failing.status == 503);
  CHECK_THAT(failing.text, ContainsSubstring("No space left"));
}

TEST_CASE("a status has what is known, and leaves out what has not happened", "[unit]") {
  model::AgentStatus status = running();
  status.node_id = "n\"1";
  status.sums.totals.hook.tx_packets = 18'446'744'073'709'551'615U;
  status.sums.totals.excluded_packets[FT_EXCLUDED_MULTICAST] = 7;
  const std::string text = api::status_json(status);
  CHECK_THAT(text, ContainsSubstring(R"("nodeId":"n\"1")"));
  CHECK_THAT(text, ContainsSubstring(R"("totals":{"txPkts":18446744073709551615,)"));
  CHECK_THAT(text, ContainsSubstring(R"("multicast":7)"));
  CHECK_THAT(text, ContainsSubstring(R"("mode":"TCX")"));
  CHECK_THAT(text, !ContainsSubstring("attachedSince"));
  CHECK_THAT(text, !ContainsSubstring("windowEnd"));
  CHECK_THAT(text, !ContainsSubstring("\"underlay\""));
  CHECK_THAT(text, !ContainsSubstring("\"output\""));
  CHECK(text.ends_with("}\n"));
}

}  // namespace flowtally::test
