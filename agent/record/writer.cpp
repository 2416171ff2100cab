#include "record/writer.hpp"

#include <cstring>

#include "record/node.hpp"
#include "record/text.hpp"

namespace flowtally::record {
namespace {

constexpr std::size_t kEndBytesMax = std::string_view(",\"src\":\"\"").size() + kEndpointBytesMax;
constexpr std::size_t kCountersBytesMax =
    std::string_view(",\"txPkts\":,\"txBytes\":,\"rxPkts\":,\"rxBytes\":").size() + 4 * kNumberBytesMax;
static_assert(kEntryBytesMax ==
              std::string_view("{\"proto\":255}").size() + 2 * kEndBytesMax + kCountersBytesMax);

/// A literal without its terminating zero; the length is a constant, so this is one or two stores.
template <std::size_t Size>
char* put_literal(const char (&literal)[Size], char* to) noexcept {
  std::memcpy(to, literal, Size - 1);
  return to + Size - 1;
}

/// Every name is written with the comma before it; whoever opened the object steps back over the first one.
template <std::size_t Size>
char* put_counter(const char (&name)[Size], std::uint64_t value, char* to) noexcept {
  if (value == 0) return to;
  return put_number(value, put_literal(name, to));
}

template <std::size_t Size>
char* put_end(const char (&name)[Size], const model::Endpoint& end, char* to) noexcept {
  if (!end.address.valid()) return to;
  to = put_endpoint(end, put_literal(name, to));
  *to = '"';
  return to + 1;
}

char* put_counters(const model::Counters& counters, char* to) noexcept {
  to = put_counter(",\"txPkts\":", counters.tx_packets, to);
  to = put_counter(",\"txBytes\":", counters.tx_bytes, to);
  to = put_counter(",\"rxPkts\":", counters.rx_packets, to);
  return put_counter(",\"rxBytes\":", counters.rx_bytes, to);
}

/// Closes an object whose fields, each with a comma before it, were written from `begin` on, and makes the
/// first comma the opening brace.
char* put_braces(char* begin, char* end) noexcept {
  if (begin == end) ++end;
  *begin = '{';
  *end = '}';
  return end + 1;
}

void append_number(std::uint64_t number, std::string& out) {
  char text[kNumberBytesMax];
  out.append(text, put_number(number, text));
}

void append_time(std::int64_t unix_ns, std::string& out) {
  char text[kTimeBytesMax];
  out += '"';
  out.append(text, put_time(unix_ns, text));
  out += '"';
}

void append_counters(std::string_view name, const model::Counters& counters, std::string& out) {
  char text[kCountersBytesMax + 2];
  out += name;
  out.append(text, put_braces(text, put_counters(counters, text)));
}

void append_unless_zero(std::string_view name, const model::Counters& counters, std::string& out) {
  if (!counters.zero()) append_counters(name, counters, out);
}

void append_underlay(const model::Underlay& underlay, std::string& out) {
  append_counters(",\"underlay\":{\"totals\":", underlay.hook, out);
  append_unless_zero(",\"unmapped\":", underlay.unmapped, out);
  append_unless_zero(",\"disco\":", underlay.disco, out);
  append_unless_zero(",\"stun\":", underlay.stun, out);
  append_unless_zero(",\"other\":", underlay.other, out);
  append_unless_zero(",\"tcp\":", underlay.tcp, out);
  out += '}';
}

/// `begin`, the elements with commas between, kListEnd; nothing where there are none.
template <class Element>
void append_list(std::string_view begin, const std::vector<Element>& elements, std::string& out,
                 void (*append)(const Element&, std::string&)) {
  if (elements.empty()) return;
  out += begin;
  for (const Element& element : elements) {
    append(element, out);
    out += ',';
  }
  out.pop_back();  // the last comma
  out += kListEnd;
}

}  // namespace

char* put_entry(const model::Flow& flow, char* to) noexcept {
  char* at = put_counter(",\"proto\":", flow.proto, to);
  at = put_end(",\"src\":\"", flow.local, at);
  at = put_end(",\"dst\":\"", flow.remote, at);
  return put_braces(to, put_counters(flow.counters, at));
}

std::size_t entry_bytes(const model::Flow& flow) noexcept {
  const auto counter = [](std::string_view name, std::uint64_t value) -> std::size_t {
    return value == 0 ? 0 : name.size() + decimal_digits(value);
  };
  const auto end = [](const model::Endpoint& endpoint) -> std::size_t {
    return endpoint.address.valid() ? std::string_view(",\"src\":\"\"").size() + endpoint_bytes(endpoint) : 0;
  };
  const std::size_t fields =
      counter(",\"proto\":", flow.proto) + end(flow.local) + end(flow.remote) +
      counter(",\"txPkts\":", flow.counters.tx_packets) + counter(",\"txBytes\":", flow.counters.tx_bytes) +
      counter(",\"rxPkts\":", flow.counters.rx_packets) + counter(",\"rxBytes\":", flow.counters.rx_bytes);
  return fields == 0 ? 2 : fields + 1;  // the first comma is a brace
}

void append_head(const LineHead& head, std::string& out) {
  out += "{\"nodeId\":";
  append_json_string(head.node_id, out);
  out += ",\"start\":";
  append_time(head.start_ns, out);
  out += ",\"end\":";
  append_time(head.end_ns, out);
}

void append_entry(const model::Flow& flow, std::string& out) {
  char text[kEntryBytesMax];
  out.append(text, put_entry(flow, text));
}

void append_accounting(const model::Accounting& accounting, std::string& out) {
  out += ",\"accounting\":{\"bootId\":";
  append_json_string(accounting.boot_id, out);
  out += ",\"epoch\":";
  append_number(accounting.epoch, out);
  out += ",\"part\":";
  append_number(accounting.part, out);
  out += ",\"parts\":";
  append_number(accounting.parts, out);
  append_counters(",\"totals\":", accounting.totals, out);
  append_unless_zero(",\"coarse\":", accounting.coarse, out);
  append_unless_zero(",\"unparsed\":", accounting.unparsed, out);
  append_unless_zero(",\"excluded\":", accounting.excluded, out);
  append_unless_zero(",\"dropped\":", accounting.dropped, out);
  append_unless_zero(",\"droppedLate\":", accounting.dropped_late, out);
  if (accounting.device_dropped != 0) {
    out += ",\"deviceDropped\":";
    append_number(accounting.device_dropped, out);
  }
  if (accounting.underlay.counted) append_underlay(accounting.underlay, out);
  out += '}';
}

void append_record(const model::Record& record, const WriteOptions& options, std::string& out) {
  append_head({.node_id = record.node_id, .start_ns = record.start_ns, .end_ns = record.end_ns}, out);
  if (record.src_node) {
    out += kSrcNode;
    append_node(*record.src_node, out);
  }
  append_list<model::RecordNode>(kDstNodesBegin, record.dst_nodes, out, append_node);
  append_list(kTrafficBegin[0], record.virtual_traffic, out, append_entry);
  append_list(kTrafficBegin[1], record.subnet_traffic, out, append_entry);
  append_list(kTrafficBegin[2], record.exit_traffic, out, append_entry);
  append_list(kTrafficBegin[3], record.physical_traffic, out, append_entry);
  if (options.accounting) append_accounting(record.accounting, out);
  out += kLineEnd;
}

}  // namespace flowtally::record
