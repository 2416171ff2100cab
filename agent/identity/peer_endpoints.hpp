// This file keeps which endpoints the control server names for each peer. `status` has only the one that we
// send to; a peer may answer from another one, of the other address family say, and whois tells all of them.
// Pure: time comes as an argument.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "identity/status_parser.hpp"
#include "model/tailnet.hpp"

namespace flowtally::identity {

/// Peers that are asked about in one read of the tailnet; each is a question of its own.
inline constexpr std::size_t kWhoisPerReadMax = 32;
/// What was told of a peer is asked for again after this.
inline constexpr std::int64_t kEndpointsStaleNs = std::int64_t{5} * 60 * 1'000'000'000;
/// The same where somebody met an endpoint that is nobody's: peers that have just come are known to
/// tailscaled before their endpoints are. Who meets it paces himself.
inline constexpr std::int64_t kEndpointsStaleIfForcedNs = std::int64_t{500} * 1'000'000;

/// Node.Endpoints of a `whois` answer, kNodeEndpointsMax at the most; empty where it has none. kCorrupt: no
/// JSON.
[[nodiscard]] base::Result<std::vector<model::Endpoint>> parse_whois_endpoints(std::string_view json);

/// What whois told, by stable id. Not thread-safe.
class PeerEndpoints {
 public:
  struct Question {
    std::string node_id;
    std::string name;  ///< for LocalApi::get()
  };

  /// Whom to ask about now: peers that packets go to first, then those that are online, of which nothing is
  /// known or what is known is stale. kWhoisPerReadMax at the most.
  [[nodiscard]] std::vector<Question> questions(const TailscaledStatus& status, std::int64_t now_ns,
                                                bool forced) const;
  /// Takes an answer; an empty one as well, so that it is not asked for again at once.
  void learn(const std::string& node_id, std::vector<model::Endpoint> endpoints, std::int64_t now_ns);
  /// Appends to each peer those that it does not have. Forgets peers that are gone.
  void apply(model::Tailnet& tailnet);

 private:
  struct Known {
    std::vector<model::Endpoint> endpoints;
    std::int64_t asked_ns = 0;
  };
  std::map<std::string, Known> known_;
};

}  // namespace flowtally::identity
