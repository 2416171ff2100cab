#include "cli/table.hpp"

#include "support/catch.hpp"

namespace flowtally::test {
namespace {

std::vector<cli::TableColumn> two_columns() { return {{.title = "NAME"}, {.title = "N", .right = true}}; }

}  // namespace

TEST_CASE("columns are as wide as their widest cell, numbers to the right, no spaces at the end", "[unit]") {
  cli::Table table(two_columns(), false);
  std::string out;
  table.add({"a", "1"}, out);
  table.add({"Büro-Süd", "1,234"}, out);
  table.add({"c", ""}, out);
  CHECK(out.empty());  // the widths are not known yet
  table.flush(out);
  CHECK(out ==
        "NAME          N\n"
        "a             1\n"
        "Büro-Süd  1,234\n"
        "c\n");
}

TEST_CASE("a table without rows is its titles", "[unit]") {
  cli::Table table(two_columns(), false);
  std::string out;
  table.flush(out);
  CHECK(out == "NAME  N\n");
}

TEST_CASE("after the measured rows each row comes at once, and a wider one pushes only itself", "[unit]") {
  cli::Table table(two_columns(), false, 2);
  std::string out;
  table.add({"a", "1"}, out);
  table.add({"b", "2"}, out);
  CHECK(out == "NAME  N\na     1\nb     2\n");
  out.clear();
  table.add({"longer", "3"}, out);
  CHECK(out == "longer  3\n");
  out.clear();
  table.add({"d", "4"}, out);
  CHECK(out == "d     4\n");
}

TEST_CASE("with nothing to measure the first row comes at once, in the widths that were given", "[unit]") {
  cli::Table table({{.title = "A", .width = 4}, {.title = "B"}}, false, 0);
  std::string out;
  table.add({"x", "y"}, out);
  CHECK(out == "A     B\nx     y\n");
}

TEST_CASE("a row in colour begins and ends it, and cells cannot", "[unit]") {
  cli::Table table(two_columns(), true, 0);
  std::string out;
  table.add({"a\x1b[0m", "1"}, out, cli::Mood::kWrong);
  CHECK(out == "\x1b[1mNAME  N\x1b[0m\n\x1b[31ma?[0m  1\x1b[0m\n");
}

}  // namespace flowtally::test
