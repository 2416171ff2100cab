// Goal: a node is written as Tailscale writes it, and whatever it is called, it stays within its limit.
#include "record/node.hpp"

#include <string>

#include "record/reader.hpp"
#include "support/catch.hpp"

namespace flowtally::record {
namespace {

template <class Node>
std::string text_of(const Node& node) {
  std::string text;
  append_node(node, text);
  return text;
}

model::Address v4(std::uint8_t last) { return model::Address::v4({100, 64, 0, last}); }
model::Address v6(std::uint8_t last) {
  return model::Address::v6({0xfd, 0x7a, 0x11, 0x5c, 0xa1, 0xe0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last});
}

/// The node read back from its text.
model::RecordNode read_back(const std::string& text) {
  auto record = RecordReader().read(
      R"({"nodeId":"","start":"2026-11-22T23:29:01Z","end":"2026-11-22T23:29:01Z","srcNode":)" + text + "}");
  if (!record) FAIL(record.error().text());
  return *record->src_node;
}

TEST_CASE("a node has Tailscale's fields in Tailscale's order", "[unit]") {
  CHECK(text_of(model::Node{.id = "n1",
                            .name = "host.tail.ts.net",
                            .os = "linux",
                            .user = "a@example.net",
                            .addresses = {v4(1), v6(1)}}) ==
        R"({"nodeId":"n1","name":"host.tail.ts.net","addresses":["100.64.0.1","fd7a:115c:a1e0::1"],)"
        R"("os":"linux","user":"a@example.net"})");
  CHECK(text_of(model::Node{.id = "n1", .tags = {"tag:a", "tag:b"}}) ==
        R"({"nodeId":"n1","tags":["tag:a","tag:b"]})");
}

TEST_CASE("what a node does not have is left out, but for its id", "[unit]") {
  CHECK(text_of(model::Node{}) == R"({"nodeId":""})");
  CHECK(text_of(model::RecordNode{}) == R"({"nodeId":""})");
  CHECK(text_of(model::Node{.name = "a"}) == R"({"nodeId":"","name":"a"})");
}

TEST_CASE("of many addresses the first of each family is written, IPv4 first", "[unit]") {
  CHECK(text_of(model::Node{.id = "n", .addresses = {v6(2), v6(1), v4(9), v4(1)}}) ==
        R"({"nodeId":"n","addresses":["100.64.0.9","fd7a:115c:a1e0::2"]})");
  CHECK(text_of(model::Node{.id = "n", .addresses = {v6(2)}}) ==
        R"({"nodeId":"n","addresses":["fd7a:115c:a1e0::2"]})");
}

TEST_CASE("what a node is called cannot break the line", "[unit]") {
  const std::string text = text_of(model::Node{.id = "\"", .name = "}\n", .tags = {"],\\", "\xFF"}});
  CHECK(text == R"({"nodeId":"\"","name":"}\n","tags":["],\\","\ufffd"]})");
}

TEST_CASE("a long text is cut, never within a character", "[unit]") {
  const std::string most(kNodeTextBytesMax, 'x');
  CHECK(read_back(text_of(model::Node{.name = most})).name == most);
  CHECK(read_back(text_of(model::Node{.name = most + "y"})).name == most);
  for (std::size_t before = 0; before < 8; ++before) {
    std::string name(before, 'x');
    while (name.size() <= kNodeTextBytesMax) name += "\U0001F600";
    const std::string shown = read_back(text_of(model::Node{.name = name})).name;
    CHECK(shown.size() > kNodeTextBytesMax - 4);
    CHECK(shown.size() <= kNodeTextBytesMax);
    CHECK(shown.find("\uFFFD") == std::string::npos);
    CHECK(name.starts_with(shown));
  }
  // What is no UTF-8 is cut anywhere.
  CHECK(text_of(model::Node{.name = std::string(5000, '\x80')}).size() < 4000);
}

TEST_CASE("tags that find no room are left out, one by one to the last byte", "[unit]") {
  for (std::size_t extra = 0; extra < 20; ++extra) {
    model::Node node{.id = std::string(1 + extra, 'n')};
    for (int tag = 0; tag < 4000; ++tag) node.tags.push_back("tag:" + std::to_string(tag));
    const std::string text = text_of(node);
    CHECK(text.size() <= kNodeBytesMax);
    CHECK(text.size() > kNodeBytesMax - 12);  // a tag with quotes and comma has 11 bytes there
    const auto tags = read_back(text).tags;
    CHECK(std::equal(tags.begin(), tags.end(), node.tags.begin()));
  }
  CHECK(text_of(model::Node{.id = "n", .tags = {std::string(kNodeBytesMax, 't')}}) == R"({"nodeId":"n"})");
}

TEST_CASE("the longest node is within its limit", "[unit]") {
  const std::string worst(5000, '\x01');
  const std::string text = text_of(model::Node{.id = worst,
                                               .name = worst,
                                               .os = worst,
                                               .user = worst,
                                               .tags = std::vector<std::string>(64, worst.substr(0, 100)),
                                               .addresses = {v4(1), v6(1)}});
  CHECK(text.size() <= kNodeBytesMax);
  CHECK_FALSE(read_back(text).tags.empty());
}

TEST_CASE("a node of a record is written as it is", "[unit]") {
  model::RecordNode node{.id = "n", .addresses = {v6(1), v6(2), v4(1)}};
  node.tags.assign(5000, "tag:server");
  const std::string text = text_of(node);
  CHECK(text.size() > kNodeBytesMax);
  CHECK(read_back(text) == node);
}

}  // namespace
}  // namespace flowtally::record
