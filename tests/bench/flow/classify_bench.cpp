// Goal: what it costs to say of each flow of a window which kind of traffic it is, in a large tailnet, and to
// make its records; and what the look-ups alone cost.
//
// Method: a tailnet of 10,000 peers with an IPv4 and an IPv6 address each, and 10,000 subnet routes, of which
// a tenth are IPv6. Windows of 100,000 flows in record order, a tenth of them IPv6, of one kind of traffic
// each and mixed; the class of every flow is checked first. Then rounds in which everything runs once, in
// turn, on the CPU time of this thread; the figure is the median. classify() is measured with the lists that
// it makes and their end; "copy" is a copy of the flows of the mixed window, which is the least that lists
// can cost. "To records" is classify() and write_window(), with the nodes in each record. Look-ups are of the
// remote ends of the mixed window in random order: nodes, subnets, strangers.
#include <algorithm>
#include <array>
#include <cstdio>
#include <ctime>
#include <functional>
#include <memory>
#include <random>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/check.hpp"
#include "flow/classifier.hpp"
#include "record/window_writer.hpp"

namespace flowtally::bench {
namespace {

using model::Address;
using model::Flow;
using model::TrafficClass;

constexpr std::size_t kFlows = 100'000;
constexpr std::size_t kPeers = 10'000;
constexpr std::size_t kRoutes = 10'000;
constexpr int kRounds = 31;

/// Tailnet, windows and questions, the same on every run.
class Maker {
 public:
  std::uint64_t below(std::uint64_t end) { return random_() % end; }

  static Address peer(std::size_t number, bool v6) {
    const auto high = static_cast<std::uint8_t>(number >> 8U);
    const auto low = static_cast<std::uint8_t>(number);
    if (!v6) return Address::v4({100, 70, high, low});
    return Address::v6(
        {0xfd, 0x7a, 0x11, 0x5c, 0xa1, 0xe0, 0xab, 0x12, 0x48, 0x43, 0xcd, 0x96, 0x62, 0x40, high, low});
  }
  static Address self(bool v6) { return peer(kPeers, v6); }
  /// A /24 of 10.0.0.0/8, every other one of its neighbours; or a /64.
  static model::Prefix subnet(std::size_t number) {
    const auto high = static_cast<std::uint8_t>(number >> 7U);
    const auto low = static_cast<std::uint8_t>(number << 1U);
    if (number % 10 != 0) return model::Prefix::of(Address::v4({10, high, low, 0}), 24);
    return model::Prefix::of(Address::v6({0xfd, 0x12, 0, 0, 0, 0, high, low, 0, 0, 0, 0, 0, 0, 0, 0}), 64);
  }

  Address any_peer(bool v6) { return peer(below(kPeers), v6); }
  Address any_in_subnets(bool v6) {
    Address address = subnet(v6 ? below(kRoutes / 10) * 10 : below(kRoutes / 10) * 10 + 1 + below(9)).address;
    address.bytes[v6 ? 15 : 3] = octet();
    return address;
  }
  Address any_stranger(bool v6) {
    if (!v6) return Address::v4({static_cast<std::uint8_t>(20 + below(70)), octet(), octet(), octet()});
    return Address::v6({0x26, octet(), octet(), octet(), octet(), octet(), octet(), octet(), 0, 0, 0, 0,
                        octet(), octet(), octet(), octet()});
  }

  Flow flow(const Address& local, const Address& remote) {
    return {.local = {.address = local, .port = static_cast<std::uint16_t>(below(65536))},
            .remote = {.address = remote, .port = static_cast<std::uint16_t>(below(65536))},
            .proto = static_cast<std::uint8_t>(below(4) == 0 ? 17 : 6),
            .counters = {.tx_packets = 1 + below(5000),
                         .tx_bytes = 60 + below(6'000'000),
                         .rx_packets = 1 + below(5000),
                         .rx_bytes = 60 + below(6'000'000)}};
  }
  Flow virtual_flow(bool v6) { return flow(self(v6), any_peer(v6)); }
  Flow subnet_flow(bool v6) { return flow(self(v6), any_in_subnets(v6)); }
  Flow router_flow(bool v6) { return flow(any_in_subnets(v6), any_peer(v6)); }
  Flow exit_flow(bool v6) { return flow(self(v6), any_stranger(v6)); }
  Flow exit_node_flow(bool v6) { return flow(any_stranger(v6), any_peer(v6)); }
  Flow mixed_flow(bool v6) {
    switch (below(5)) {
      case 0: return subnet_flow(v6);
      case 1: return router_flow(v6);
      case 2: return exit_flow(v6);
      case 3: return exit_node_flow(v6);
      default: return virtual_flow(v6);
    }
  }

  model::Window window(Flow (Maker::*make)(bool)) {
    model::Window window{.epoch = 1};
    window.flows.reserve(kFlows);
    for (std::size_t at = 0; at < kFlows; ++at) window.flows.push_back((this->*make)(at % 10 == 0));
    std::ranges::sort(window.flows, model::record_order);
    window.totals.hook = window.accounted();
    return window;
  }

  static model::Tailnet tailnet() {
    model::Tailnet tailnet{.source = model::Tailnet::Source::kTailscaled};
    tailnet.prefs = model::RoutingPrefs{.accept_routes = true};
    tailnet.prefs->advertised_routes = {model::Prefix::of(Address::v4({0, 0, 0, 0}), 0)};
    tailnet.self.id = "nLab01CNTRL";
    tailnet.self.addresses = {self(false), self(true)};
    tailnet.peers.resize(kPeers);
    for (std::size_t number = 0; number < kPeers; ++number) {
      model::Node& node = tailnet.peers[number];
      node.id = fmt::format("n{:06}CNTRL", number);
      node.name = fmt::format("host-{}.tailnet-lab.ts.net", number);
      node.os = "linux";
      node.user = "user-123@example.net";
      node.addresses = {peer(number, false), peer(number, true)};
      for (const Address& address : node.addresses) {
        node.allowed_ips.push_back(model::Prefix::single(address));
      }
      if (number < kRoutes) node.allowed_ips.push_back(subnet(number));
      node.endpoints = {{.address = Address::v4({198, 51, static_cast<std::uint8_t>(number >> 8U),
                                                 static_cast<std::uint8_t>(number)}),
                         .port = 41641}};
    }
    return tailnet;
  }

 private:
  std::uint8_t octet() { return static_cast<std::uint8_t>(below(256)); }

  std::mt19937_64 random_{20261123};  // NOLINT(cert-msc*): the same on every run
};

double cpu_us() {
  timespec time{};
  static_cast<void>(::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time));
  return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_nsec) / 1e3;
}

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

/// Something that is measured: it does `kFlows` of its things, or one building of a node map.
struct Measured {
  Measured(std::string_view name_of, std::function<std::size_t()> what)
      : name(name_of), run(std::move(what)) {}

  std::string_view name;
  std::function<std::size_t()> run;  ///< gives a count that depends on all of the work
  std::size_t count = 0;
  std::vector<double> us;  ///< one for each round
};

struct Inputs {
  std::shared_ptr<const model::NodeMap> nodes = model::NodeMap::make(Maker::tailnet());
  model::Window virtual_only;
  model::Window subnet_only;
  model::Window exit_only;
  model::Window exit_node_only;
  model::Window mixed;
  std::vector<Address> asked;
  std::shared_ptr<const model::NodeMap> nobody = model::NodeMap::make({});

  Inputs() {
    Maker maker;
    virtual_only = maker.window(&Maker::virtual_flow);
    subnet_only = maker.window(&Maker::subnet_flow);
    exit_only = maker.window(&Maker::exit_flow);
    exit_node_only = maker.window(&Maker::exit_node_flow);
    mixed = maker.window(&Maker::mixed_flow);
    for (const Flow& flow : mixed.flows) asked.push_back(flow.remote.address);
    for (std::size_t at = asked.size(); at > 1; --at) std::swap(asked[at - 1], asked[maker.below(at)]);
  }
};

/// Rows in a class, of a window as it is, none anonymised.
std::size_t rows(const Inputs& in, const model::Window& window, TrafficClass which) {
  return flow::classify(window, in.nodes, {.anonymise_exit = false}).of(which).size();
}

void check_inputs(const Inputs& in) {
  FLOWTALLY_CHECK(rows(in, in.virtual_only, TrafficClass::kVirtual) == kFlows);
  FLOWTALLY_CHECK(rows(in, in.subnet_only, TrafficClass::kSubnet) == kFlows);
  FLOWTALLY_CHECK(rows(in, in.exit_only, TrafficClass::kExit) == kFlows);
  FLOWTALLY_CHECK(rows(in, in.exit_node_only, TrafficClass::kExit) == kFlows);
  for (const auto which : {TrafficClass::kVirtual, TrafficClass::kSubnet, TrafficClass::kExit}) {
    FLOWTALLY_CHECK(rows(in, in.mixed, which) > kFlows / 10);
  }
}

std::function<std::size_t()> classifying(const model::Window& window,
                                         const std::shared_ptr<const model::NodeMap>& nodes, bool anonymise) {
  return [&window, nodes, anonymise] {
    const auto classified = flow::classify(window, nodes, {.anonymise_exit = anonymise});
    std::size_t rows = 0;
    for (const auto& list : classified.traffic) rows += list.size();
    return rows;
  };
}

/// Gives the number of records.
std::function<std::size_t()> to_records(const model::Window& window,
                                        const std::shared_ptr<const model::NodeMap>& nodes, bool anonymise) {
  return [&window, nodes, anonymise] {
    const auto classified = flow::classify(window, nodes, {.anonymise_exit = anonymise});
    std::size_t records = 0;
    record::write_window(classified,
                         {.node_id = "nLab01CNTRL", .boot_id = "5f0c3b1e-8b7e-4a53-9f0e-6d4f6a1c2b3d"}, {},
                         [&](std::string_view) { ++records; });
    return records;
  };
}

template <class Look>
std::function<std::size_t()> looking(const Inputs& in, Look look) {
  return [&in, look] {
    std::size_t found = 0;
    for (const Address& address : in.asked) found += look(*in.nodes, address) ? 1 : 0;
    return found;
  };
}

std::vector<Measured> everything(const Inputs& in) {
  std::vector<Measured> all;
  all.emplace_back("virtual", classifying(in.virtual_only, in.nodes, true));
  all.emplace_back("subnet", classifying(in.subnet_only, in.nodes, true));
  all.emplace_back("exit, client, anonymised", classifying(in.exit_only, in.nodes, true));
  all.emplace_back("exit, client, as it is", classifying(in.exit_only, in.nodes, false));
  all.emplace_back("exit, exit node, anonymised", classifying(in.exit_node_only, in.nodes, true));
  all.emplace_back("exit, exit node, as it is", classifying(in.exit_node_only, in.nodes, false));
  all.emplace_back("mixed, anonymised", classifying(in.mixed, in.nodes, true));
  all.emplace_back("mixed, as it is", classifying(in.mixed, in.nodes, false));
  all.emplace_back("mixed, nobody known", classifying(in.mixed, in.nobody, true));
  all.emplace_back("virtual, to records", to_records(in.virtual_only, in.nodes, true));
  all.emplace_back("mixed, anonymised, to records", to_records(in.mixed, in.nodes, true));
  all.emplace_back("mixed, as it is, to records", to_records(in.mixed, in.nodes, false));
  all.emplace_back("copy", [&in] {
    const std::vector<Flow> copy = in.mixed.flows;
    return copy.size();
  });
  all.emplace_back("node_at", looking(in, [](const model::NodeMap& nodes, const Address& address) {
                     return nodes.node_at(address).has_value();
                   }));
  all.emplace_back("routed", looking(in, [](const model::NodeMap& nodes, const Address& address) {
                     return nodes.routed(address);
                   }));
  all.emplace_back("route_owner", looking(in, [](const model::NodeMap& nodes, const Address& address) {
                     return nodes.route_owner(address).has_value();
                   }));
  return all;
}

void print(const std::vector<Measured>& all, double build_us, bool json) {
  const auto million_per_s = [](const Measured& one) { return static_cast<double>(kFlows) / median(one.us); };
  if (json) {
    fmt::print(
        "{{\"bench\":\"classify\",\"flows\":{},\"peers\":{},\"routes\":{},\"rounds\":{},"
        "\"build_ms\":{:.3f},\"figures\":[",
        kFlows, kPeers, kRoutes, kRounds, build_us / 1000);
    for (const Measured& one : all) {
      fmt::print("{}{{\"name\":\"{}\",\"million_per_s\":{:.3f},\"ns\":{:.2f},\"count\":{}}}",
                 &one == all.data() ? "" : ",", one.name, million_per_s(one), 1000 / million_per_s(one),
                 one.count);
    }
    fmt::print("]}}\n");
    return;
  }
  fmt::print("{} flows or addresses, {} peers, {} routes; median of {} rounds\n", kFlows, kPeers, kRoutes,
             kRounds);
  fmt::print("{:<30} {:>12} {:>8} {:>14}\n", "what", "million/s", "ns", "made or found");
  for (const Measured& one : all) {
    fmt::print("{:<30} {:>12.2f} {:>8.1f} {:>14}\n", one.name, million_per_s(one), 1000 / million_per_s(one),
               one.count);
  }
  fmt::print("a node map is built in {:.2f} ms\n", build_us / 1000);
}

int run(bool json) {
  const Inputs in;
  check_inputs(in);
  std::vector<Measured> all = everything(in);
  std::vector<double> build_us;
  for (int round = 0; round < kRounds; ++round) {
    for (Measured& one : all) {
      const double start = cpu_us();
      one.count = one.run();
      one.us.push_back(cpu_us() - start);
    }
    model::Tailnet tailnet = in.nodes->tailnet();
    const double start = cpu_us();
    const auto nodes = model::NodeMap::make(std::move(tailnet));
    build_us.push_back(cpu_us() - start);
    FLOWTALLY_CHECK(nodes->size() == kPeers + 1);
  }
  print(all, median(std::move(build_us)), json);
  return 0;
}

}  // namespace
}  // namespace flowtally::bench

int main(int argc, char** argv) {
  return flowtally::bench::run(argc > 1 && std::string_view(argv[1]) == "--json");
}
