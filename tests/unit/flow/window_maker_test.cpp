// Goal: a window holds everything that its generation held, each count once, in record order. Method: small
// generations written out by hand, then random ones of which every entry must be found again.
#include "flow/window_maker.hpp"

#include <algorithm>
#include <cstring>
#include <initializer_list>
#include <iterator>
#include <tuple>
#include <vector>

#include "support/catch.hpp"
#include "unit/record/random_traffic.hpp"

namespace flowtally::flow {
namespace {

using model::Address;
using model::Counters;

constexpr Counters kSome{.tx_packets = 1, .tx_bytes = 100, .rx_packets = 2, .rx_bytes = 200};

ft_flow4_key key4(std::uint8_t local, std::uint8_t remote, std::uint16_t local_port,
                  std::uint16_t remote_port, std::uint8_t proto) {
  return {.local = {100, 64, 0, local},
          .remote = {100, 64, 0, remote},
          .local_port = local_port,
          .remote_port = remote_port,
          .proto = proto,
          .pad = {}};
}

ft_flow6_key key6(std::uint8_t local, std::uint8_t remote, std::uint16_t local_port,
                  std::uint16_t remote_port, std::uint8_t proto) {
  ft_flow6_key key{};
  key.local[0] = key.remote[0] = 0xfd;
  key.local[15] = local;
  key.remote[15] = remote;
  key.local_port = local_port;
  key.remote_port = remote_port;
  key.proto = proto;
  return key;
}

ft_coarse_key coarse_key(std::initializer_list<std::uint8_t> remote, std::uint8_t family,
                         std::uint8_t proto) {
  ft_coarse_key key{};
  std::copy(remote.begin(), remote.end(), key.remote);
  key.family = family;
  key.proto = proto;
  return key;
}

/// Every kind of entry has a part, and the totals say so.
model::Generation whole_generation() {
  model::Generation generation{
      .epoch = 7, .start = {.boot_ns = 1, .wall_ns = 2}, .end = {.boot_ns = 3, .wall_ns = 4}};
  generation.flows4 = {{.key = key4(1, 2, 443, 5555, 6), .counters = kSome}};
  generation.flows6 = {{.key = key6(1, 2, 53, 4444, 17), .counters = kSome}};
  generation.coarse = {{.key = coarse_key({100, 64, 0, 9}, 4, 6), .counters = kSome}};
  generation.rest = {{.key = 47, .counters = kSome}};
  generation.totals.rest = kSome;
  generation.totals.unparsed = kSome;
  generation.totals.excluded = kSome;
  generation.totals.hook = kSome + kSome + kSome + kSome + kSome + kSome;
  return generation;
}

TEST_CASE("a flow keeps its ends, ports, protocol and counts", "[unit]") {
  const model::Window window = make_window(whole_generation());
  REQUIRE(window.flows.size() == 2);
  CHECK(window.flows[0] == model::Flow{.local = {.address = Address::v4({100, 64, 0, 1}), .port = 443},
                                       .remote = {.address = Address::v4({100, 64, 0, 2}), .port = 5555},
                                       .proto = 6,
                                       .counters = kSome});
  CHECK(window.flows[1] ==
        model::Flow{.local = {.address = Address::v6({0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}),
                              .port = 53},
                    .remote = {.address = Address::v6({0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2}),
                               .port = 4444},
                    .proto = 17,
                    .counters = kSome});
}

TEST_CASE("epoch, times and totals are taken as they are", "[unit]") {
  model::Generation generation = whole_generation();
  generation.totals.unparsed_packets[FT_UNPARSED_TRUNCATED] = 3;
  generation.totals.excluded_packets[FT_EXCLUDED_MULTICAST] = 4;
  generation.totals.flow_insert_failures[FT_INSERT_FULL] = 5;
  generation.totals.coarse_insert_failures[FT_INSERT_BUSY] = 6;
  const model::Window window = make_window(generation);
  CHECK(window.epoch == 7);
  CHECK(window.start == generation.start);
  CHECK(window.end == generation.end);
  CHECK(window.totals.hook == generation.totals.hook);
  CHECK(window.totals.unparsed == generation.totals.unparsed);
  CHECK(window.totals.excluded == generation.totals.excluded);
  CHECK(window.totals.rest == generation.totals.rest);
  CHECK(window.totals.unparsed_packets == generation.totals.unparsed_packets);
  CHECK(window.totals.excluded_packets == generation.totals.excluded_packets);
  CHECK(window.totals.flow_insert_failures == generation.totals.flow_insert_failures);
  CHECK(window.totals.coarse_insert_failures == generation.totals.coarse_insert_failures);
}

TEST_CASE("places kept for busy flows that did not come are left out", "[unit]") {
  model::Generation generation;
  generation.flows4 = {{.key = key4(1, 2, 1, 1, 6), .counters = {}},
                       {.key = key4(1, 3, 1, 1, 6), .counters = kSome}};
  generation.flows6 = {{.key = key6(1, 2, 1, 1, 6), .counters = {}},
                       {.key = key6(1, 3, 1, 1, 6), .counters = kSome}};
  generation.coarse = {{.key = coarse_key({100, 64, 0, 2}, 4, 6), .counters = {}},
                       {.key = coarse_key({100, 64, 0, 3}, 4, 6), .counters = kSome}};
  const model::Window window = make_window(generation);
  REQUIRE(window.flows.size() == 2);
  CHECK(window.flows[0].remote.address == Address::v4({100, 64, 0, 3}));
  CHECK(window.flows[1].remote.address.bytes[15] == 3);
  REQUIRE(window.coarse.size() == 1);
  CHECK(window.coarse[0].remote.address == Address::v4({100, 64, 0, 3}));
}

TEST_CASE("one packet in one direction is enough to be listed", "[unit]") {
  std::uint64_t Counters::* const field =
      GENERATE(&Counters::tx_packets, &Counters::tx_bytes, &Counters::rx_packets, &Counters::rx_bytes);
  Counters one;
  one.*field = 1;
  model::Generation generation;
  generation.flows4 = {{.key = key4(1, 2, 1, 1, 6), .counters = one}};
  CHECK(make_window(generation).flows.size() == 1);
}

TEST_CASE("flows are in record order over both IP versions, whatever order the kernel gave", "[unit]") {
  model::Generation generation;
  generation.flows6 = {{.key = key6(2, 1, 1, 1, 6), .counters = kSome},
                       {.key = key6(1, 1, 1, 1, 6), .counters = kSome},
                       {.key = key6(1, 1, 1, 1, 1), .counters = kSome}};
  generation.flows4 = {{.key = key4(200, 1, 1, 1, 6), .counters = kSome},
                       {.key = key4(1, 1, 2, 1, 6), .counters = kSome},
                       {.key = key4(1, 1, 1, 300, 6), .counters = kSome},
                       {.key = key4(1, 1, 1, 2, 17), .counters = kSome},
                       {.key = key4(1, 1, 1, 2, 6), .counters = kSome}};
  const model::Window window = make_window(generation);
  using Row = std::tuple<Address::Family, int, int, int, int>;
  std::vector<Row> rows;
  for (const model::Flow& flow : window.flows) {
    const bool is_v4 = flow.local.address.family == Address::Family::kV4;
    rows.emplace_back(flow.local.address.family, flow.local.address.bytes[is_v4 ? 3 : 15], flow.local.port,
                      flow.remote.port, flow.proto);
  }
  constexpr auto kV4 = Address::Family::kV4;
  constexpr auto kV6 = Address::Family::kV6;
  CHECK(rows == std::vector<Row>{{kV4, 1, 1, 2, 6},
                                 {kV4, 1, 1, 2, 17},
                                 {kV4, 1, 1, 300, 6},
                                 {kV4, 1, 2, 1, 6},
                                 {kV4, 200, 1, 1, 6},
                                 {kV6, 1, 1, 1, 1},
                                 {kV6, 1, 1, 1, 6},
                                 {kV6, 2, 1, 1, 6}});
}

TEST_CASE("a coarse entry has the peer's address of its version, no port and no local end", "[unit]") {
  model::Generation generation;
  generation.coarse = {{.key = coarse_key({0xfd, 0x7a, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14}, 6, 17),
                        .counters = kSome},
                       {.key = coarse_key({100, 64, 0, 9}, 4, 6), .counters = kSome}};
  const model::Window window = make_window(generation);
  CHECK(window.flows.empty());
  REQUIRE(window.coarse.size() == 2);
  CHECK(window.coarse[0] == model::Flow{.local = {},
                                        .remote = {.address = Address::v4({100, 64, 0, 9}), .port = 0},
                                        .proto = 6,
                                        .counters = kSome});
  CHECK(window.coarse[1] == model::Flow{.local = {},
                                        .remote = {.address = Address::v6({0xfd, 0x7a, 1, 2, 3, 4, 5, 6, 7, 8,
                                                                           9, 10, 11, 12, 13, 14}),
                                                   .port = 0},
                                        .proto = 17,
                                        .counters = kSome});
}

TEST_CASE("an IPv6 peer whose last twelve bytes are zero is not taken for an IPv4 one", "[unit]") {
  model::Generation generation;
  generation.coarse = {{.key = coarse_key({100, 64, 0, 9}, 6, 6), .counters = kSome}};
  CHECK(make_window(generation).coarse.at(0).remote.address.family == Address::Family::kV6);
}

TEST_CASE("what is only known by protocol has no ends and stands before the coarse entries", "[unit]") {
  model::Generation generation;
  generation.coarse = {{.key = coarse_key({0, 0, 0, 0}, 4, 1), .counters = kSome}};
  generation.rest = {{.key = 255, .counters = kSome}, {.key = 6, .counters = kSome}};
  const model::Window window = make_window(generation);
  REQUIRE(window.coarse.size() == 3);
  CHECK(window.coarse[0] == model::Flow{.local = {}, .remote = {}, .proto = 6, .counters = kSome});
  CHECK(window.coarse[1] == model::Flow{.local = {}, .remote = {}, .proto = 255, .counters = kSome});
  CHECK(window.coarse[2].remote.address.valid());
}

TEST_CASE("an empty generation is an idle window that adds up", "[unit]") {
  const model::Window window = make_window({});
  CHECK(window.idle());
  CHECK(window.conserved());
}

TEST_CASE("a generation in which all is accounted for makes a window that adds up", "[unit]") {
  CHECK(make_window(whole_generation()).conserved());
}

TEST_CASE("one packet or byte too many or too few, in any part of a generation, is seen", "[unit]") {
  std::uint64_t Counters::* const field =
      GENERATE(&Counters::tx_packets, &Counters::tx_bytes, &Counters::rx_packets, &Counters::rx_bytes);
  Counters& (*const part)(model::Generation&) = GENERATE(
      +[](model::Generation& generation) -> Counters& { return generation.flows4[0].counters; },
      +[](model::Generation& generation) -> Counters& { return generation.flows6[0].counters; },
      +[](model::Generation& generation) -> Counters& { return generation.coarse[0].counters; },
      +[](model::Generation& generation) -> Counters& { return generation.rest[0].counters; },
      +[](model::Generation& generation) -> Counters& { return generation.totals.unparsed; },
      +[](model::Generation& generation) -> Counters& { return generation.totals.excluded; },
      +[](model::Generation& generation) -> Counters& { return generation.totals.hook; });
  model::Generation more = whole_generation();
  ++(part(more).*field);
  CHECK_FALSE(make_window(more).conserved());
  model::Generation fewer = whole_generation();
  --(part(fewer).*field);
  CHECK_FALSE(make_window(fewer).conserved());
}

// ---- drops that are taken off

constexpr Counters kDropped{.tx_packets = 5, .tx_bytes = 700};

/// A part of whole_generation() from which drops can be taken.
using Part = Counters& (*)(model::Generation&);
constexpr Part kParts[] = {
    [](model::Generation& generation) -> Counters& { return generation.flows4[0].counters; },
    [](model::Generation& generation) -> Counters& { return generation.flows6[0].counters; },
    [](model::Generation& generation) -> Counters& { return generation.coarse[0].counters; },
    [](model::Generation& generation) -> Counters& { return generation.rest[0].counters; },
    [](model::Generation& generation) -> Counters& { return generation.totals.unparsed; },
    [](model::Generation& generation) -> Counters& { return generation.totals.excluded; },
};

/// As the kernel does it: off the part (modulo 2^64), onto the drops; hook stays.
void drop(model::Generation& generation, Part part, const Counters& dropped) {
  part(generation).tx_packets -= dropped.tx_packets;
  part(generation).tx_bytes -= dropped.tx_bytes;
  generation.totals.dropped += dropped;
}

TEST_CASE("drops that leave a count above zero stay where they are", "[unit]") {
  for (const Part part : kParts) {
    model::Generation generation = whole_generation();
    part(generation) += kDropped;
    generation.totals.hook += kDropped;
    drop(generation, part, kDropped);
    const model::Window window = make_window(generation);
    CHECK(window.conserved());
    CHECK(window.totals.dropped == kDropped);
    CHECK(window.totals.dropped_late.zero());
    CHECK(window.accounted() == generation.totals.hook);
    CHECK(window.flows.size() == 2);
    CHECK(window.coarse.size() == 2);
  }
}

TEST_CASE("drops that bring a count below zero are late by what is below, wherever it is", "[unit]") {
  // kSome has one packet of 100 bytes: four packets and 600 bytes were of an earlier generation.
  constexpr Counters kLate{.tx_packets = 4, .tx_bytes = 600};
  for (std::size_t at = 0; at < std::size(kParts); ++at) {
    CAPTURE(at);
    model::Generation generation = whole_generation();
    generation.totals.dropped_late = kDropped;  // these add up
    drop(generation, kParts[at], kDropped);
    generation.totals.rest = generation.rest[0].counters;  // in step, as the kernel keeps it
    const model::Window window = make_window(generation);
    CHECK(window.conserved());
    CHECK(window.totals.hook == generation.totals.hook);
    CHECK(window.totals.dropped == Counters{.tx_packets = 1, .tx_bytes = 100});
    CHECK(window.totals.dropped_late == kDropped + kLate);
    // What was received is untouched, so every row is still there.
    REQUIRE(window.flows.size() == 2);
    REQUIRE(window.coarse.size() == 2);
    constexpr Counters kReceived{.rx_packets = 2, .rx_bytes = 200};
    CHECK(window.flows[0].counters == (at == 0 ? kReceived : kSome));
    CHECK(window.flows[1].counters == (at == 1 ? kReceived : kSome));
    CHECK(window.coarse[1].counters == (at == 2 ? kReceived : kSome));
    CHECK(window.coarse[0].counters == (at == 3 ? kReceived : kSome));
    CHECK(window.totals.rest == window.coarse[0].counters);
    CHECK(window.totals.unparsed == (at == 4 ? kReceived : kSome));
    CHECK(window.totals.excluded == (at == 5 ? kReceived : kSome));
  }
}

TEST_CASE("packets and bytes are settled each by itself", "[unit]") {
  model::Generation generation = whole_generation();
  drop(generation, kParts[0], {.tx_packets = 1, .tx_bytes = 160});
  const model::Window window = make_window(generation);
  CHECK(window.conserved());
  CHECK(window.totals.dropped == Counters{.tx_packets = 1, .tx_bytes = 100});
  CHECK(window.totals.dropped_late == Counters{.tx_packets = 0, .tx_bytes = 60});
}

TEST_CASE("an entry of which only late drops were seen is no row", "[unit]") {
  model::Generation generation;
  generation.flows4 = {{.key = key4(1, 2, 1, 1, 6), .counters = {}}};
  generation.coarse = {{.key = coarse_key({100, 64, 0, 2}, 4, 6), .counters = {}}};
  generation.rest = {{.key = 6, .counters = {}}};
  for (const Part part : {kParts[0], kParts[2], kParts[3]}) drop(generation, part, kDropped);
  const model::Window window = make_window(generation);
  CHECK(window.flows.empty());
  CHECK(window.coarse.empty());
  CHECK(window.conserved());
  CHECK(window.totals.dropped.zero());
  CHECK(window.totals.dropped_late == kDropped + kDropped + kDropped);
}

// ---- the underlay

model::Entry<ft_endpoint_key> endpoint_entry(std::initializer_list<std::uint8_t> remote, std::uint8_t family,
                                             std::uint16_t port, const Counters& counters) {
  model::Entry<ft_endpoint_key> entry{.key = {}, .counters = counters};
  std::copy(remote.begin(), remote.end(), entry.key.remote);
  entry.key.family = family;
  entry.key.remote_port = port;
  return entry;
}

TEST_CASE("an endpoint keeps address, port and counts, has no other end, and is in record order", "[unit]") {
  model::Generation generation;
  generation.physical = {
      endpoint_entry({203, 0, 113, 9}, 6, 41641, kSome), endpoint_entry({203, 0, 113, 9}, 4, 41642, kSome),
      endpoint_entry({203, 0, 113, 9}, 4, 41641, kSome), endpoint_entry({203, 0, 113, 8}, 4, 50000, kSome),
      endpoint_entry({203, 0, 113, 7}, 4, 50000, {})};
  generation.underlay.hook = kSome + kSome + kSome + kSome;
  const model::Window window = make_window(generation);
  const auto row = [](const Address& address, std::uint16_t port) {
    return model::Flow{.local = {}, .remote = {.address = address, .port = port}, .counters = kSome};
  };
  CHECK(window.physical ==
        std::vector{row(Address::v4({203, 0, 113, 8}), 50000), row(Address::v4({203, 0, 113, 9}), 41641),
                    row(Address::v4({203, 0, 113, 9}), 41642),
                    row(Address::v6({203, 0, 113, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}), 41641)});
  CHECK(window.conserved());
}

TEST_CASE("the underlay's totals are taken as they are, and one datagram too many or few is seen", "[unit]") {
  model::Generation generation;
  generation.physical = {endpoint_entry({203, 0, 113, 9}, 4, 41641, kSome)};
  generation.underlay = {.counted = true,
                         .hook = kSome + kSome + kSome + kSome + kSome,
                         .disco = kSome,
                         .stun = kSome,
                         .other = kSome,
                         .rest = kSome,
                         .tcp = kDropped};
  CHECK(make_window(generation).underlay == generation.underlay);
  CHECK(make_window(generation).conserved());
  using Place = Counters& (*)(model::Generation&);
  for (const Place place :
       {Place([](model::Generation& made) -> Counters& { return made.physical[0].counters; }),
        Place([](model::Generation& made) -> Counters& { return made.underlay.hook; }),
        Place([](model::Generation& made) -> Counters& { return made.underlay.disco; }),
        Place([](model::Generation& made) -> Counters& { return made.underlay.stun; }),
        Place([](model::Generation& made) -> Counters& { return made.underlay.other; }),
        Place([](model::Generation& made) -> Counters& { return made.underlay.rest; })}) {
    for (std::uint64_t Counters::* const field :
         {&Counters::tx_packets, &Counters::tx_bytes, &Counters::rx_packets, &Counters::rx_bytes}) {
      model::Generation more = generation;
      ++(place(more).*field);
      CHECK_FALSE(make_window(more).conserved());
    }
  }
}

// ---- random generations

void copy_address(const Address& from, __u8 (&to)[4]) { std::memcpy(to, from.bytes.data(), sizeof(to)); }
void copy_address(const Address& from, __u8 (&to)[16]) { std::memcpy(to, from.bytes.data(), sizeof(to)); }

template <class Key>
void append_random(record::RandomTraffic& random, bool is_v6, std::vector<model::Entry<Key>>& entries) {
  for (std::uint64_t left = random.below(200); left > 0; --left) {
    model::Entry<Key> entry{};
    copy_address(is_v6 ? random.v6() : random.v4(), entry.key.local);
    copy_address(is_v6 ? random.v6() : random.v4(), entry.key.remote);
    entry.key.local_port = static_cast<std::uint16_t>(random.number(16));
    entry.key.remote_port = static_cast<std::uint16_t>(random.number(16));
    entry.key.proto = static_cast<std::uint8_t>(random.below(256));
    if (!random.one_in(4)) entry.counters = random.counters();
    entries.push_back(entry);
  }
}

model::Generation random_generation(record::RandomTraffic& random) {
  model::Generation generation;
  append_random(random, false, generation.flows4);
  append_random(random, true, generation.flows6);
  for (std::uint64_t left = random.below(50); left > 0; --left) {
    model::Entry<ft_coarse_key> entry{};
    const bool is_v6 = random.one_in(2);
    copy_address(is_v6 ? random.v6() : random.v4(), entry.key.remote);
    entry.key.family = is_v6 ? 6 : 4;
    entry.key.proto = static_cast<std::uint8_t>(random.below(256));
    if (!random.one_in(4)) entry.counters = random.counters();
    generation.coarse.push_back(entry);
  }
  for (unsigned proto = 0; proto < 256; proto += 1 + static_cast<unsigned>(random.below(80))) {
    generation.rest.push_back({.key = static_cast<std::uint8_t>(proto), .counters = random.counters()});
    generation.totals.rest += generation.rest.back().counters;
  }
  return generation;
}

template <class Key>
Counters sum_of(const std::vector<model::Entry<Key>>& entries) {
  Counters total;
  for (const auto& entry : entries) total += entry.counters;
  return total;
}

template <class Key>
std::size_t counted_entries(const std::vector<model::Entry<Key>>& entries) {
  return static_cast<std::size_t>(
      std::ranges::count_if(entries, [](const auto& entry) { return !entry.counters.zero(); }));
}

/// Every entry that counts is a flow of the window, with its own count.
template <class Key>
void check_found(const std::vector<model::Entry<Key>>& entries, Address::Family family,
                 const model::Window& window) {
  for (const auto& [key, counters] : entries) {
    if (counters.zero()) continue;
    model::Flow flow{.local = {.address = {.family = family}, .port = key.local_port},
                     .remote = {.address = {.family = family}, .port = key.remote_port},
                     .proto = key.proto,
                     .counters = counters};
    std::memcpy(flow.local.address.bytes.data(), key.local, sizeof(key.local));
    std::memcpy(flow.remote.address.bytes.data(), key.remote, sizeof(key.remote));
    REQUIRE(std::ranges::count(window.flows, flow) >= 1);
  }
}

TEST_CASE("over random generations nothing is lost, added or out of order", "[unit]") {
  record::RandomTraffic random(21);
  for (int run = 0; run < 100; ++run) {
    CAPTURE(run);
    model::Generation generation = random_generation(random);
    const Counters listed = sum_of(generation.flows4) + sum_of(generation.flows6);
    const Counters coarse = sum_of(generation.coarse) + sum_of(generation.rest);
    generation.totals.unparsed = random.counters();
    generation.totals.excluded = random.counters();
    generation.totals.hook = listed + coarse + generation.totals.unparsed + generation.totals.excluded;

    const model::Window window = make_window(generation);
    REQUIRE(model::sum(window.flows) == listed);
    REQUIRE(model::sum(window.coarse) == coarse);
    REQUIRE(window.conserved());
    REQUIRE(window.flows.size() == counted_entries(generation.flows4) + counted_entries(generation.flows6));
    REQUIRE(window.coarse.size() >= counted_entries(generation.coarse) + counted_entries(generation.rest));
    REQUIRE(std::ranges::none_of(window.flows, [](const model::Flow& flow) { return flow.counters.zero(); }));
    REQUIRE(std::ranges::is_sorted(window.flows, model::record_order));
    REQUIRE(std::ranges::is_sorted(window.coarse, model::record_order));
    check_found(generation.flows4, Address::Family::kV4, window);
    check_found(generation.flows6, Address::Family::kV6, window);
  }
}

}  // namespace
}  // namespace flowtally::flow
