// This file reads one map of the configuration by the table of keys: every key is known or a fault that says
// what is allowed, every value is of its key's type or a fault that says what would do.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "config/keys.hpp"
#include "config/read.hpp"

namespace flowtally::config {

/// Takes the value of the key at that place of the table.
using Store = std::function<void(std::size_t key, const Value& value)>;

class MapReader {
 public:
  /// All must outlive the reader.
  MapReader(const Rules& rules, Faults& faults, Origins& origins)
      : rules_(rules), faults_(faults), origins_(origins) {}

  /// `path` is what messages call the map. The key `besides` is allowed and passed over.
  void read(const Node& node, std::span<const KeyInfo* const> keys, const std::string& path,
            const Store& store, std::string_view besides = {});

  [[nodiscard]] std::optional<Value> read_value(const KeyInfo& key, const Node& node,
                                                const std::string& path) const;

 private:
  struct Map {
    std::span<const KeyInfo* const> keys;
    std::string section;  ///< in the table
    std::string path;     ///< in messages
    std::string_view besides;
  };

  void read_map(const Node& node, const Map& map, const Store& store);
  enum class Source : std::uint8_t { kHere, kFile };
  /// A key of the table, and how it was given.
  struct Given {
    std::size_t key;
    Place at;
    Source source;
  };
  void take(const Map& map, const Given& given, const Node& node, std::map<std::size_t, Value>& found);
  void add_headers(model::Headers& to, model::Headers from, const Place& at, const std::string& path) const;
  void refuse_unknown(const Map& map, const Section& section, const std::string& name, const Place& at) const;
  [[nodiscard]] std::optional<Value> read_secret_file(const Node& node, const std::string& path) const;
  [[nodiscard]] std::optional<Value> read_header_files(const Node& node, const std::string& path) const;
  [[nodiscard]] std::optional<Value> read_one(const KeyInfo& key, const Node& node,
                                              const std::string& path) const;
  [[nodiscard]] std::optional<Value> read_list_of(const KeyInfo& key, const Node& node,
                                                  const std::string& path) const;
  [[nodiscard]] std::optional<Value> read_pairs(const KeyInfo& key, const Node& node,
                                                const std::string& path) const;
  /// False, and told, where the node is something else.
  [[nodiscard]] bool is_kind(const Node& node, Node::Kind kind, const std::string& path) const;

  const Rules& rules_;
  Faults& faults_;
  Origins& origins_;
};

}  // namespace flowtally::config
