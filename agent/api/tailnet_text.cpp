#include "api/tailnet_text.hpp"

#include <algorithm>
#include <functional>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "api/json_text.hpp"
#include "record/text.hpp"

namespace flowtally::api {
namespace {

std::string prefix_text(const model::Prefix& prefix) {
  return fmt::format("{}/{}", record::to_text(prefix.address), prefix.bits);
}

void add_addresses(const model::Node& node, JsonText& json) {
  json.begin_list("addresses");
  for (const model::Address& address : node.addresses) json.element(record::to_text(address));
  json.end_list();
}

void add_list(std::string_view name, const std::vector<std::string>& values, JsonText& json) {
  if (values.empty()) return;
  json.begin_list(name);
  for (const std::string& value : values) json.element(value);
  json.end_list();
}

void add_prefixes(std::string_view name, const std::vector<model::Prefix>& values, JsonText& json) {
  if (values.empty()) return;
  json.begin_list(name);
  for (const model::Prefix& value : values) json.element(prefix_text(value));
  json.end_list();
}

void add_device(const model::Node& node, bool online, std::int64_t now_ns, JsonText& json) {
  json.begin();
  json.text("id", node.id).text("nodeId", node.id).text("name", node.name);
  json.text("hostname", std::string_view(node.name).substr(0, node.name.find('.')));
  json.text("os", node.os).text("user", node.user);
  add_addresses(node, json);
  json.flag("authorized", true).flag("connectedToControl", online);
  if (online) json.time("lastSeen", now_ns);
  add_list("tags", node.tags, json);
  add_prefixes("advertisedRoutes", node.primary_routes, json);
  add_prefixes("enabledRoutes", node.primary_routes, json);
  json.end();
}

void add_peer(const model::Node& node, bool online, JsonText& json) {
  json.text("id", node.id).text("name", node.name).text("os", node.os);
  if (!node.user.empty()) json.text("user", node.user);
  add_list("tags", node.tags, json);
  add_addresses(node, json);
  add_prefixes("allowedIPs", node.allowed_ips, json);
  add_prefixes("primaryRoutes", node.primary_routes, json);
  if (!node.endpoints.empty()) {
    json.begin_list("endpoints");
    for (const model::Endpoint& endpoint : node.endpoints) json.element(record::to_text(endpoint));
    json.end_list();
  }
  if (!node.relay.empty()) json.text("relay", node.relay);
  json.flag("online", online).flag("expired", node.expired);
}

/// A list that is written one node at a time.
class NodeListBody final : public Body {
 public:
  using Write = std::function<void(std::size_t index, JsonText&)>;

  NodeListBody(std::size_t count, JsonText json, Write write, std::string_view end)
      : count_(count), json_(std::move(json)), write_(std::move(write)), end_(end) {
    make_piece();
  }

  base::Result<std::size_t> read(std::span<char> out) override {
    std::size_t written = 0;
    while (written < out.size()) {
      written += pieces_.take(out.subspan(written));
      if (!pieces_.empty() || done_) break;
      make_piece();
    }
    return written;
  }

 private:
  void make_piece() {
    if (next_ < count_) write_(next_++, json_);
    piece_ = json_.take();
    pieces_.add(piece_);
    if (next_ < count_) return;
    pieces_.add(end_);
    done_ = true;
  }

  std::size_t count_;
  JsonText json_;
  Write write_;
  std::string_view end_;
  std::string piece_;
  Pieces pieces_;
  std::size_t next_ = 0;
  bool done_ = false;
};

std::string_view source_text(model::Tailnet::Source source) noexcept {
  switch (source) {
    case model::Tailnet::Source::kFile: return "file";
    case model::Tailnet::Source::kTailscaled: return "tailscaled";
    case model::Tailnet::Source::kNone: break;
  }
  return "none";
}

}  // namespace

std::unique_ptr<Body> device_list(std::shared_ptr<const model::NodeMap> nodes, std::int64_t now_ns) {
  JsonText json;
  json.begin().begin_list("devices");
  // A node that nobody told of is no device.
  const bool known = nodes->tailnet().source != model::Tailnet::Source::kNone;
  const std::size_t count = known ? nodes->size() : 0;
  auto write = [nodes = std::move(nodes), now_ns](std::size_t index, JsonText& out) {
    const model::Node& node = nodes->node(static_cast<model::NodeIndex>(index));
    add_device(node, index == 0 || node.online, now_ns, out);
  };
  return std::make_unique<NodeListBody>(count, std::move(json), std::move(write), "]}\n");
}

std::unique_ptr<Body> peer_list(std::shared_ptr<const model::NodeMap> nodes) {
  JsonText json;
  json.begin().text("source", source_text(nodes->tailnet().source));
  if (nodes->tailnet().source != model::Tailnet::Source::kNone) {
    json.begin("self");
    add_peer(nodes->tailnet().self, true, json);
    json.end();
  }
  json.begin_list("peers");
  const std::size_t count = nodes->tailnet().peers.size();
  auto write = [nodes = std::move(nodes)](std::size_t index, JsonText& out) {
    const model::Node& node = nodes->tailnet().peers[index];
    out.begin();
    add_peer(node, node.online, out);
    out.end();
  };
  return std::make_unique<NodeListBody>(count, std::move(json), std::move(write), "]}\n");
}

}  // namespace flowtally::api
