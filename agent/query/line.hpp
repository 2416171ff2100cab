// This file reads the line of a record as queries need it: fast where it is as our own writer makes it, and
// by the strict reader of agent/record where it is not. Both give the same; the fast one passes over what it
// does not need without looking whether it is right.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/classified_window.hpp"
#include "model/record.hpp"

namespace flowtally::query {

struct Connection {
  model::TrafficClass traffic_class = model::TrafficClass::kVirtual;
  model::Flow flow{};
};

/// Whether the nodes of a record are wanted: reading them costs more than reading the connections.
enum class Nodes : std::uint8_t { kNo, kYes };

struct Line {
  std::string node_id{};
  std::int64_t start_ns = 0;
  std::int64_t end_ns = 0;
  std::vector<Connection> connections{};
  /// Only with Nodes::kYes: srcNode, if there is one, then dstNodes.
  std::vector<model::RecordNode> nodes{};
  bool has_src_node = false;
  /// The nodes by their addresses, sorted; made by index_nodes().
  std::vector<std::pair<model::Address, std::size_t>> nodes_by_address{};

  /// The reporting node; null where it is not known.
  [[nodiscard]] const model::RecordNode* reporting() const noexcept {
    return has_src_node ? &nodes.front() : nullptr;
  }
  /// After a change of `nodes`.
  void index_nodes();
  /// The node of that address; null where there is none.
  [[nodiscard]] const model::RecordNode* node_of(const model::Address& address) const noexcept;
  /// The node at the other end: that of dst, or, where dst is not a node's, that of src if it is not the
  /// reporting one (what this node routes for others). Null: not known.
  [[nodiscard]] const model::RecordNode* peer_of(const Connection& connection) const noexcept;
};

/// Reads lines one after the other and keeps its buffers. Not thread-safe.
class LineReader {
 public:
  LineReader();
  LineReader(LineReader&&) noexcept;
  LineReader& operator=(LineReader&&) noexcept;
  LineReader(const LineReader&) = delete;
  LineReader& operator=(const LineReader&) = delete;
  ~LineReader();

  /// With or without its line end. Valid until the next call; null where it is no record.
  [[nodiscard]] const Line* read(std::string_view text, Nodes nodes);
  /// Lines that were not as our writer makes them.
  [[nodiscard]] std::uint64_t slow_lines() const noexcept { return slow_lines_; }

 private:
  struct Slow;
  [[nodiscard]] bool take_nodes(std::string_view src, std::string_view dst, Nodes nodes);
  [[nodiscard]] bool read_slowly(std::string_view text, Nodes nodes);

  Line line_;
  std::string nodes_text_;  ///< of which line_.nodes are: neighbours often name the same ones
  std::unique_ptr<Slow> slow_;
  std::uint64_t slow_lines_ = 0;
};

}  // namespace flowtally::query
