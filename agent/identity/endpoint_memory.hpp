// This file remembers from which endpoints peers have come. tailscaled names a peer's endpoint (CurAddr) only
// while packets go that way, and is asked twice a minute: without a memory the UDP of most windows would be
// nobody's. Pure: time comes as an argument.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>

#include "identity/status_parser.hpp"
#include "model/tailnet.hpp"

namespace flowtally::identity {

/// Beyond that the endpoints seen longest ago are forgotten.
inline constexpr std::size_t kRememberedEndpointsMax = 65'536;
/// Of one node, the newest; a peer behind a NAT that gives it a new port for each connection has many.
inline constexpr std::size_t kRememberedPerNodeMax = 16;
/// An endpoint that nobody used for a day may be somebody else's.
inline constexpr std::int64_t kForgetAfterNs = std::int64_t{24} * 3600 * 1'000'000'000;

/// Which node was behind which endpoint, and when last. An endpoint has one owner, the newest. Not
/// thread-safe.
class EndpointMemory {
 public:
  explicit EndpointMemory(std::size_t entries_max = kRememberedEndpointsMax) : entries_max_(entries_max) {}

  /// Takes what is in use now, and forgets what is too old or too much. `now_ns` is on the boot clock and
  /// never goes back.
  void learn(std::span<const ActivePath> paths, std::int64_t now_ns);

  /// Appends to each peer the endpoints that are remembered of it and that it does not have, newest first. A
  /// node that is gone keeps its entries, unseen, until they are forgotten: it may come back.
  void apply(model::Tailnet& tailnet) const;

  [[nodiscard]] std::size_t size() const noexcept { return owners_.size(); }

 private:
  struct Owner {
    std::string node_id{};
    std::int64_t seen_ns = 0;
  };
  void forget_oldest(std::size_t keep);

  std::size_t entries_max_;
  std::map<model::Endpoint, Owner> owners_{};
};

}  // namespace flowtally::identity
