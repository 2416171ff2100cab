// Goal: a cursor is what was saved last, names are safe as file names, and a file that cannot be used is said
// and kept.
#include "journal/cursor_store.hpp"

#include "support/catch.hpp"
#include "support/faulty_fs.hpp"
#include "unit/journal/records.hpp"

namespace flowtally::test {

using journal::CursorStore;

TEST_CASE("a cursor is what was saved last, and there is none before", "[unit]") {
  FaultyFs files;
  CursorStore cursors(files, kDirectory);
  CHECK(cursors.names().value().empty());
  CHECK(cursors.load("siem").value() == std::nullopt);
  REQUIRE(cursors.save("siem", 1).has_value());
  REQUIRE(cursors.save("siem", 18'446'744'073'709'551'615U).has_value());
  REQUIRE(cursors.save("Loki_2-b", 7).has_value());
  CHECK(cursors.load("siem").value() == 18'446'744'073'709'551'615U);
  CHECK(cursors.names().value() == std::vector<std::string>{"Loki_2-b", "siem"});
  REQUIRE(cursors.remove("siem").has_value());
  CHECK(cursors.load("siem").value() == std::nullopt);
}

TEST_CASE("only letters, digits, '-' and '_' make a cursor's name", "[unit]") {
  FaultyFs files;
  CursorStore cursors(files, kDirectory);
  for (const char* const name : {"", ".", "..", "../x", "a/b", "-a", "_a", "a.b", "a b", "ä", "a\n"}) {
    CHECK(!CursorStore::valid_name(name));
    CHECK(!cursors.save(name, 1).has_value());
    CHECK(!cursors.load(name).has_value());
    CHECK(!cursors.remove(name).has_value());
  }
  CHECK(CursorStore::valid_name(std::string(64, 'a')));
  CHECK(!CursorStore::valid_name(std::string(65, 'a')));
}

TEST_CASE("a damaged cursor is an error once, and kept aside", "[unit]") {
  FaultyFs files;
  CursorStore cursors(files, kDirectory);
  REQUIRE(cursors.save("siem", 4711).has_value());
  const std::string path = "/j/network/cursors/siem";
  const std::string good = files.read(path);
  CHECK(good.starts_with("flowtally-cursor 1 4711 "));
  for (std::size_t at = 0; at < good.size(); ++at) {
    files.write(path, good);
    files.damage(path, at);
    const auto loaded = cursors.load("siem");
    REQUIRE(!loaded.has_value());
    CHECK(loaded.error().code() == base::ErrorCode::kCorrupt);
    CHECK(loaded.error().text().find(path) != std::string::npos);
    CHECK(files.has(path + ".damaged"));
    CHECK(cursors.load("siem").value() == std::nullopt);
  }
  files.write(path, std::string(5000, 'x'));
  CHECK(!cursors.load("siem").has_value());
  files.write(path, "flowtally-cursor 2 1 00\n");
  CHECK(cursors.load("siem").error().code() == base::ErrorCode::kUnsupported);
  CHECK(files.has(path));
}

TEST_CASE("a cursor that cannot be saved stays what it was", "[unit]") {
  FaultyFs files;
  CursorStore cursors(files, kDirectory);
  REQUIRE(cursors.save("siem", 1).has_value());
  files.set_capacity(0);
  CHECK(cursors.save("siem", 2).error().code() == base::ErrorCode::kResource);
  CHECK(cursors.load("siem").value() == 1);
}

}  // namespace flowtally::test
