#include <condition_variable>
#include <mutex>
#include <stop_token>
#include <string>

#include <zlib.h>

#include "api/answer.hpp"
#include "api/logged.hpp"
#include "api/pushed_body.hpp"
#include "support/catch.hpp"

namespace flowtally::test {
namespace {

/// All of a body, read in small bites.
std::string all_of(api::Body& body, std::size_t bite) {
  std::string text;
  std::string room(bite, '\0');
  for (;;) {
    const auto bytes = body.read(room);
    REQUIRE(bytes.has_value());
    if (*bytes == 0) return text;
    text.append(room, 0, *bytes);
  }
}

class CountingBody final : public api::Body {
 public:
  explicit CountingBody(std::size_t lines) : lines_(lines) {}
  base::Result<std::size_t> read(std::span<char> out) override {
    if (given_ == lines_) return 0;
    const std::string line = std::to_string(given_++) + "\n";
    return line.copy(out.data(), out.size());
  }

 private:
  std::size_t lines_;
  std::size_t given_ = 0;
};

std::string outgoing(std::string_view line) {
  api::OutgoingLine maker;
  api::Pieces pieces;
  maker.add_to(pieces, line);
  std::string text(1000, '\0');
  text.resize(pieces.take(text));
  CHECK(pieces.empty());
  return text;
}

constexpr std::string_view kOld =
    "{\"nodeId\":\"n1\",\"start\":\"2026-11-23T00:00:00Z\",\"end\":\"2026-11-23T00:00:05Z\","
    "\"srcNode\":{\"nodeId\":\"\\\"logged\\\":\\\"\"}}\n";

}  // namespace

TEST_CASE("pieces come out one after the other, whatever the room", "[unit]") {
  for (const std::size_t room : {1U, 2U, 3U, 100U}) {
    api::Pieces pieces;
    pieces.add("ab");
    pieces.add("");
    pieces.add("cde");
    std::string all;
    std::string out(room, '\0');
    while (!pieces.empty()) all.append(out, 0, pieces.take(out));
    CHECK(all == "abcde");
    pieces.add("f");
    CHECK(pieces.take(out) == 1);
  }
}

TEST_CASE("a gzip body is the body", "[unit]") {
  constexpr std::size_t kLines = 20'000;
  CountingBody plain(kLines);
  const std::string expected = all_of(plain, 64);
  auto gzip = api::gzip_body(std::make_unique<CountingBody>(kLines));
  REQUIRE(gzip.has_value());
  std::string packed = all_of(**gzip, 100);
  CHECK(packed.size() < expected.size() / 2);

  std::string unpacked(expected.size() + 1, '\0');
  z_stream stream{};
  REQUIRE(inflateInit2(&stream, 15 + 16) == Z_OK);
  stream.next_in = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_in = static_cast<uInt>(packed.size());
  stream.next_out = reinterpret_cast<Bytef*>(unpacked.data());
  stream.avail_out = static_cast<uInt>(unpacked.size());
  CHECK(inflate(&stream, Z_FINISH) == Z_STREAM_END);
  unpacked.resize(stream.total_out);
  inflateEnd(&stream);
  CHECK(unpacked == expected);
}

TEST_CASE("a writer's texts come out in order, however far it is ahead", "[unit]") {
  constexpr std::size_t kLines = 100'000;  // more than it may be ahead
  CountingBody plain(kLines);
  const std::string expected = all_of(plain, 64);
  for (const std::size_t bite : {7U, 1000U, 1'000'000U}) {
    auto body =
        api::pushed_body({.writer = [&](const api::Emit& emit, const std::stop_token&) -> base::Status {
          for (std::size_t line = 0; line < kLines; ++line)
            static_cast<void>(emit(std::to_string(line) + "\n"));
          return {};
        }});
    REQUIRE(body.has_value());
    CHECK(all_of(**body, bite) == expected);
  }
}

TEST_CASE("a writer whose client is gone is told so, and waited for", "[unit]") {
  bool told = false;
  {
    auto body =
        api::pushed_body({.writer = [&](const api::Emit& emit, const std::stop_token&) -> base::Status {
          while (emit(std::string(1000, 'x'))) continue;
          told = true;
          return {};
        }});
    REQUIRE(body.has_value());
  }
  CHECK(told);
}

TEST_CASE("a writer that has nothing to say is stopped when nobody waits any more", "[unit]") {
  bool stopped = false;
  const auto body =
      api::pushed_body({.writer = [&](const api::Emit&, const std::stop_token& stop) -> base::Status {
                          std::mutex mutex;
                          std::condition_variable_any changed;
                          std::unique_lock lock(mutex);
                          changed.wait(lock, stop, [] { return false; });
                          stopped = stop.stop_requested();
                          return {};
                        },
                        .abandoned = [] { return true; }});
  CHECK_FALSE(body.has_value());
  CHECK(stopped);
}

TEST_CASE("a writer's error comes before its first text, or at its end", "[unit]") {
  const base::Error error(base::ErrorCode::kCorrupt, "broken");
  const auto at_once =
      api::pushed_body({.writer = [&](const api::Emit&, const std::stop_token&) -> base::Status {
        return base::fail(error);
      }});
  REQUIRE_FALSE(at_once.has_value());
  CHECK(at_once.error().text() == "broken");
  auto later =
      api::pushed_body({.writer = [&](const api::Emit& emit, const std::stop_token&) -> base::Status {
        static_cast<void>(emit("some"));
        return base::fail(error);
      }});
  REQUIRE(later.has_value());
  std::string room(100, '\0');
  CHECK((*later)->read(room).value() == 4);
  CHECK_FALSE((*later)->read(room).has_value());
  CHECK_FALSE((*later)->read(room).has_value());
  auto nothing = api::pushed_body(
      {.writer = [](const api::Emit&, const std::stop_token&) -> base::Status { return {}; }});
  REQUIRE(nothing.has_value());
  CHECK((*nothing)->read(room).value() == 0);
}

TEST_CASE("a line without its time of logging gets the end of its window", "[unit]") {
  CHECK(api::logged_at(kOld) == 1'795'392'005'000'000'000);
  CHECK(outgoing(kOld) ==
        "{\"logged\":\"2026-11-23T00:00:05Z\"," + std::string(kOld.substr(1, kOld.size() - 2)));
}

TEST_CASE("a line with its time of logging goes out as it is", "[unit]") {
  const std::string front = "{\"logged\":\"2026-11-23T00:00:06.5Z\"," + std::string(kOld.substr(1));
  CHECK(api::logged_at(front) == 1'795'392'006'500'000'000);
  CHECK(outgoing(front) == front.substr(0, front.size() - 1));
  const std::string behind =
      "{\"nodeId\":\"n1\",\"end\":\"2026-11-23T00:00:05Z\",\"logged\":\"2026-11-23T00:00:06Z\","
      "\"virtualTraffic\":[]}";
  CHECK(api::logged_at(behind) == 1'795'392'006'000'000'000);
  CHECK(outgoing(behind) == behind);
}

TEST_CASE("a line without any time has none and goes out as it is", "[unit]") {
  for (const char* const line :
       {"", "{", "{}", "\n", "{\"end\":\"soon\"}", "[{\"end\":\"2026-11-23T00:00:05Z\"}]"}) {
    CAPTURE(line);
    CHECK_FALSE(api::logged_at(line).has_value());
    CHECK(outgoing(line) == (line[0] == '\n' ? "" : line));
  }
}

}  // namespace flowtally::test
