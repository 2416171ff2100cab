// This file turns JSON into values. simdjson checks the whole line (syntax, UTF-8, numbers) before anything
// is taken from it; which fields an object has, and what reads each, is one table per object, at the end of
// the helpers.
#include "record/reader.hpp"

#include <algorithm>
#include <limits>
#include <string>
#include <utility>

#include <fmt/format.h>
#include <simdjson.h>

#include "model/address_text.hpp"
#include "record/parse.hpp"
#include "record/text.hpp"

namespace flowtally::record {
namespace {

namespace dom = simdjson::dom;

using base::fail;
using base::Status;
using model::Counters;
using model::Flow;

std::unexpected<base::Error> corrupt(std::string what) {
  return fail(base::Error(base::ErrorCode::kCorrupt, std::move(what)));
}

/// A value for a message: quoted, escaped, cut.
std::string shown(std::string_view text) {
  constexpr std::size_t kShownBytes = 64;
  std::string out;
  append_json_string(text.substr(0, kShownBytes), out);
  return text.size() > kShownBytes ? out + " (cut)" : out;
}

template <class Number>
Status read_number(dom::element value, Number& to) {
  std::uint64_t number = 0;
  constexpr std::uint64_t kHighest = std::numeric_limits<Number>::max();
  if (value.get(number) != simdjson::SUCCESS || number > kHighest) {
    return corrupt(fmt::format("is not a whole number from 0 to {}", kHighest));
  }
  to = static_cast<Number>(number);
  return {};
}

base::Result<std::string_view> read_text(dom::element value) {
  std::string_view text;
  if (value.get(text) != simdjson::SUCCESS) return corrupt("is not a string");
  return text;
}

Status read_string(dom::element value, std::string& to) {
  auto text = read_text(value);
  if (!text) return fail(std::move(text.error()));
  to = *text;
  return {};
}

Status read_time(dom::element value, std::int64_t& to) {
  auto text = read_text(value);
  if (!text) return fail(std::move(text.error()));
  const auto time = parse_time(*text);
  if (!time) return corrupt(fmt::format("{} is not a time as in 2026-11-22T23:29:06.5Z", shown(*text)));
  to = *time;
  return {};
}

Status read_endpoint(dom::element value, model::Endpoint& to) {
  auto text = read_text(value);
  if (!text) return fail(std::move(text.error()));
  const auto endpoint = model::parse_endpoint(*text);
  if (!endpoint) return corrupt(fmt::format("{} is not an address with a port", shown(*text)));
  to = *endpoint;
  return {};
}

/// Names of the IANA registry "Assigned Internet Protocol Numbers" for what is met in flow logs, and those
/// that Tailscale uses beside them.
struct ProtocolName {
  std::string_view name;
  std::uint8_t number;
};
constexpr ProtocolName kProtocolNames[] = {
    {"icmp", 1}, {"icmpv4", 1},  {"igmp", 2},       {"ipv4", 4},  {"tcp", 6},   {"egp", 8},
    {"igp", 9},  {"udp", 17},    {"dccp", 33},      {"ipv6", 41}, {"gre", 47},  {"esp", 50},
    {"ah", 51},  {"icmpv6", 58}, {"ipv6-icmp", 58}, {"ospf", 89}, {"tsmp", 99}, {"sctp", 132}};

bool same_letters(std::string_view left, std::string_view right) noexcept {
  const auto lower = [](char letter) {
    return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter;
  };
  return std::ranges::equal(left, right, {}, lower, lower);
}

Status read_protocol(dom::element value, std::uint8_t& to) {
  std::string_view text;
  if (value.get(text) != simdjson::SUCCESS) return read_number(value, to);
  const auto* const known = std::ranges::find_if(
      kProtocolNames, [&](const ProtocolName& protocol) { return same_letters(protocol.name, text); });
  if (known == std::end(kProtocolNames))
    return corrupt(fmt::format("{} is not a known protocol", shown(text)));
  to = known->number;
  return {};
}

/// A field that we know, and what reads it into the object's value.
template <class Into>
struct Field {
  std::string_view name;
  Status (*read)(dom::element, Into&);
};

/// Reads the known fields of an object, in any order. Gives a bit for each field that was there, by place in
/// the table.
template <class Into, std::size_t Count>
base::Result<unsigned> read_object(dom::element value, Into& to, const Field<Into> (&fields)[Count]) {
  static_assert(Count <= std::numeric_limits<unsigned>::digits);
  dom::object object;
  if (value.get(object) != simdjson::SUCCESS) return corrupt("is not an object");
  unsigned seen = 0;
  for (const dom::key_value_pair pair : object) {
    const auto* const field = std::ranges::find(fields, pair.key, &Field<Into>::name);
    if (field == std::end(fields)) continue;
    const unsigned bit = 1U << static_cast<unsigned>(field - fields);
    if ((seen & bit) != 0) return corrupt(fmt::format("has the field {} twice", field->name));
    seen |= bit;
    auto read = field->read(pair.value, to);
    if (!read) return fail(std::move(read.error()).during(fmt::format("field {}", field->name)));
  }
  return seen;
}

constexpr Field<Counters> kCounterFields[] = {
    {"txPkts", [](dom::element value, Counters& to) { return read_number(value, to.tx_packets); }},
    {"txBytes", [](dom::element value, Counters& to) { return read_number(value, to.tx_bytes); }},
    {"rxPkts", [](dom::element value, Counters& to) { return read_number(value, to.rx_packets); }},
    {"rxBytes", [](dom::element value, Counters& to) { return read_number(value, to.rx_bytes); }},
};

constexpr Field<Flow> kFlowFields[] = {
    {"proto", [](dom::element value, Flow& to) { return read_protocol(value, to.proto); }},
    {"src", [](dom::element value, Flow& to) { return read_endpoint(value, to.local); }},
    {"dst", [](dom::element value, Flow& to) { return read_endpoint(value, to.remote); }},
    {"txPkts", [](dom::element value, Flow& to) { return read_number(value, to.counters.tx_packets); }},
    {"txBytes", [](dom::element value, Flow& to) { return read_number(value, to.counters.tx_bytes); }},
    {"rxPkts", [](dom::element value, Flow& to) { return read_number(value, to.counters.rx_packets); }},
    {"rxBytes", [](dom::element value, Flow& to) { return read_number(value, to.counters.rx_bytes); }},
};

Status read_counters(dom::element value, Counters& to) {
  auto read = read_object(value, to, kCounterFields);
  if (!read) return fail(std::move(read.error()));
  return {};
}

template <class Element>
Status read_list(dom::element value, std::vector<Element>& to, Status (*read)(dom::element, Element&)) {
  dom::array elements;
  if (value.get(elements) != simdjson::SUCCESS) return corrupt("is not an array");
  to.reserve(elements.size());  // simdjson counts up to 2^24 - 1
  for (const dom::element element : elements) {
    auto done = read(element, to.emplace_back());
    if (!done) return fail(std::move(done.error()).during(fmt::format("entry {}", to.size())));
  }
  return {};
}

Status read_flow(dom::element value, Flow& to) {
  auto read = read_object(value, to, kFlowFields);
  if (!read) return fail(std::move(read.error()));
  return {};
}

Status read_traffic(dom::element value, std::vector<Flow>& to) { return read_list(value, to, read_flow); }

Status read_address(dom::element value, model::Address& to) {
  auto text = read_text(value);
  if (!text) return fail(std::move(text.error()));
  const auto address = model::parse_address(*text);
  if (!address) return corrupt(fmt::format("{} is not an address", shown(*text)));
  to = *address;
  return {};
}

constexpr Field<model::RecordNode> kNodeFields[] = {
    {"nodeId", [](dom::element value, model::RecordNode& to) { return read_string(value, to.id); }},
    {"name", [](dom::element value, model::RecordNode& to) { return read_string(value, to.name); }},
    {"addresses",
     [](dom::element value, model::RecordNode& to) { return read_list(value, to.addresses, read_address); }},
    {"os", [](dom::element value, model::RecordNode& to) { return read_string(value, to.os); }},
    {"user", [](dom::element value, model::RecordNode& to) { return read_string(value, to.user); }},
    {"tags",
     [](dom::element value, model::RecordNode& to) { return read_list(value, to.tags, read_string); }},
};

Status read_node(dom::element value, model::RecordNode& to) {
  auto seen = read_object(value, to, kNodeFields);
  if (!seen) return fail(std::move(seen.error()));
  if ((*seen & 1U) == 0) return corrupt("has no field nodeId");
  return {};
}

constexpr Field<model::Underlay> kUnderlayFields[] = {
    {"totals", [](dom::element value, model::Underlay& to) { return read_counters(value, to.hook); }},
    {"unmapped", [](dom::element value, model::Underlay& to) { return read_counters(value, to.unmapped); }},
    {"disco", [](dom::element value, model::Underlay& to) { return read_counters(value, to.disco); }},
    {"stun", [](dom::element value, model::Underlay& to) { return read_counters(value, to.stun); }},
    {"other", [](dom::element value, model::Underlay& to) { return read_counters(value, to.other); }},
    {"tcp", [](dom::element value, model::Underlay& to) { return read_counters(value, to.tcp); }},
};

Status read_underlay(dom::element value, model::Underlay& to) {
  to.counted = true;
  auto read = read_object(value, to, kUnderlayFields);
  if (!read) return fail(std::move(read.error()));
  return {};
}

constexpr Field<model::Accounting> kAccountingFields[] = {
    {"bootId", [](dom::element value, model::Accounting& to) { return read_string(value, to.boot_id); }},
    {"epoch", [](dom::element value, model::Accounting& to) { return read_number(value, to.epoch); }},
    {"part", [](dom::element value, model::Accounting& to) { return read_number(value, to.part); }},
    {"parts", [](dom::element value, model::Accounting& to) { return read_number(value, to.parts); }},
    {"totals", [](dom::element value, model::Accounting& to) { return read_counters(value, to.totals); }},
    {"coarse", [](dom::element value, model::Accounting& to) { return read_counters(value, to.coarse); }},
    {"unparsed", [](dom::element value, model::Accounting& to) { return read_counters(value, to.unparsed); }},
    {"excluded", [](dom::element value, model::Accounting& to) { return read_counters(value, to.excluded); }},
    {"dropped", [](dom::element value, model::Accounting& to) { return read_counters(value, to.dropped); }},
    {"droppedLate",
     [](dom::element value, model::Accounting& to) { return read_counters(value, to.dropped_late); }},
    {"deviceDropped",
     [](dom::element value, model::Accounting& to) { return read_number(value, to.device_dropped); }},
    {"underlay", [](dom::element value, model::Accounting& to) { return read_underlay(value, to.underlay); }},
};

Status read_accounting(dom::element value, model::Accounting& to) {
  auto read = read_object(value, to, kAccountingFields);
  if (!read) return fail(std::move(read.error()));
  if (to.part == 0 || to.part > to.parts)
    return corrupt(fmt::format("part {} of {} cannot be", to.part, to.parts));
  return {};
}

constexpr Field<model::Record> kRecordFields[] = {
    {"nodeId", [](dom::element value, model::Record& to) { return read_string(value, to.node_id); }},
    {"start", [](dom::element value, model::Record& to) { return read_time(value, to.start_ns); }},
    {"end", [](dom::element value, model::Record& to) { return read_time(value, to.end_ns); }},
    {"srcNode",
     [](dom::element value, model::Record& to) { return read_node(value, to.src_node.emplace()); }},
    {"dstNodes",
     [](dom::element value, model::Record& to) { return read_list(value, to.dst_nodes, read_node); }},
    {"virtualTraffic",
     [](dom::element value, model::Record& to) { return read_traffic(value, to.virtual_traffic); }},
    {"subnetTraffic",
     [](dom::element value, model::Record& to) { return read_traffic(value, to.subnet_traffic); }},
    {"exitTraffic",
     [](dom::element value, model::Record& to) { return read_traffic(value, to.exit_traffic); }},
    {"physicalTraffic",
     [](dom::element value, model::Record& to) { return read_traffic(value, to.physical_traffic); }},
    {"accounting",
     [](dom::element value, model::Record& to) { return read_accounting(value, to.accounting); }},
};
constexpr unsigned kRequiredFields = 3;  // the first of the table, which no record leaves out

}  // namespace

struct RecordReader::Parser {
  dom::parser parser{kLineBytesMax};
};

RecordReader::RecordReader() : parser_(std::make_unique<Parser>()) {}
RecordReader::RecordReader(RecordReader&&) noexcept = default;
RecordReader& RecordReader::operator=(RecordReader&&) noexcept = default;
RecordReader::~RecordReader() = default;

base::Result<model::Record> RecordReader::read(std::string_view line) {
  if (line.size() > kLineBytesMax) {
    return fail(base::Error(base::ErrorCode::kResource,
                            fmt::format("a line of {} bytes is longer than {}", line.size(), kLineBytesMax)));
  }
  if (line.empty()) return corrupt("an empty line is no record");
  dom::element document;
  if (const auto error = parser_->parser.parse(line.data(), line.size()).get(document);
      error != simdjson::SUCCESS) {
    return corrupt(fmt::format("no valid JSON: {}", simdjson::error_message(error)));
  }
  model::Record record;
  auto seen = read_object(document, record, kRecordFields);
  if (!seen) return fail(std::move(seen.error()).during("record"));
  for (unsigned field = 0; field < kRequiredFields; ++field) {
    if ((*seen & 1U << field) == 0)
      return corrupt(fmt::format("record: has no field {}", kRecordFields[field].name));
  }
  return record;
}

}  // namespace flowtally::record
