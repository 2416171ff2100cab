#include "net/run/numbered_traffic.hpp"

#include "support/catch.hpp"

namespace flowtally::test {

support::Bytes numbered(std::uint32_t number) {
  const std::uint32_t key = number % kKeys;
  return support::packet()
      .ipv4("100.65.0.2", "100.64.0.1")
      .udp(static_cast<std::uint16_t>(1000 + key), 9)
      .payload(60)
      .bytes();
}

void Counted::take(const model::Record& record) {
  ++records;
  totals += record.accounting.totals;
  for (const model::Flow& flow : record.virtual_traffic) {
    if (flow.local.port != 9 || flow.counters.rx_packets == 0) continue;
    const std::size_t key = flow.remote.port - 1000U;
    REQUIRE(key < kKeys);
    packets[key] += flow.counters.rx_packets;
    all += flow.counters.rx_packets;
    CHECK(flow.counters.rx_bytes == flow.counters.rx_packets * 88);
  }
}

Counted read_records(std::string_view text) {
  Counted counted;
  record::RecordReader reader;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text.find('\n', at);
    REQUIRE(end != std::string_view::npos);
    const auto record = reader.read(text.substr(at, end - at));
    INFO((record ? std::string() : record.error().text()));
    REQUIRE(record);
    counted.take(*record);
    at = end + 1;
  }
  return counted;
}

void check_no_hole(const Counted& counted) {
  REQUIRE(counted.all > 0);
  for (std::uint32_t key = 0; key < kKeys; ++key) {
    CHECK(counted.packets[key] == counted.all / kKeys + (key < counted.all % kKeys ? 1 : 0));
  }
}

}  // namespace flowtally::test
