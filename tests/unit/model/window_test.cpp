#include "model/window.hpp"

#include "support/catch.hpp"

namespace flowtally::model {
namespace {

Flow flow_of(std::uint8_t local, std::uint8_t remote, std::uint8_t proto, const Counters& counters = {}) {
  return {.local = {.address = Address::v4({100, 64, 0, local}), .port = 0},
          .remote = {.address = Address::v4({100, 64, 0, remote}), .port = 0},
          .proto = proto,
          .counters = counters};
}

/// A window in which everything has a part, and which adds up.
Window whole_window() {
  Window window;
  window.flows = {flow_of(1, 2, 6, {.tx_packets = 1, .tx_bytes = 100, .rx_packets = 2, .rx_bytes = 200}),
                  flow_of(1, 3, 17, {.tx_packets = 3, .tx_bytes = 300, .rx_packets = 0, .rx_bytes = 0})};
  window.coarse = {flow_of(0, 4, 6, {.tx_packets = 5, .tx_bytes = 500, .rx_packets = 6, .rx_bytes = 600})};
  window.totals.unparsed = {.tx_packets = 0, .tx_bytes = 0, .rx_packets = 7, .rx_bytes = 70};
  window.totals.excluded = {.tx_packets = 8, .tx_bytes = 80, .rx_packets = 0, .rx_bytes = 0};
  window.totals.hook = {.tx_packets = 17, .tx_bytes = 980, .rx_packets = 15, .rx_bytes = 870};
  return window;
}

TEST_CASE("records are ordered by local end, then remote end, then protocol", "[unit]") {
  const std::vector<Flow> ascending = {flow_of(1, 1, 1), flow_of(1, 1, 6), flow_of(1, 2, 1),
                                       flow_of(2, 1, 1)};
  for (std::size_t left = 0; left < ascending.size(); ++left) {
    for (std::size_t right = 0; right < ascending.size(); ++right) {
      CHECK(record_order(ascending[left], ascending[right]) == (left < right));
    }
  }
}

TEST_CASE("the order does not look at counters", "[unit]") {
  const Flow few = flow_of(1, 2, 6);
  const Flow many = flow_of(1, 2, 6, {.tx_packets = 9, .tx_bytes = 9, .rx_packets = 9, .rx_bytes = 9});
  CHECK_FALSE(record_order(few, many));
  CHECK_FALSE(record_order(many, few));
}

TEST_CASE("a flow without a local end comes before all that have one", "[unit]") {
  Flow coarse = flow_of(0, 255, 255);
  coarse.local = {};
  CHECK(record_order(coarse, flow_of(0, 0, 0)));
}

TEST_CASE("counters add up field by field", "[unit]") {
  const Counters one{.tx_packets = 1, .tx_bytes = 2, .rx_packets = 3, .rx_bytes = 4};
  const Counters ten{.tx_packets = 10, .tx_bytes = 20, .rx_packets = 30, .rx_bytes = 40};
  CHECK(one + ten == Counters{.tx_packets = 11, .tx_bytes = 22, .rx_packets = 33, .rx_bytes = 44});
  CHECK(Counters{}.zero());
  CHECK_FALSE(one.zero());
  CHECK(sum({}).zero());
}

TEST_CASE("a window adds up over flows, coarse, unparsed and excluded", "[unit]") {
  const Window window = whole_window();
  CHECK(window.accounted() == window.totals.hook);
  CHECK(window.conserved());
}

TEST_CASE("one packet or one byte too few or too many, in any direction, is seen", "[unit]") {
  std::uint64_t Counters::* const field =
      GENERATE(&Counters::tx_packets, &Counters::tx_bytes, &Counters::rx_packets, &Counters::rx_bytes);
  Window more = whole_window();
  ++(more.totals.hook.*field);
  CHECK_FALSE(more.conserved());
  Window fewer = whole_window();
  --(fewer.totals.hook.*field);
  CHECK_FALSE(fewer.conserved());
}

TEST_CASE("`rest` is part of the coarse flows and not counted again", "[unit]") {
  Window window = whole_window();
  window.totals.rest = window.coarse[0].counters;
  CHECK(window.conserved());
}

TEST_CASE("a window is idle only where nothing passed the hook and nothing is listed", "[unit]") {
  CHECK(Window{}.idle());
  CHECK(Window{}.conserved());
  Window passed;
  passed.totals.hook.rx_packets = 1;
  CHECK_FALSE(passed.idle());
  Window listed;
  listed.coarse = {flow_of(0, 1, 6)};
  CHECK_FALSE(listed.idle());
}

}  // namespace
}  // namespace flowtally::model
