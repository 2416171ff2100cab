// Goal: what the text of a flow costs, beside the same bytes made with snprintf and inet_ntop, and beside
// copying them, which is the least that anybody could pay.
//
// Method: one window of 100,000 flows, a tenth of them IPv6, counters of real sizes. All writers make the
// same array and are compared byte for byte first. Then rounds in which each runs once, in turn, on the CPU
// time of this thread; the figure is the median, and ratios are medians of the ratios within a round.
// write_window() is measured as it is used: it cuts the window into records, and so measures every entry
// before it writes it, and names the nodes: once where nothing is known of anybody, once in a tailnet of
// 1,000 nodes to which all flows belong, and once where every flow has a node of its own, which is the worst.
#include <algorithm>
#include <array>
#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <functional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include <arpa/inet.h>
#include <fmt/format.h>

#include "base/check.hpp"
#include "record/window_writer.hpp"
#include "record/writer.hpp"

namespace flowtally::bench {
namespace {

constexpr std::size_t kFlows = 100'000;
constexpr int kRounds = 31;

model::ClassifiedWindow make_window() {
  std::mt19937_64 random(20261122);  // NOLINT(cert-msc*): the same window on every run
  const auto below = [&](std::uint64_t end) { return random() % end; };
  const auto octet = [&] { return static_cast<std::uint8_t>(below(256)); };
  const auto port = [&] { return static_cast<std::uint16_t>(below(65536)); };
  std::vector<model::Flow> flows;
  flows.reserve(kFlows);
  for (std::size_t index = 0; index < kFlows; ++index) {
    model::Flow flow;
    if (index % 10 == 0) {
      const std::uint8_t prefix[] = {0xfd, 0x7a, 0x11, 0x5c, 0xa1, 0xe0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
      flow.local.address = model::Address::v6(prefix);
      flow.remote.address = model::Address::v6(prefix);
      for (std::size_t byte = 6; byte < 16; ++byte) flow.remote.address.bytes[byte] = octet();
    } else {
      flow.local.address = model::Address::v4({100, 64, 0, 1});
      flow.remote.address =
          model::Address::v4({100, static_cast<std::uint8_t>(64 + below(64)), octet(), octet()});
    }
    flow.local.port = port();
    flow.remote.port = port();
    flow.proto = below(4) == 0 ? 17 : 6;
    flow.counters = {.tx_packets = 1 + below(5000),
                     .tx_bytes = 60 + below(6'000'000),
                     .rx_packets = below(8) == 0 ? 0 : 1 + below(5000),
                     .rx_bytes = 0};
    if (flow.counters.rx_packets != 0) flow.counters.rx_bytes = 60 + below(6'000'000);
    flows.push_back(flow);
  }
  std::ranges::sort(flows, model::record_order);
  model::ClassifiedWindow window{.start = {.boot_ns = 0, .wall_ns = 1'763'860'141'000'000'000},
                                 .end = {.boot_ns = 5'000'000'000, .wall_ns = 1'763'860'146'000'000'000},
                                 .epoch = 1,
                                 .nodes = model::NodeMap::make({})};
  window.totals.hook = model::sum(flows);
  window.of(model::TrafficClass::kVirtual) = std::move(flows);
  return window;
}

model::Node make_node(std::uint64_t number, const model::Address& v4, const model::Address& v6) {
  return {.id = fmt::format("n{:06}CNTRL", number),
          .name = fmt::format("host-{}.tailnet-lab.ts.net", number),
          .os = "linux",
          .user = "user-123@example.net",
          .addresses = {v4, v6}};
}

/// The same window in a tailnet of so many peers, to which the remote ends belong in turn.
model::ClassifiedWindow with_nodes(model::ClassifiedWindow window, std::size_t peers) {
  model::Tailnet tailnet{.source = model::Tailnet::Source::kFile};
  auto& flows = window.of(model::TrafficClass::kVirtual);
  tailnet.self = make_node(0, flows.front().local.address, flows.back().local.address);
  for (std::size_t peer = 1; peer <= peers; ++peer) {
    const auto byte = [&](unsigned shift) { return static_cast<std::uint8_t>(peer >> shift); };
    const std::uint8_t v6[] = {0xfd, 0x7a, 0x11, 0x5c, 0xa1, 0xe0,     0x48,    0x43,
                               0xcd, 0x96, 0x62, 0x40, 1,    byte(16), byte(8), byte(0)};
    tailnet.peers.push_back(
        make_node(peer, model::Address::v4({100, static_cast<std::uint8_t>(65 + byte(16)), byte(8), byte(0)}),
                  model::Address::v6(v6)));
  }
  for (std::size_t at = 0; at < flows.size(); ++at) {
    model::Address& remote = flows[at].remote.address;
    for (const auto& address : tailnet.peers[at % peers].addresses) {
      if (address.family == remote.family) remote = address;
    }
  }
  std::ranges::sort(flows, model::record_order);
  window.nodes = model::NodeMap::make(std::move(tailnet));
  return window;
}

void write_ours(const std::vector<model::Flow>& flows, std::string& out) {
  for (const model::Flow& flow : flows) {
    record::append_entry(flow, out);
    out += ',';
  }
}

void append_end_with_libc(const char* name, const model::Endpoint& end, std::string& out) {
  const bool v6 = end.address.family == model::Address::Family::kV6;
  std::array<char, INET6_ADDRSTRLEN> address{};
  ::inet_ntop(v6 ? AF_INET6 : AF_INET, end.address.bytes.data(), address.data(), address.size());
  std::array<char, 96> text{};
  const int bytes = std::snprintf(text.data(), text.size(), v6 ? ",\"%s\":\"[%s]:%u\"" : ",\"%s\":\"%s:%u\"",
                                  name, address.data(), unsigned{end.port});
  out.append(text.data(), static_cast<std::size_t>(bytes));
}

void append_counter_with_libc(const char* name, std::uint64_t value, std::string& out) {
  if (value == 0) return;
  std::array<char, 48> text{};
  const int bytes = std::snprintf(text.data(), text.size(), ",\"%s\":%" PRIu64, name, value);
  out.append(text.data(), static_cast<std::size_t>(bytes));
}

/// What one would write first.
void write_with_libc(const std::vector<model::Flow>& flows, std::string& out) {
  for (const model::Flow& flow : flows) {
    std::array<char, 24> text{};
    out.append(text.data(), static_cast<std::size_t>(std::snprintf(text.data(), text.size(), "{\"proto\":%u",
                                                                   unsigned{flow.proto})));
    append_end_with_libc("src", flow.local, out);
    append_end_with_libc("dst", flow.remote, out);
    append_counter_with_libc("txPkts", flow.counters.tx_packets, out);
    append_counter_with_libc("txBytes", flow.counters.tx_bytes, out);
    append_counter_with_libc("rxPkts", flow.counters.rx_packets, out);
    append_counter_with_libc("rxBytes", flow.counters.rx_bytes, out);
    out += "},";
  }
}

double cpu_us() {
  timespec time{};
  static_cast<void>(::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time));
  return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_nsec) / 1e3;
}

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

struct Writer {
  Writer(std::string_view name_of, std::function<std::size_t()> writer)
      : name(name_of), run(std::move(writer)) {}

  std::string_view name;
  std::function<std::size_t()> run;  ///< gives the bytes that it made
  std::size_t bytes = 0;
  std::vector<double> us;  ///< one for each round
};

double times_faster(const Writer& fast, const Writer& slow) {
  std::vector<double> ratios(fast.us.size());
  std::ranges::transform(slow.us, fast.us, ratios.begin(), std::divides<>());
  return median(std::move(ratios));
}

double million_per_s(const Writer& writer) { return static_cast<double>(kFlows) / median(writer.us); }

using Writers = std::array<Writer, 6>;

double bytes_per_flow(const Writer& writer) {
  return static_cast<double>(writer.bytes) / static_cast<double>(kFlows);
}

void print(const Writers& writers, bool json) {
  const Writer& libc = writers[4];
  const Writer& copy = writers[5];
  if (json) {
    fmt::print("{{\"bench\":\"record_writer\",\"flows\":{},\"bytes\":{},\"rounds\":{},\"writers\":[", kFlows,
               writers[0].bytes, kRounds);
    for (const Writer& writer : writers) {
      fmt::print(
          "{}{{\"name\":\"{}\",\"mflows_per_s\":{:.3f},\"bytes_per_flow\":{:.1f},\"times_snprintf\":{:.3f},"
          "\"times_memcpy\":{:.4f}}}",
          &writer == writers.data() ? "" : ",", writer.name, million_per_s(writer), bytes_per_flow(writer),
          times_faster(writer, libc), times_faster(writer, copy));
    }
    fmt::print("]}}\n");
    return;
  }
  fmt::print("{} flows; median of {} rounds\n", kFlows, kRounds);
  fmt::print("{:<30} {:>10} {:>10} {:>11} {:>10} {:>10}\n", "writer", "M flows/s", "ns/flow", "bytes/flow",
             "x snprintf", "x memcpy");
  for (const Writer& writer : writers) {
    fmt::print("{:<30} {:>10.2f} {:>10.1f} {:>11.1f} {:>10.2f} {:>10.3f}\n", writer.name,
               million_per_s(writer), 1000 / million_per_s(writer), bytes_per_flow(writer),
               times_faster(writer, libc), times_faster(writer, copy));
  }
}

int run(bool json) {
  const model::ClassifiedWindow window = make_window();
  const model::ClassifiedWindow tailnet = with_nodes(window, 1000);
  const model::ClassifiedWindow crowd = with_nodes(window, kFlows);
  const auto& flows = window.of(model::TrafficClass::kVirtual);
  std::string ours;
  std::string libc;
  write_ours(flows, ours);
  write_with_libc(flows, libc);
  FLOWTALLY_CHECK(ours == libc);
  std::string copy(ours.size(), '\0');

  const auto write_records = [](const model::ClassifiedWindow& which) {
    std::size_t bytes = 0;
    record::write_window(which, {.node_id = "nLab01CNTRL", .boot_id = "5f0c3b1e-8b7e-4a53-9f0e-6d4f6a1c2b3d"},
                         {}, [&](std::string_view line) { bytes += line.size(); });
    return bytes;
  };
  Writers writers{{
      {"entries",
       [&] {
         ours.clear();
         write_ours(flows, ours);
         return ours.size();
       }},
      {"write_window, nobody known", [&] { return write_records(window); }},
      {"write_window, 1,000 nodes", [&] { return write_records(tailnet); }},
      {"write_window, 100,000 nodes", [&] { return write_records(crowd); }},
      {"snprintf and inet_ntop",
       [&] {
         libc.clear();
         write_with_libc(flows, libc);
         return libc.size();
       }},
      {"memcpy",
       [&] {
         std::memcpy(copy.data(), ours.data(), copy.size());
         return copy.size();
       }},
  }};
  for (int round = 0; round < kRounds; ++round) {
    for (Writer& writer : writers) {
      const double start = cpu_us();
      writer.bytes = writer.run();
      writer.us.push_back(cpu_us() - start);
    }
  }
  FLOWTALLY_CHECK(copy == ours && ours == libc && writers[1].bytes > ours.size());
  print(writers, json);
  return 0;
}

}  // namespace
}  // namespace flowtally::bench

int main(int argc, char** argv) {
  return flowtally::bench::run(argc > 1 && std::string_view(argv[1]) == "--json");
}
