// This file reads the parts that an identity file is made of: words, lists, maps with known keys. Every fault
// is an error that says where, what, and what would do. Pure.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/near_miss.hpp"
#include "base/result.hpp"
#include "model/address.hpp"
#include "yaml/yaml_tree.hpp"

namespace flowtally::identity {

using base::near_miss;
using yaml::yaml_error;
using yaml::YamlNode;

/// A word of the file for a message, cut where it is long.
[[nodiscard]] std::string in_quotes(std::string_view text);

/// What a reader needs besides the value: the names of the file and of the key.
struct Place {
  const std::string& file;
  std::string_view key;

  /// "FILE:LINE:COLUMN: KEY: what. Remedy."
  [[nodiscard]] std::unexpected<base::Error> refuse(const YamlNode& node, std::string_view what,
                                                    std::string remedy) const;
};

/// One line of 1 to kTextBytesMax bytes without control characters.
[[nodiscard]] base::Result<std::string> read_text(const Place& place, const YamlNode& node);
[[nodiscard]] base::Result<std::string> read_id(const Place& place, const YamlNode& node);
[[nodiscard]] base::Result<std::string> read_tag(const Place& place, const YamlNode& node);
[[nodiscard]] base::Result<bool> read_bool(const Place& place, const YamlNode& node);
[[nodiscard]] base::Result<model::Address> read_address(const Place& place, const YamlNode& node);
[[nodiscard]] base::Result<model::Prefix> read_prefix(const Place& place, const YamlNode& node);
[[nodiscard]] base::Result<model::Endpoint> read_endpoint(const Place& place, const YamlNode& node);
[[nodiscard]] base::Result<std::uint16_t> read_port(const Place& place, const YamlNode& node);

/// A list without repetitions.
template <class T>
[[nodiscard]] base::Status read_list(const Place& place, const YamlNode& node, std::vector<T>& to,
                                     std::size_t most,
                                     base::Result<T> (*read)(const Place&, const YamlNode&)) {
  if (node.kind != YamlNode::Kind::kList) {
    return place.refuse(node, "is not a list", "Write [one, another], or one a line after \"- \"");
  }
  if (node.items.size() > most)
    return place.refuse(node, fmt::format("has more than {} entries", most), "Shorten the list");
  for (const YamlNode& item : node.items) {
    auto value = read(place, item);
    if (!value) return base::fail(std::move(value.error()));
    if (std::ranges::find(to, *value) != to.end())
      return place.refuse(item, in_quotes(item.text) + " stands here twice", "Leave one of them out");
    to.push_back(std::move(*value));
  }
  return {};
}

/// One value, by the reader of its kind.
template <class T>
[[nodiscard]] base::Status read_value(const Place& place, const YamlNode& node, T& to,
                                      base::Result<T> (*read)(const Place&, const YamlNode&)) {
  auto value = read(place, node);
  if (!value) return base::fail(std::move(value.error()));
  to = std::move(*value);
  return {};
}

/// A key that a map may have, and what reads its value into `to`.
template <class Into>
struct Field {
  std::string_view key;
  base::Status (*read)(const Place&, const YamlNode&, Into&);
};

/// Reads a map whose keys are all known; `what` names it in messages.
template <class Into, std::size_t Count>
[[nodiscard]] base::Status read_map(const std::string& file, const YamlNode& node, std::string_view what,
                                    Into& to, const std::array<Field<Into>, Count>& fields) {
  std::array<std::string_view, Count> known;
  std::ranges::transform(fields, known.begin(), &Field<Into>::key);
  const std::string allowed = fmt::format("The keys of {} are {}", what, fmt::join(known, ", "));
  if (node.kind != YamlNode::Kind::kMap) {
    return base::fail(
        yaml_error(file, node, fmt::format("{} is not \"key: value\" lines", what)).advise(allowed));
  }
  for (std::size_t at = 0; at < node.keys.size(); ++at) {
    const YamlNode& key = node.keys[at];
    const auto field = std::ranges::find(fields, key.text, &Field<Into>::key);
    if (field == fields.end()) {
      const std::string meant = near_miss(key.text, known);
      return base::fail(
          yaml_error(file, key,
                     fmt::format("unknown key {}{}", in_quotes(key.text),
                                 meant.empty() ? "" : fmt::format(" (did you mean \"{}\"?)", meant)))
              .advise(allowed));
    }
    auto read = field->read({.file = file, .key = field->key}, node.items[at], to);
    if (!read) return base::fail(std::move(read.error()));
  }
  return {};
}

}  // namespace flowtally::identity
