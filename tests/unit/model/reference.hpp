// This file is the look-ups of model::NodeMap done the slow way, straight from the words of Tailscale's
// rules, for tests to compare with: linear searches and no code of agent/model but the values.
#pragma once

#include <optional>
#include <utility>
#include <vector>

#include "model/tailnet.hpp"

namespace flowtally::model::reference {

/// Bit by bit.
[[nodiscard]] bool holds(const Prefix& prefix, const Address& address);
/// The value of the first of the longest prefixes that hold the address.
[[nodiscard]] std::optional<std::uint32_t> longest(
    const std::vector<std::pair<Prefix, std::uint32_t>>& prefixes, const Address& address);

/// By text of net/tsaddr.IsTailscaleIP.
[[nodiscard]] bool is_tailscale(const Address& address);
/// 0 is self, then the peers in turn.
[[nodiscard]] std::optional<std::uint32_t> node_at(const Tailnet& tailnet, const Address& address);
/// R: prefixes of length 0 left out.
[[nodiscard]] std::vector<Prefix> routes(const Tailnet& tailnet);
[[nodiscard]] bool routed(const std::vector<Prefix>& routes, const Address& address);
[[nodiscard]] std::optional<std::uint32_t> route_owner(const Tailnet& tailnet, const Address& address);
[[nodiscard]] std::optional<std::uint32_t> node_behind(const Tailnet& tailnet, const Endpoint& endpoint);

}  // namespace flowtally::model::reference
