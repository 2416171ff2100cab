#include "cli/event_stream.hpp"

#include "support/catch.hpp"

namespace flowtally::test {
namespace {

std::vector<std::string> events_of(std::string_view text, std::size_t piece_bytes) {
  std::vector<std::string> events;
  cli::EventStream stream([&](const cli::Event& event) {
    events.push_back(event.id + "|" + event.type + "|" + event.data);
    return true;
  });
  for (std::size_t at = 0; at < text.size(); at += piece_bytes)
    REQUIRE(stream.feed(text.substr(at, piece_bytes)));
  return events;
}

}  // namespace

TEST_CASE("events come out as they went in, however the pieces fall", "[unit]") {
  constexpr std::string_view kText =
      ": flowtally\nretry: 3000\n\nid: 7\ndata: {\"a\":1}\n\n: \n\nevent: gap\nid: 9\r\ndata:x\ndata: "
      "y\r\n\r\ndata: z\n\n";
  for (const std::size_t piece : {1UL, 3UL, 1000UL}) {
    INFO(piece);
    CHECK(events_of(kText, piece) == std::vector<std::string>{"7||{\"a\":1}", "9|gap|x\ny", "9||z"});
  }
}

TEST_CASE("half an event is none", "[unit]") { CHECK(events_of("id: 1\ndata: x\n", 4).empty()); }

TEST_CASE("a line without end is refused", "[unit]") {
  cli::EventStream stream([](const cli::Event&) { return true; });
  const std::string piece(std::size_t{1} << 20U, 'x');
  CHECK(stream.feed(piece));
  CHECK(stream.feed(piece));
  CHECK_FALSE(stream.feed(piece));
  CHECK(stream.too_long());
}

}  // namespace flowtally::test
