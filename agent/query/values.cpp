#include "query/values.hpp"

#include <algorithm>

#include "query/names.hpp"
#include "record/text.hpp"

namespace flowtally::query {
namespace {

std::string name_of(const model::RecordNode& node) {
  if (node.name.empty()) return node.id;
  return node.name.ends_with('.') ? node.name.substr(0, node.name.size() - 1) : node.name;
}

}  // namespace

std::uint16_t service_port_of(const model::Flow& flow) noexcept {
  const std::uint16_t low = std::min(flow.local.port, flow.remote.port);
  return low != 0 ? low : std::max(flow.local.port, flow.remote.port);
}

std::string node_text(const Line& line) {
  const model::RecordNode* const node = line.reporting();
  return node != nullptr ? name_of(*node) : line.node_id;
}

std::string peer_text(const Line& line, const Connection& connection) {
  const model::RecordNode* const node = line.peer_of(connection);
  return node != nullptr ? name_of(*node) : std::string();
}

std::string user_text(const Line& line, const Connection& connection) {
  const model::RecordNode* const node = line.peer_of(connection);
  return node != nullptr ? node->user : std::string();
}

std::string tags_text(const Line& line, const Connection& connection) {
  const model::RecordNode* const node = line.peer_of(connection);
  std::string text;
  if (node == nullptr) return text;
  for (const std::string& tag : node->tags) {
    if (!text.empty()) text += ',';
    text += tag;
  }
  return text;
}

Row connection_row(const Line& line, const Connection& connection) {
  const model::Flow& flow = connection.flow;
  const model::Counters& counters = flow.counters;
  Row row;
  row.values = {line.start_ns,
                line.end_ns,
                node_text(line),
                std::string(class_name(connection.traffic_class)),
                protocol_name(flow.proto),
                record::to_text(flow.local),
                record::to_text(flow.remote),
                peer_text(line, connection),
                counters.tx_packets,
                counters.tx_bytes,
                counters.rx_packets,
                counters.rx_bytes};
  return row;
}

bool names_nodes(const Query& query) noexcept {
  if (query.group_by.empty() || query.filter.needs_nodes()) return true;
  return std::ranges::any_of(query.group_by, [](Column column) {
    return column == Column::kNode || column == Column::kPeer || column == Column::kUser ||
           column == Column::kTag;
  });
}

}  // namespace flowtally::query
