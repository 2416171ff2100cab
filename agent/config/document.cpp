#include "config/document.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "config/keys.hpp"
#include "config/substitute.hpp"
#include "yaml/yaml_tree.hpp"

namespace flowtally::config {
namespace {

using yaml::YamlNode;

/// Turns the trees of YAML into nodes of ours.
class Converter {
 public:
  Converter(std::size_t file, const Environment& environment, std::size_t& values, Faults& faults)
      : file_(file), environment_(environment), values_(values), faults_(faults) {}

  Node convert(YamlNode& from, const std::string& path) {
    Node node{.at = place(from)};
    if (++values_ == kValuesMax + 1)
      faults_.add(node.at, "", fmt::format("there are more than {} values", kValuesMax));
    if (values_ > kValuesMax) {
      node.told = true;
      return node;
    }
    switch (from.kind) {
      case YamlNode::Kind::kNull: break;
      case YamlNode::Kind::kScalar: convert_scalar(from, path, node); break;
      case YamlNode::Kind::kList:
        node.kind = Node::Kind::kList;
        for (YamlNode& item : from.items) node.items.push_back(convert(item, path));
        break;
      case YamlNode::Kind::kMap: convert_map(from, path, node); break;
    }
    return node;
  }

 private:
  [[nodiscard]] Place place(const YamlNode& node) const {
    return {.file = file_, .line = node.line, .column = node.column};
  }

  void convert_scalar(YamlNode& from, const std::string& path, Node& node) {
    node.kind = Node::Kind::kScalar;
    auto substituted = substitute(from.text, environment_);
    node.written = std::move(from.text);
    if (!substituted) {
      faults_.add(node.at, path, substituted.error());
      node.kind = Node::Kind::kNull;
      node.told = true;
      return;
    }
    node.text = std::move(substituted->text);
    node.variables = substituted->variables;
    node.literal = substituted->literal;
  }

  void convert_map(YamlNode& from, const std::string& path, Node& node) {
    node.kind = Node::Kind::kMap;
    for (std::size_t at = 0; at < from.keys.size(); ++at) {
      node.name_places.push_back(place(from.keys[at]));
      node.items.push_back(convert(from.items[at], joined(path, shown(from.keys[at].text))));
      node.names.push_back(std::move(from.keys[at].text));
    }
  }

  std::size_t file_;
  const Environment& environment_;
  std::size_t& values_;
  Faults& faults_;
};

struct Merge {
  const std::vector<std::string>& files;
  Faults& faults;

  /// Maps become one, key by key; what is nothing gives way. As deep as the files are, which is bounded.
  void operator()(Node& into, Node from, const std::string& path) const {
    if (from.kind == Node::Kind::kNull && !from.told) return;
    if (into.kind == Node::Kind::kNull && !into.told) {
      into = std::move(from);
      return;
    }
    if (into.kind != Node::Kind::kMap || from.kind != Node::Kind::kMap) {
      faults.add(from.at, path, fmt::format("is given already at {}", place_text(into.at, files)));
      return;
    }
    for (std::size_t at = 0; at < from.names.size(); ++at) {
      const auto there = std::ranges::find(into.names, from.names[at]);
      if (there == into.names.end()) {
        into.names.push_back(std::move(from.names[at]));
        into.name_places.push_back(from.name_places[at]);
        into.items.push_back(std::move(from.items[at]));
        continue;
      }
      const auto place = static_cast<std::size_t>(there - into.names.begin());
      (*this)(into.items[place], std::move(from.items[at]), joined(path, shown(*there)));
    }
  }
};

}  // namespace

const Node* Node::find(std::string_view name) const noexcept {
  const auto found = std::ranges::find(names, name);
  return found == names.end() ? nullptr : &items[static_cast<std::size_t>(found - names.begin())];
}

Node read_document(std::span<const SourceFile> files, const Environment& environment, Faults& faults) {
  std::vector<std::string> names;
  for (const SourceFile& file : files) names.push_back(file.name);
  Node root;
  std::size_t values = 0;
  for (std::size_t at = 0; at < files.size(); ++at) {
    if (at >= kFilesMax) {
      faults.add({.file = at}, "", fmt::format("there are more than {} files", kFilesMax));
      break;
    }
    if (files[at].text.size() > kFileBytesMax) {
      faults.add({.file = at}, "", fmt::format("the file is longer than {} bytes", kFileBytesMax));
      continue;
    }
    auto tree = yaml::parse_yaml(files[at].text, files[at].name);
    if (!tree) {
      faults.add_whole(at, tree.error().text());
      continue;
    }
    Node node = Converter(at, environment, values, faults).convert(*tree, "");
    if (node.kind != Node::Kind::kMap && node.kind != Node::Kind::kNull) {
      faults.add(node.at, "", "these are no \"key: value\" lines");
      continue;
    }
    Merge{.files = names, .faults = faults}(root, std::move(node), "");
  }
  return root;
}

}  // namespace flowtally::config
