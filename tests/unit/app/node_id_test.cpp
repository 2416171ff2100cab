#include "app/node_id.hpp"

#include <unistd.h>

#include "support/catch.hpp"

namespace flowtally::app {
namespace {

using Catch::Matchers::Matches;

TEST_CASE("the node id of a machine is the same at every call and has its form", "[unit]") {
  const auto first = machine_node_id({});
  if (!first && ::access("/etc/machine-id", R_OK) != 0) SKIP("needs a machine id: " << first.error().text());
  INFO((first ? std::string() : first.error().text()));
  REQUIRE(first);
  CHECK_THAT(*first, Matches("n[0-9a-f]{16}LOCAL"));
  const auto second = machine_node_id({});
  REQUIRE(second);
  CHECK(*first == *second);
}

TEST_CASE("the boot id is a UUID, the same until the machine starts again", "[unit]") {
  const auto first = boot_id();
  REQUIRE(first);
  CHECK_THAT(*first, Matches("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"));
  CHECK(boot_id().value() == *first);
}

}  // namespace
}  // namespace flowtally::app
