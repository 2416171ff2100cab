#include "identity/peer_endpoints.hpp"

#include <algorithm>
#include <set>
#include <utility>

#include <fmt/format.h>
#include <simdjson.h>

#include "model/address_text.hpp"

namespace flowtally::identity {
namespace {

/// As whois takes it: any text of the address will do.
std::string text_of(const model::Address& address) {
  const auto& bytes = address.bytes;
  if (address.family == model::Address::Family::kV4) {
    return fmt::format("{}.{}.{}.{}", bytes[0], bytes[1], bytes[2], bytes[3]);
  }
  std::string text;
  for (std::size_t at = 0; at < bytes.size(); at += 2) {
    text += fmt::format("{}{:x}", at > 0 ? ":" : "", bytes[at] << 8U | bytes[at + 1]);
  }
  return text;
}

}  // namespace

base::Result<std::vector<model::Endpoint>> parse_whois_endpoints(std::string_view json) {
  simdjson::dom::parser parser;
  simdjson::dom::element document;
  if (json.empty() || parser.parse(json.data(), json.size()).get(document) != simdjson::SUCCESS) {
    return base::fail(base::Error(base::ErrorCode::kCorrupt, "the answer to whois is no valid JSON"));
  }
  std::vector<model::Endpoint> endpoints;
  simdjson::dom::array listed;
  if (document["Node"]["Endpoints"].get(listed) != simdjson::SUCCESS) return endpoints;
  for (const simdjson::dom::element entry : listed) {
    std::string_view text;
    if (endpoints.size() >= kNodeEndpointsMax) break;
    if (entry.get(text) != simdjson::SUCCESS) continue;
    if (const auto endpoint = model::parse_endpoint(text)) endpoints.push_back(*endpoint);
  }
  return endpoints;
}

std::vector<PeerEndpoints::Question> PeerEndpoints::questions(const TailscaledStatus& status,
                                                              std::int64_t now_ns, bool forced) const {
  const std::int64_t stale_ns = forced ? kEndpointsStaleIfForcedNs : kEndpointsStaleNs;
  std::set<std::string_view> active;
  for (const ActivePath& path : status.active_paths) active.insert(path.node_id);
  std::vector<Question> asked;
  for (const bool in_use : {true, false}) {
    for (const model::Node& peer : status.tailnet.peers) {
      if (asked.size() >= kWhoisPerReadMax) return asked;
      if (active.contains(peer.id) != in_use || (!in_use && !peer.online) || peer.addresses.empty()) continue;
      const auto known = known_.find(peer.id);
      if (known != known_.end() && now_ns - known->second.asked_ns < stale_ns) continue;
      asked.push_back({.node_id = peer.id, .name = "whois?addr=" + text_of(peer.addresses.front())});
    }
  }
  return asked;
}

void PeerEndpoints::learn(const std::string& node_id, std::vector<model::Endpoint> endpoints,
                          std::int64_t now_ns) {
  known_.insert_or_assign(node_id, Known{.endpoints = std::move(endpoints), .asked_ns = now_ns});
}

void PeerEndpoints::apply(model::Tailnet& tailnet) {
  std::set<std::string_view> present;
  for (model::Node& peer : tailnet.peers) {
    present.insert(peer.id);
    const auto known = known_.find(peer.id);
    if (known == known_.end()) continue;
    for (const model::Endpoint& endpoint : known->second.endpoints) {
      if (std::ranges::find(peer.endpoints, endpoint) == peer.endpoints.end()) {
        peer.endpoints.push_back(endpoint);
      }
    }
  }
  std::erase_if(known_, [&](const auto& entry) { return !present.contains(entry.first); });
}

}  // namespace flowtally::identity
