#include "cli/json.hpp"

#include "support/catch.hpp"

namespace flowtally::test {
namespace {

using Catch::Matchers::ContainsSubstring;

struct Scanned {
  std::vector<std::string> elements{};
  std::string head{};
  std::string frame{};
  std::string error{};
  bool whole = false;
};

/// In pieces of so many bytes.
Scanned scan(std::string_view text, std::size_t piece_bytes, std::size_t elements_max = 1000) {
  Scanned scanned;
  cli::ListScanner scanner(
      "rows",
      [&](std::string_view head) {
        scanned.head = head;
        return true;
      },
      [&](std::string_view element) {
        scanned.elements.emplace_back(element);
        return scanned.elements.size() < elements_max;
      });
  bool more = true;
  for (std::size_t at = 0; more && at < text.size(); at += piece_bytes)
    more = scanner.feed(text.substr(at, piece_bytes));
  if (scanner.error()) scanned.error = scanner.error()->text();
  if (const auto frame = scanner.frame()) {
    scanned.whole = true;
    scanned.frame = *frame;
  }
  return scanned;
}

}  // namespace

TEST_CASE("a list comes one element at a time, however the pieces fall", "[unit]") {
  constexpr std::string_view kText =
      "{\"columns\":[\"a\",\"rows\"],\"rows\":[{\"a\":\"]}\\\"{\"},\n{\"a\":[{\"b\":1}]}],\"summary\":{"
      "\"rows\":[2]}}\n";
  for (const std::size_t piece : {1UL, 2UL, 7UL, 1000UL}) {
    INFO(piece);
    const Scanned scanned = scan(kText, piece);
    CHECK(scanned.elements == std::vector<std::string>{"{\"a\":\"]}\\\"{\"}", "{\"a\":[{\"b\":1}]}"});
    CHECK(scanned.head == "{\"columns\":[\"a\",\"rows\"],\"rows\":[]}");
    CHECK(scanned.frame == "{\"columns\":[\"a\",\"rows\"],\"rows\":[],\"summary\":{\"rows\":[2]}}");
    CHECK(scanned.error.empty());
  }
}

TEST_CASE("an empty list is one, half an answer is none", "[unit]") {
  CHECK(scan("{\"rows\":[]}", 3).whole);
  CHECK_FALSE(scan("{\"rows\":[{\"a\":1},", 3).whole);
  CHECK_FALSE(scan("", 3).whole);
}

TEST_CASE("what wants no more elements gets no more", "[unit]") {
  CHECK(scan("{\"rows\":[{},{},{}]}", 100, 2).elements.size() == 2);
}

TEST_CASE("what is no such object is refused, and never grows", "[unit]") {
  CHECK_THAT(scan("{\"rows\":[1,2]}", 100).error, ContainsSubstring("no object"));
  CHECK_THAT(scan("}", 100).error, ContainsSubstring("ends more often"));
  CHECK_THAT(scan("{\"rows\":[]} x", 100).error, ContainsSubstring("behind its end"));
  CHECK_THAT(scan(std::string(100, '['), 100).error, ContainsSubstring("too deep"));
  const std::string longer = "{\"rows\":[{\"a\":\"" + std::string(cli::kDocumentBytesMax + 1, 'x');
  CHECK_THAT(scan(longer, 65536).error, ContainsSubstring("too long"));
}

TEST_CASE("what is not in a document reads as nothing", "[unit]") {
  cli::JsonDocument document;
  REQUIRE(
      document.read("{\"a\":{\"n\":5,\"s\":1.5,\"t\":\"x\",\"b\":true,\"l\":[\"p\",1,\"q\"]}}").has_value());
  CHECK(document.number("/a/n") == 5);
  CHECK(document.seconds("/a/s") == 1.5);
  CHECK(document.text("/a/t") == "x");
  CHECK(document.flag("/a/b"));
  CHECK(document.size("/a/l") == 3);
  CHECK(document.texts("/a/l") == std::vector<std::string>{"p", "q"});
  CHECK(document.number("/a/t") == 0);
  CHECK(document.text("/nowhere/x").empty());
  CHECK_FALSE(document.has("/a/z"));
  CHECK(document.fields("/a").size() == 5);
  CHECK_FALSE(document.read("{").has_value());
}

TEST_CASE("the message of an error is found, and commands no terminal", "[unit]") {
  CHECK(cli::message_of("{\"message\":\"no\\u001b[31m\"}") == "no?[31m");
  CHECK(cli::message_of("<html>") == "");
}

}  // namespace flowtally::test
