#include "query/line.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "model/address_text.hpp"
#include "query/scanner.hpp"
#include "record/parse.hpp"
#include "record/reader.hpp"
#include "record/writer.hpp"

namespace flowtally::query {
namespace {

bool take_counters(Scanner& scan, model::Counters& counters) {
  if (scan.take(",\"txPkts\":") && !scan.take_number(counters.tx_packets)) return false;
  if (scan.take(",\"txBytes\":") && !scan.take_number(counters.tx_bytes)) return false;
  if (scan.take(",\"rxPkts\":") && !scan.take_number(counters.rx_packets)) return false;
  return !scan.take(",\"rxBytes\":") || scan.take_number(counters.rx_bytes);
}

/// One element of a traffic array, as record::put_entry() writes it. Entries that begin with their counters
/// are left to the slow reader: they have neither protocol nor ends.
bool take_entry(Scanner& scan, model::Flow& flow) {
  if (!scan.take_one('{')) return false;
  if (scan.take_one('}')) return true;
  bool any = false;
  if (scan.take("\"proto\":")) {
    std::uint64_t proto = 0;
    if (!scan.take_number(proto) || proto > 255) return false;
    flow.proto = static_cast<std::uint8_t>(proto);
    any = true;
  }
  if (any ? scan.take(",\"src\":\"") : scan.take("\"src\":\"")) {
    if (!scan.take_endpoint(flow.local)) return false;
    any = true;
  }
  if (any ? scan.take(",\"dst\":\"") : scan.take("\"dst\":\"")) {
    if (!scan.take_endpoint(flow.remote)) return false;
    any = true;
  }
  return any && take_counters(scan, flow.counters) && scan.take_one('}');
}

bool take_list(Scanner& scan, model::TrafficClass traffic_class, std::vector<Connection>& into) {
  do {
    Connection& connection = into.emplace_back(Connection{.traffic_class = traffic_class});
    if (!take_entry(scan, connection.flow)) return false;
  } while (scan.take_one(','));
  return scan.take(record::kListEnd);
}

bool take_time(Scanner& scan, std::int64_t& time_ns) {
  std::string_view text;
  if (!scan.take_plain_string(text)) return false;
  const auto time = record::parse_time(text);
  if (time) time_ns = *time;
  return time.has_value();
}

/// A list of strings without escapes, as record::append_node() writes it.
bool take_strings(Scanner& scan, std::vector<std::string>& into) {
  do {
    std::string_view text;
    if (!scan.take_one('"') || !scan.take_plain_string(text)) return false;
    into.emplace_back(text);
  } while (scan.take_one(','));
  return scan.take_one(']');
}

bool take_node(Scanner& scan, model::RecordNode& node) {
  const auto text = [&scan](std::string_view name, std::string& into) {
    std::string_view taken;
    if (!scan.take(name)) return true;
    if (!scan.take_plain_string(taken)) return false;
    into = taken;
    return true;
  };
  if (!scan.take("{\"nodeId\":\"")) return false;
  std::string_view id;
  if (!scan.take_plain_string(id)) return false;
  node.id = id;
  if (!text(",\"name\":\"", node.name)) return false;
  if (scan.take(",\"addresses\":[")) {
    std::vector<std::string> addresses;
    if (!take_strings(scan, addresses)) return false;
    for (const std::string& address : addresses) {
      const auto parsed = model::parse_address(address);
      if (!parsed) return false;
      node.addresses.push_back(*parsed);
    }
  }
  if (!text(",\"os\":\"", node.os) || !text(",\"user\":\"", node.user)) return false;
  if (scan.take(",\"tags\":[") && !take_strings(scan, node.tags)) return false;
  return scan.take_one('}');
}

/// `src`: an object, or nothing; `dst`: an array of them, or nothing.
bool scan_nodes(std::string_view src, std::string_view dst, Line& line) {
  line.nodes.clear();
  line.has_src_node = !src.empty();
  Scanner own(src);
  if (!src.empty() && !take_node(own, line.nodes.emplace_back())) return false;
  if (dst.empty()) return true;
  Scanner others(dst);
  if (!others.take_one('[')) return false;
  do {
    if (!take_node(others, line.nodes.emplace_back())) return false;
  } while (others.take_one(','));
  return others.take_one(']');
}

/// Where in the line its nodes are.
struct NodeTexts {
  std::string_view src;
  std::string_view dst;
};

bool scan_line(std::string_view text, Line& line, NodeTexts& nodes) {
  Scanner scan(text);
  std::string_view skipped;
  if (scan.take("{\"logged\":\"")) {  // what the journal has in front
    if (!scan.take_plain_string(skipped) || !scan.take(",\"nodeId\":\"")) return false;
  } else if (!scan.take("{\"nodeId\":\"")) {
    return false;
  }
  if (!scan.take_plain_string(skipped)) return false;
  line.node_id = skipped;
  if (!scan.take(",\"start\":\"") || !take_time(scan, line.start_ns)) return false;
  if (!scan.take(",\"end\":\"") || !take_time(scan, line.end_ns)) return false;
  if (scan.take(record::kSrcNode) && !scan.pass_brackets(nodes.src)) return false;
  if (scan.take(record::kDstNodesBegin.substr(0, record::kDstNodesBegin.size() - 1)) &&
      !scan.pass_brackets(nodes.dst))
    return false;
  for (std::size_t at = 0; at < model::kTrafficClasses; ++at) {
    if (!scan.take(record::kTrafficBegin[at])) continue;
    if (!take_list(scan, static_cast<model::TrafficClass>(at), line.connections)) return false;
  }
  if (scan.take(",\"accounting\":") && !scan.pass_brackets(skipped)) return false;
  return scan.take("}");
}

}  // namespace

void Line::index_nodes() {
  nodes_by_address.clear();
  for (std::size_t at = 0; at < nodes.size(); ++at) {
    for (const model::Address& address : nodes[at].addresses) nodes_by_address.emplace_back(address, at);
  }
  std::ranges::sort(nodes_by_address);
}

const model::RecordNode* Line::node_of(const model::Address& address) const noexcept {
  const auto found = std::ranges::lower_bound(nodes_by_address, std::pair(address, std::size_t{0}));
  if (found == nodes_by_address.end() || found->first != address) return nullptr;
  return &nodes[found->second];
}

const model::RecordNode* Line::peer_of(const Connection& connection) const noexcept {
  if (const auto* const node = node_of(connection.flow.remote.address); node != nullptr) return node;
  const auto* const node = node_of(connection.flow.local.address);
  return node == reporting() ? nullptr : node;
}

struct LineReader::Slow {
  record::RecordReader reader;
};

LineReader::LineReader() = default;
LineReader::LineReader(LineReader&&) noexcept = default;
LineReader& LineReader::operator=(LineReader&&) noexcept = default;
LineReader::~LineReader() = default;

const Line* LineReader::read(std::string_view text, Nodes nodes) {
  line_.connections.clear();
  if (text.ends_with('\n')) text.remove_suffix(1);
  NodeTexts texts;
  if (scan_line(text, line_, texts) && take_nodes(texts.src, texts.dst, nodes)) return &line_;
  nodes_text_.clear();
  line_.nodes.clear();
  line_.has_src_node = false;
  const bool read = read_slowly(text, nodes);
  line_.index_nodes();
  return read ? &line_ : nullptr;
}

/// False: they need a parser that knows escapes.
bool LineReader::take_nodes(std::string_view src, std::string_view dst, Nodes nodes) {
  if (nodes == Nodes::kNo) {
    nodes_text_.clear();
    line_.nodes.clear();
    line_.nodes_by_address.clear();
    line_.has_src_node = false;
    return true;
  }
  // Both are there, one behind the other, or the line has none worth keeping.
  const bool same = !src.empty() && nodes_text_.size() == src.size() + dst.size() &&
                    nodes_text_.starts_with(src) && nodes_text_.ends_with(dst);
  if (same) return true;
  nodes_text_.clear();
  if (!scan_nodes(src, dst, line_)) return false;
  line_.index_nodes();
  nodes_text_.append(src).append(dst);
  return true;
}

bool LineReader::read_slowly(std::string_view text, Nodes nodes) {
  ++slow_lines_;
  if (!slow_) slow_ = std::make_unique<Slow>();
  auto record = slow_->reader.read(text);
  if (!record) return false;
  line_.node_id = std::move(record->node_id);
  line_.start_ns = record->start_ns;
  line_.end_ns = record->end_ns;
  line_.connections.clear();
  const std::array<const std::vector<model::Flow>*, model::kTrafficClasses> lists = {
      &record->virtual_traffic, &record->subnet_traffic, &record->exit_traffic, &record->physical_traffic};
  for (std::size_t at = 0; at < lists.size(); ++at) {
    for (const model::Flow& flow : *lists[at]) {
      line_.connections.push_back({.traffic_class = static_cast<model::TrafficClass>(at), .flow = flow});
    }
  }
  if (nodes == Nodes::kNo) return true;
  line_.has_src_node = record->src_node.has_value();
  if (record->src_node) line_.nodes.push_back(std::move(*record->src_node));
  for (model::RecordNode& node : record->dst_nodes) line_.nodes.push_back(std::move(node));
  return true;
}

}  // namespace flowtally::query
