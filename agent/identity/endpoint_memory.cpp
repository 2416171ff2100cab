#include "identity/endpoint_memory.hpp"

#include <algorithm>
#include <functional>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace flowtally::identity {

void EndpointMemory::learn(std::span<const ActivePath> paths, std::int64_t now_ns) {
  for (const ActivePath& path : paths) {
    owners_.insert_or_assign(path.endpoint, Owner{.node_id = path.node_id, .seen_ns = now_ns});
  }
  std::erase_if(owners_, [&](const auto& entry) { return now_ns - entry.second.seen_ns > kForgetAfterNs; });
  if (owners_.size() > entries_max_) forget_oldest(entries_max_);
}

void EndpointMemory::forget_oldest(std::size_t keep) {
  std::vector<std::pair<std::int64_t, model::Endpoint>> by_age;
  by_age.reserve(owners_.size());
  for (const auto& [endpoint, owner] : owners_) by_age.emplace_back(owner.seen_ns, endpoint);
  const auto kept = by_age.end() - static_cast<std::ptrdiff_t>(keep);
  std::ranges::nth_element(by_age, kept);
  for (auto entry = by_age.begin(); entry != kept; ++entry) owners_.erase(entry->second);
}

void EndpointMemory::apply(model::Tailnet& tailnet) const {
  std::unordered_map<std::string_view, std::vector<std::pair<std::int64_t, model::Endpoint>>> by_node;
  for (const auto& [endpoint, owner] : owners_) by_node[owner.node_id].emplace_back(owner.seen_ns, endpoint);
  for (model::Node& peer : tailnet.peers) {
    const auto found = by_node.find(peer.id);
    if (found == by_node.end()) continue;
    auto& remembered = found->second;
    std::ranges::sort(remembered, std::ranges::greater{});
    if (remembered.size() > kRememberedPerNodeMax) remembered.resize(kRememberedPerNodeMax);
    for (const auto& [seen_ns, endpoint] : remembered) {
      if (std::ranges::find(peer.endpoints, endpoint) == peer.endpoints.end())
        peer.endpoints.push_back(endpoint);
    }
  }
}

}  // namespace flowtally::identity
