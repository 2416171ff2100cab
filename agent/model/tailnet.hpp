// This file is what is known of a tailnet at one moment: this node, its peers, and the settings by which
// traffic is classified. Plain values, as tailscaled or a file gave them; node_map.hpp makes them quick to
// ask.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "model/address.hpp"

namespace flowtally::model {

/// One node, in the fields of tailscaled's status (ipn/ipnstate.PeerStatus) that mean something to us.
/// Strings are empty and lists are empty where it did not say.
struct Node {
  std::string id{};                      ///< stable id, "nLab01CNTRL"; survives a new login, unlike the key
  std::string name{};                    ///< full DNS name without the last dot
  std::string os{};                      ///< "linux", "windows"
  std::string user{};                    ///< login name of the owner; empty for a tagged node
  std::vector<std::string> tags{};       ///< "tag:server"; sorted, each once
  std::vector<Address> addresses{};      ///< own Tailscale addresses, in the order given
  std::vector<Prefix> allowed_ips{};     ///< what may be sent to it, own addresses among them
  std::vector<Prefix> primary_routes{};  ///< subnets that it serves now
  std::vector<Endpoint>
      endpoints{};       ///< where its UDP may come from: the one in use first, then those seen before
  std::string relay{};   ///< code of its home DERP region
  bool expired = false;  ///< its key has expired: it routes nothing
  bool online = false;

  friend bool operator==(const Node&, const Node&) = default;
};

/// The part of tailscaled's preferences (ipn.Prefs) by which traffic is classified.
struct RoutingPrefs {
  bool accept_routes = false;               ///< RouteAll: subnet routes of peers are used
  bool exit_node_allow_lan = false;         ///< ExitNodeAllowLANAccess
  bool exit_node = false;                   ///< an exit node is chosen: ExitNodeID or ExitNodeIP
  std::vector<Prefix> advertised_routes{};  ///< AdvertiseRoutes, /0 among them where this is an exit node

  friend bool operator==(const RoutingPrefs&, const RoutingPrefs&) = default;
};

/// A tailnet as it was known at one moment.
struct Tailnet {
  enum class Source : std::uint8_t {
    kNone,        ///< nobody told: address ranges are all there is
    kFile,        ///< --identity
    kTailscaled,  ///< the LocalAPI
  };

  Source source = Source::kNone;
  Node self{};
  std::vector<Node> peers{};
  std::optional<RoutingPrefs> prefs{};       ///< none: not readable, then the rule by address ranges holds
  std::vector<Address> service_addresses{};  ///< of services that this node hosts (CapMap "service-host")
  std::vector<Prefix> local_prefixes{};      ///< of this host's interfaces; not loopback, not Tailscale's
  bool exit_node_in_use = false;             ///< status has an ExitNodeStatus
  bool log_exit_flows = false;               ///< the tailnet's policy lets exit destinations be logged
  std::vector<std::uint16_t> udp_ports{};    ///< local ports of tailscaled's UDP sockets, as far as it told
  bool uses_socket_mark = true;              ///< tailscaled marks its sockets (GET check-so-mark-in-use)

  friend bool operator==(const Tailnet&, const Tailnet&) = default;
};

/// 100.64.0.0/10 without 100.115.92.0/23 (ChromeOS), or fd7a:115c:a1e0::/48: net/tsaddr.IsTailscaleIP.
[[nodiscard]] bool is_tailscale_address(const Address& address) noexcept;
/// 100.100.100.100 and fd7a:115c:a1e0::53, where tailscaled itself answers.
[[nodiscard]] bool is_service_address(const Address& address) noexcept;

}  // namespace flowtally::model
