// This file makes random flows and windows for the property tests, from a fixed seed: the same ones on every
// run.
#pragma once

#include <algorithm>
#include <cstdint>
#include <random>
#include <vector>

#include "model/window.hpp"

namespace flowtally::record {

class RandomTraffic {
 public:
  explicit RandomTraffic(std::uint64_t seed) : engine_(seed) {}

  std::uint64_t below(std::uint64_t end) { return engine_() % end; }
  bool one_in(std::uint64_t chances) { return below(chances) == 0; }
  /// Any number of bits is as likely as any other, none included.
  std::uint64_t number(unsigned bits_max) {
    const auto bits = below(bits_max + 1);
    return bits == 0 ? 0 : engine_() >> (64 - bits);
  }

  model::Address v4() {
    const std::uint64_t value = engine_();
    return model::Address::v4({static_cast<std::uint8_t>(value), static_cast<std::uint8_t>(value >> 8U),
                               static_cast<std::uint8_t>(value >> 16U),
                               static_cast<std::uint8_t>(value >> 24U)});
  }
  /// With runs of zero groups more often than chance has them, and IPv4-mapped ones.
  model::Address v6() {
    model::Address address{.family = model::Address::Family::kV6};
    const std::uint64_t zeros = engine_();
    for (std::size_t group = 0; group < 8; ++group) {
      const std::uint64_t value = (zeros >> group & 1U) != 0 ? 0 : number(16);
      address.bytes[group * 2] = static_cast<std::uint8_t>(value >> 8U);
      address.bytes[group * 2 + 1] = static_cast<std::uint8_t>(value);
    }
    if (one_in(10)) {
      std::fill_n(address.bytes.begin(), 10, std::uint8_t{0});
      std::fill_n(address.bytes.begin() + 10, 2, std::uint8_t{0xFF});
    }
    return address;
  }
  model::Endpoint endpoint(bool wants_v6) {
    return {.address = wants_v6 ? v6() : v4(), .port = static_cast<std::uint16_t>(number(16))};
  }

  /// Sums of a hundred thousand of them stay within 64 bits.
  model::Counters counters() {
    return {
        .tx_packets = number(32), .tx_bytes = number(44), .rx_packets = number(32), .rx_bytes = number(44)};
  }
  model::Flow flow() {
    const bool wants_v6 = one_in(3);
    return {.local = endpoint(wants_v6),
            .remote = endpoint(wants_v6),
            .proto = static_cast<std::uint8_t>(below(256)),
            .counters = counters()};
  }
  model::Flow coarse_flow() {
    model::Flow coarse = flow();
    coarse.local = {};
    coarse.remote.port = 0;
    if (one_in(4)) coarse.remote = {};
    return coarse;
  }

  /// Conserved and sorted.
  model::Window window(std::size_t flows, std::size_t coarse) {
    model::Window window;
    for (std::size_t index = 0; index < flows; ++index) window.flows.push_back(flow());
    for (std::size_t index = 0; index < coarse; ++index) window.coarse.push_back(coarse_flow());
    std::ranges::sort(window.flows, model::record_order);
    std::ranges::sort(window.coarse, model::record_order);
    if (one_in(2)) window.totals.unparsed = counters();
    if (one_in(2)) window.totals.excluded = counters();
    window.totals.hook = window.accounted();
    window.epoch = 1 + number(40);
    window.start = {.boot_ns = 5'000'000'000, .wall_ns = 1'700'000'000'000'000'000};
    const auto length = static_cast<std::int64_t>(number(34));
    window.end = {.boot_ns = window.start.boot_ns + length, .wall_ns = window.start.wall_ns + length};
    return window;
  }

 private:
  std::mt19937_64 engine_;
};

}  // namespace flowtally::record
