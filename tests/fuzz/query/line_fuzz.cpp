// Goal: no line harms the reader of lines, and what the strict reader of agent/record takes is the same here.
// Method: libFuzzer on lines; two readers.
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/check.hpp"
#include "query/line.hpp"
#include "query/terms.hpp"
#include "record/reader.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace flowtally;
  static query::LineReader reader;
  static record::RecordReader strict;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto record = strict.read(text);
  for (const query::Nodes nodes : {query::Nodes::kNo, query::Nodes::kYes}) {
    const query::Line* const line = reader.read(text, nodes);
    if (!record) continue;
    FLOWTALLY_CHECK(line != nullptr);
    FLOWTALLY_CHECK(line->node_id == record->node_id);
    FLOWTALLY_CHECK(line->start_ns == record->start_ns && line->end_ns == record->end_ns);
    std::vector<model::Flow> lists[model::kTrafficClasses];
    for (const query::Connection& connection : line->connections)
      lists[static_cast<std::size_t>(connection.traffic_class)].push_back(connection.flow);
    FLOWTALLY_CHECK(lists[0] == record->virtual_traffic && lists[1] == record->subnet_traffic);
    FLOWTALLY_CHECK(lists[2] == record->exit_traffic && lists[3] == record->physical_traffic);
  }
  query::terms_of(text, [](std::uint64_t) {});
  return 0;
}
