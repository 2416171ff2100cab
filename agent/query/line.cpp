#include "query/line.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <utility>

#include "model/address_text.hpp"
#include "record/parse.hpp"
#include "record/reader.hpp"
#include "record/writer.hpp"

namespace flowtally::query {
namespace {

/// Walks over a line in the form that agent/record writes. A call that fails leaves the rest to the slow
/// reader, so nothing here has to say what is wrong.
class Scanner {
 public:
  explicit Scanner(std::string_view text) noexcept : at_(text.data()), end_(text.data() + text.size()) {}

  [[nodiscard]] bool take(std::string_view literal) noexcept {
    if (left() < literal.size() || std::memcmp(at_, literal.data(), literal.size()) != 0) return false;
    at_ += literal.size();
    return true;
  }

  /// The rest of a string without escapes, and its closing quote.
  [[nodiscard]] bool take_plain_string(std::string_view& text) noexcept {
    const void* const quote = std::memchr(at_, '"', left());
    if (quote == nullptr) return false;
    text = {at_, static_cast<std::size_t>(static_cast<const char*>(quote) - at_)};
    at_ += text.size() + 1;
    return text.find('\\') == std::string_view::npos;
  }

  /// A number without a sign and without leading zeros.
  [[nodiscard]] bool take_number(std::uint64_t& number) noexcept {
    const char* const begin = at_;
    std::uint64_t value = 0;
    while (at_ < end_ && *at_ >= '0' && *at_ <= '9') {
      value = value * 10 + static_cast<std::uint64_t>(*at_ - '0');
      ++at_;
    }
    number = value;
    constexpr std::ptrdiff_t kSureDigits = 19;  // more may not fit 64 bits
    return at_ > begin && at_ - begin <= kSureDigits && (*begin != '0' || at_ - begin == 1);
  }

  /// The rest of a string that is an endpoint, and its closing quote.
  [[nodiscard]] bool take_endpoint(model::Endpoint& endpoint) noexcept {
    if (at_ < end_ && *at_ == '[') {
      std::string_view text;
      if (!take_plain_string(text)) return false;
      const auto parsed = model::parse_endpoint(text);
      if (parsed) endpoint = *parsed;
      return parsed.has_value();
    }
    endpoint = {};
    endpoint.address.family = model::Address::Family::kV4;
    for (std::size_t octet = 0; octet < 4; ++octet) {
      std::uint64_t value = 0;
      if (!take_number(value) || value > 255 || !take_one(octet < 3 ? '.' : ':')) return false;
      endpoint.address.bytes[octet] = static_cast<std::uint8_t>(value);
    }
    std::uint64_t port = 0;
    if (!take_number(port) || port > std::numeric_limits<std::uint16_t>::max() || !take_one('"'))
      return false;
    endpoint.port = static_cast<std::uint16_t>(port);
    return true;
  }

  [[nodiscard]] bool take_one(char character) noexcept {
    if (at_ >= end_ || *at_ != character) return false;
    ++at_;
    return true;
  }
  [[nodiscard]] bool is_at(char character) const noexcept { return at_ < end_ && *at_ == character; }

  /// Passes over an object or array.
  [[nodiscard]] bool pass_brackets(std::string_view& text) noexcept {
    const char* const begin = at_;
    int depth = 0;
    for (bool in_string = false; at_ < end_; ++at_) {
      if (in_string) {
        if (*at_ == '\\') {
          ++at_;
        } else if (*at_ == '"') {
          in_string = false;
        }
        continue;
      }
      if (*at_ == '"') in_string = true;
      if (*at_ == '{' || *at_ == '[') ++depth;
      if ((*at_ == '}' || *at_ == ']') && --depth == 0) {
        ++at_;
        text = {begin, static_cast<std::size_t>(at_ - begin)};
        return true;
      }
    }
    return false;
  }

 private:
  [[nodiscard]] std::size_t left() const noexcept { return static_cast<std::size_t>(end_ - at_); }

  const char* at_;
  const char* end_;
};

/// One element of a traffic array, as record::put_entry() writes it.
bool take_entry(Scanner& scan, model::Flow& flow) {
  if (!scan.take_one('{')) return false;
  if (scan.take_one('}')) return true;
  bool first = true;
  // The name with its quotes and colon; before it a comma, but for the first.
  const auto field = [&](std::string_view with_comma) {
    if (!scan.take(first ? with_comma.substr(1) : with_comma)) return false;
    first = false;
    return true;
  };
  const auto counter = [&](std::string_view name, std::uint64_t& into) {
    return !field(name) || scan.take_number(into);
  };
  std::uint64_t proto = 0;
  if (!counter(",\"proto\":", proto) || proto > 255) return false;
  flow.proto = static_cast<std::uint8_t>(proto);
  if (field(",\"src\":\"") && !scan.take_endpoint(flow.local)) return false;
  if (field(",\"dst\":\"") && !scan.take_endpoint(flow.remote)) return false;
  return counter(",\"txPkts\":", flow.counters.tx_packets) &&
         counter(",\"txBytes\":", flow.counters.tx_bytes) &&
         counter(",\"rxPkts\":", flow.counters.rx_packets) &&
         counter(",\"rxBytes\":", flow.counters.rx_bytes) && !first && scan.take_one('}');
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
