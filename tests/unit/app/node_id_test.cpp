#include "app/node_id.hpp"

#include <fstream>
#include <string>

#include <unistd.h>

#include "support/catch.hpp"
#include "support/temp_dir.hpp"

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

TEST_CASE("a node id is what systemd derives from the machine id", "[unit]") {
  // systemd-id128 machine-id --app-specific=5f1c0e7a92d44b6da833f01e7a11c925 says
  // 39c9a3b3a2ee4c7089d5c57b60050e5c.
  const test::TempDir folder;
  const std::string file = (folder.path / "machine-id").string();
  std::ofstream(file) << "0123456789abcdef0123456789abcdef\n";
  CHECK(machine_node_id({}, file).value() == "n39c9a3b3a2ee4c70LOCAL");
}

TEST_CASE("without a machine id a random one is kept", "[unit]") {
  const test::TempDir folder;
  const std::string file = (folder.path / "machine-id").string();
  const std::string text =
      GENERATE(as<std::string>(), "", "uninitialized", "00000000000000000000000000000000",
               "0123456789abcdef0123456789abcde", "0123456789abcdef0123456789abcdeg");
  std::ofstream(file) << text << "\n";
  INFO(text);
  const auto without = machine_node_id({}, file);
  REQUIRE_FALSE(without);
  CHECK_THAT(without.error().text(), Matches(".*no machine id.*"));
  const std::string made = machine_node_id(folder.path, file).value();
  CHECK_THAT(made, Matches("n[0-9a-f]{12}4[0-9a-f]{3}LOCAL"));
  CHECK(machine_node_id(folder.path, file).value() == made);
}

TEST_CASE("the boot id is a UUID, the same until the machine starts again", "[unit]") {
  const auto first = boot_id();
  REQUIRE(first);
  CHECK_THAT(*first, Matches("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"));
  CHECK(boot_id().value() == *first);
}

}  // namespace
}  // namespace flowtally::app
