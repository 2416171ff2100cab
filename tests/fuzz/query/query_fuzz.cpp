// Goal: no text of a question harms its readers, and a filter that is read is understood: its own text reads
// as a filter that matches the same. Method: libFuzzer; the first byte says which text it is.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.hpp"
#include "model/address_text.hpp"
#include "query/query.hpp"

namespace {

using namespace flowtally;

/// Two nodes and connections of several kinds.
query::Line sample_line() {
  query::Line line{.node_id = "nSelf"};
  line.start_ns = 1;
  line.end_ns = 2;
  line.has_src_node = true;
  line.nodes = {
      {.id = "nSelf", .name = "self.example.", .addresses = {model::parse_address("100.64.0.1").value()}},
      {.id = "nPeer",
       .name = "peer.example.",
       .addresses = {model::parse_address("fd7a:115c:a1e0::2").value()},
       .user = "alice@example.com",
       .tags = {"tag:db"}}};
  line.index_nodes();
  for (unsigned at = 0; at < 16; ++at) {
    const bool v6 = at % 2 == 0;
    line.connections.push_back(
        {.traffic_class = static_cast<model::TrafficClass>(at % 4),
         .flow = {.local = model::parse_endpoint("100.64.0.1:40000").value(),
                  .remote = model::parse_endpoint(v6 ? "[fd7a:115c:a1e0::2]:443" : "10.0.0.9:53").value(),
                  .proto = static_cast<std::uint8_t>(at % 3 == 0 ? 6 : 17),
                  .counters = {.tx_packets = at, .tx_bytes = at * 1000, .rx_packets = 1, .rx_bytes = 5}}});
  }
  return line;
}

void read_filter(std::string_view text) {
  static const query::Line line = sample_line();
  const auto filter = query::Filter::parse(text);
  if (!filter) {
    FLOWTALLY_CHECK(filter.error().code() == base::ErrorCode::kInvalidArgument);
    return;
  }
  // Without the limit of the text: what is written is longer than what was read.
  const std::string written = filter->text();
  if (written.size() > query::kFilterBytesMax) return;
  const auto again = query::Filter::parse(written);
  if (!again) return;  // parentheses that were not needed are not written, those that are may be too many
  FLOWTALLY_CHECK(again->text() == written);
  for (const query::Connection& connection : line.connections) {
    FLOWTALLY_CHECK(filter->matches(line, connection) == again->matches(line, connection));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto zone = [](std::int64_t unix_ns) {
    return unix_ns % 2 == 0 ? std::int64_t{3600} : std::int64_t{-3600};
  };
  constexpr std::int64_t kNow = 1'795'000'000'000'000'000;
  switch (data[0] % 4) {
    case 0: static_cast<void>(query::parse_moment(text, kNow, zone)); break;
    case 1: {
      const auto query = query::parse_query({.since = "1h", .group_by = std::string(text)}, kNow, zone);
      if (query) FLOWTALLY_CHECK(query->group_by.size() <= query::kGroupKeysMax);
      static_cast<void>(
          query::parse_query({.group_by = "src", .sort = std::string(text), .limit = "5"}, kNow, zone));
      break;
    }
    default: read_filter(text); break;
  }
  return 0;
}
