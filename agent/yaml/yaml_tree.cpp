#include "yaml/yaml_tree.hpp"

#include <algorithm>
#include <exception>
#include <spanstream>
#include <utility>

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include "base/check.hpp"

namespace flowtally::yaml {
namespace {

using base::ErrorCode;

/// What a refusal inside of yaml-cpp's parser is carried out with; it never leaves this file.
struct Refused : std::exception {
  Refused(YamlNode at_node, std::string what_is_wrong)
      : at(std::move(at_node)), what(std::move(what_is_wrong)) {}
  YamlNode at;
  std::string what;
};

YamlNode node_at(const YAML::Mark& mark, YamlNode::Kind kind) {
  return {.kind = kind, .line = mark.line + 1, .column = mark.column + 1};
}

/// Builds the tree from yaml-cpp's events. The innermost open list or map is the last of open_; a map's
/// values follow their keys.
class Builder final : public YAML::EventHandler {
 public:
  void OnDocumentStart(const YAML::Mark& /*mark*/) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    refuse_anchor(mark, anchor);
    put(node_at(mark, YamlNode::Kind::kNull));
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t /*anchor*/) override { refuse_anchor(mark, 1); }
  void OnScalar(const YAML::Mark& mark, const std::string& /*tag*/, YAML::anchor_t anchor,
                const std::string& value) override {
    refuse_anchor(mark, anchor);
    YamlNode node = node_at(mark, YamlNode::Kind::kScalar);
    node.text = value;
    put(std::move(node));
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& /*tag*/, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value /*style*/) override {
    refuse_anchor(mark, anchor);
    open(node_at(mark, YamlNode::Kind::kList));
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& /*tag*/, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value /*style*/) override {
    refuse_anchor(mark, anchor);
    open(node_at(mark, YamlNode::Kind::kMap));
  }
  void OnMapEnd() override { close(); }

  [[nodiscard]] YamlNode take() && { return std::move(root_); }

 private:
  static void refuse_anchor(const YAML::Mark& mark, YAML::anchor_t anchor) {
    if (anchor != 0)
      throw Refused(node_at(mark, YamlNode::Kind::kNull), "anchors and aliases are not used here");
  }

  void open(YamlNode node) {
    if (open_.size() >= kYamlDepthMax) {
      throw Refused(std::move(node), fmt::format("lists and maps are nested deeper than {}", kYamlDepthMax));
    }
    open_.push_back(std::move(node));
  }

  void close() {
    FLOWTALLY_CHECK(!open_.empty());
    YamlNode node = std::move(open_.back());
    open_.pop_back();
    put(std::move(node));
  }

  void put(YamlNode node) {
    if (++nodes_ > kYamlNodesMax)
      throw Refused(std::move(node), fmt::format("there are more than {} values", kYamlNodesMax));
    if (open_.empty()) {
      root_ = std::move(node);
      return;
    }
    YamlNode& parent = open_.back();
    const bool is_key = parent.kind == YamlNode::Kind::kMap && parent.keys.size() == parent.items.size();
    if (!is_key) {
      parent.items.push_back(std::move(node));
      return;
    }
    if (node.kind != YamlNode::Kind::kScalar) throw Refused(std::move(node), "a key has to be a word");
    if (parent.keys.size() >= kYamlKeysMax)
      throw Refused(std::move(node), fmt::format("there are more than {} keys", kYamlKeysMax));
    if (std::ranges::find(parent.keys, node.text, &YamlNode::text) != parent.keys.end()) {
      std::string what = fmt::format("\"{}\" stands here twice", node.text.substr(0, 64));
      throw Refused(std::move(node), std::move(what));
    }
    parent.keys.push_back(std::move(node));
  }

  YamlNode root_{};
  std::vector<YamlNode> open_{};
  std::size_t nodes_ = 0;
};

}  // namespace

base::Error yaml_error(const std::string& name, const YamlNode& node, std::string_view what) {
  return {ErrorCode::kInvalidArgument, fmt::format("{}:{}:{}: {}", name, node.line, node.column, what)};
}

base::Result<YamlNode> parse_yaml(std::string_view text, const std::string& name) {
  std::ispanstream stream(text);  // yaml-cpp reads from streams only
  Builder builder;
  try {
    YAML::Parser parser(stream);
    if (!parser.HandleNextDocument(builder)) return YamlNode{};
    Builder second;
    if (parser.HandleNextDocument(second)) {
      return base::fail(yaml_error(name, std::move(second).take(), "a second document begins here"));
    }
  } catch (const Refused& refused) {
    return base::fail(yaml_error(name, refused.at, refused.what));
  } catch (const YAML::Exception& error) {
    return base::fail(
        yaml_error(name, node_at(error.mark, YamlNode::Kind::kNull), "no valid YAML: " + error.msg));
  }
  return std::move(builder).take();
}

}  // namespace flowtally::yaml
