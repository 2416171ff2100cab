// This file turns the answers of tailscaled's LocalAPI into a model::Tailnet. What is read comes from another
// program in whatever version is installed, so every field but a few may be absent, null or of another type,
// and is then as if tailscaled had not said it. Pure.
//
// Where two facts could be meant:
//   - A node's endpoints are the one in use (CurAddr), then its candidates (Addrs). PeerRelay is not among
//     them: it is an endpoint of the relay server, through which many peers come, told apart only by a number
//     in the packets. UDP from there belongs to no peer by its endpoint.
//   - A node's user is its owner, as in Tailscale's records, and only where it has no tags.
//   - A text longer than kTextBytesMax or with control characters is as if it were absent: half a name would
//     be another name.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "identity/local_addresses.hpp"
#include "model/tailnet.hpp"

namespace flowtally::identity {

/// The largest answer that is read: about 80,000 peers as tailscaled writes them. Reading takes some four
/// times the answer's size of memory while it lasts.
inline constexpr std::size_t kAnswerBytesMax = std::size_t{128} << 20U;
inline constexpr std::size_t kPeersMax = 200'000;
inline constexpr std::size_t kIdBytesMax = 128;       ///< of a stable node id; longer is none
inline constexpr std::size_t kTextBytesMax = 512;     ///< of a name, user, tag, system, region
inline constexpr std::size_t kTagsMax = 64;           ///< of one node; later ones are not taken
inline constexpr std::size_t kNodeAddressesMax = 16;  ///< own addresses of one node, likewise
inline constexpr std::size_t kNodeEndpointsMax =
    64;                                          ///< endpoints that tailscaled names of one node, likewise
inline constexpr std::size_t kUdpPortsMax = 16;  ///< of tailscaled's own sockets, likewise
inline constexpr std::size_t kServiceAddressesMax = 4096;  ///< of services hosted here, likewise

/// A peer's endpoint with which tailscaled exchanges packets at this moment.
struct ActivePath {
  model::Endpoint endpoint;
  std::string node_id{};

  friend bool operator==(const ActivePath&, const ActivePath&) = default;
};

struct TailscaledStatus {
  std::string backend_state{};  ///< "Running", "Stopped", "NeedsLogin"; later versions may have others
  std::string version{};        ///< "1.102.5-t0123"; empty where it did not say
  bool has_tun = true;          ///< false: userspace networking, and nothing passes the interface
  /// Of source kTailscaled, peers sorted by id. Without prefs, and uses_socket_mark as it is by default: both
  /// are answers of their own. Where the backend is not running it may have neither id nor addresses.
  model::Tailnet tailnet{};
  std::vector<ActivePath> active_paths{};
  std::size_t peers_left_out = 0;  ///< without a stable id, so that no record could name them

  [[nodiscard]] bool running() const noexcept { return backend_state == "Running"; }
};

/// `GET status`. kCorrupt: no JSON, or an essential is missing: BackendState always; Self with an ID where
/// the backend is running. kResource: beyond kAnswerBytesMax or kPeersMax. `local` tells which endpoints of
/// this node are sockets of this host.
[[nodiscard]] base::Result<TailscaledStatus> parse_status(std::string_view json, const LocalAddresses& local);

/// `GET prefs`. What is absent is off or none, as in ipn.Prefs.
[[nodiscard]] base::Result<model::RoutingPrefs> parse_prefs(std::string_view json);

/// `GET check-so-mark-in-use`: whether tailscaled marks its sockets. kCorrupt where it does not say.
[[nodiscard]] base::Result<bool> parse_socket_mark(std::string_view json);

}  // namespace flowtally::identity
