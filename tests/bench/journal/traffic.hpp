// This file is the traffic of the benchmarks of journal and query: records as the agent's writer makes them,
// of a tailnet of 200 peers, in windows of 10,000 flows, of which nine in ten go on in the next window.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <ctime>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "base/check.hpp"
#include "journal/entry.hpp"
#include "record/window_writer.hpp"

namespace flowtally::bench {

inline constexpr std::size_t kFlowsPerWindow = 10'000;
inline constexpr std::size_t kPeers = 200;
inline constexpr std::uint64_t kNeedleEpoch = 100;
inline constexpr std::string_view kNeedle = "100.99.77.55:4711";

struct Window {
  std::vector<std::string> lines;
  std::vector<journal::Entry> entries;
};

class Traffic {
 public:
  Traffic() {
    model::Tailnet tailnet{.source = model::Tailnet::Source::kFile};
    tailnet.self = node(0);
    for (std::size_t peer = 1; peer <= kPeers; ++peer) tailnet.peers.push_back(node(peer));
    nodes_ = model::NodeMap::make(std::move(tailnet));
    for (std::size_t flow = 0; flow < kFlowsPerWindow; ++flow) flows_.push_back(make_flow());
  }

  /// The lines of the next window.
  Window next(std::uint64_t epoch) {
    for (model::Flow& flow : flows_) {
      if (below(10) == 0) flow = make_flow();
      flow.counters = make_counters();
    }
    const std::int64_t start = 1'763'860'141'000'000'000 + static_cast<std::int64_t>(epoch) * 5'000'000'000;
    model::ClassifiedWindow window{.start = {.boot_ns = 0, .wall_ns = start},
                                   .end = {.boot_ns = 5'000'000'000, .wall_ns = start + 5'000'000'000},
                                   .epoch = epoch,
                                   .nodes = nodes_};
    auto& flows = window.of(model::TrafficClass::kVirtual);
    flows = flows_;
    if (epoch == kNeedleEpoch) flows.front().remote = {.address = address(99, 77, 55), .port = 4711};
    std::ranges::sort(flows, model::record_order);
    window.totals.hook = model::sum(flows);
    Window text;
    record::write_window(window,
                         {.node_id = "n000000CNTRL", .boot_id = "c6f8a7e0-0000-4000-8000-000000000001"}, {},
                         [&](std::string_view line) { text.lines.emplace_back(line); });
    for (const std::string& line : text.lines) {
      const auto part = static_cast<std::uint32_t>(text.entries.size() + 1);
      text.entries.push_back({.line = line,
                              .start_ns = window.start.wall_ns,
                              .end_ns = window.end.wall_ns,
                              .key = {.boot_hash = 1,
                                      .epoch = epoch,
                                      .part = part,
                                      .parts = static_cast<std::uint32_t>(text.lines.size())}});
    }
    return text;
  }

 private:
  static model::Address address(unsigned second, unsigned third, unsigned fourth) {
    return model::Address::v4({100, static_cast<std::uint8_t>(second), static_cast<std::uint8_t>(third),
                               static_cast<std::uint8_t>(fourth)});
  }
  static model::Node node(std::size_t number) {
    return {.id = fmt::format("n{:06}CNTRL", number),
            .name = fmt::format("host-{}.tailnet-lab.ts.net", number),
            .os = "linux",
            .user = "user-123@example.net",
            .addresses = {address(64, 0, static_cast<unsigned>(number) + 1)}};
  }
  std::uint64_t below(std::uint64_t end) { return random_() % end; }
  /// Few peers and services, many ephemeral ports, as traffic is; half of the flows are ours, half the
  /// peers'.
  model::Flow make_flow() {
    static constexpr std::array<std::uint16_t, 8> kServices = {22, 53, 80, 443, 2049, 3306, 5432, 9100};
    const auto service = kServices.at(below(kServices.size()));
    const auto ephemeral = static_cast<std::uint16_t>(32'768 + below(28'000));
    const bool ours = below(2) == 0;
    return {.local = {.address = address(64, 0, 1), .port = ours ? ephemeral : service},
            .remote = {.address = address(64, 0, static_cast<unsigned>(2 + below(kPeers))),
                       .port = ours ? service : ephemeral},
            .proto = service == 53 ? std::uint8_t{17} : std::uint8_t{6},
            .counters = {}};
  }
  /// Most flows of a window are small.
  model::Counters make_counters() {
    const std::uint64_t packets = 1 + (below(8) == 0 ? below(5000) : below(20));
    const std::uint64_t answers = 1 + packets / 2 + below(3);
    return {.tx_packets = packets,
            .tx_bytes = packets * (60 + below(900)),
            .rx_packets = answers,
            .rx_bytes = answers * (60 + below(900))};
  }

  std::mt19937_64 random_{20261123};  // NOLINT(cert-msc*): the same records on every run
  std::shared_ptr<const model::NodeMap> nodes_;
  std::vector<model::Flow> flows_;
};

/// At least `bytes_min` of lines; `bytes`: how many.
inline std::vector<Window> make_windows(std::size_t bytes_min, std::size_t& bytes) {
  Traffic traffic;
  std::vector<Window> windows;
  bytes = 0;
  for (std::uint64_t epoch = 1; bytes < bytes_min; ++epoch) {
    windows.push_back(traffic.next(epoch));
    for (const std::string& line : windows.back().lines) bytes += line.size();
  }
  FLOWTALLY_CHECK(windows.size() > kNeedleEpoch);
  return windows;
}

inline double seconds(clockid_t clock) {
  timespec time{};
  static_cast<void>(::clock_gettime(clock, &time));
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

inline double measure(clockid_t clock, const std::function<void()>& run) {
  const double start = seconds(clock);
  run();
  return seconds(clock) - start;
}

inline double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

}  // namespace flowtally::bench
