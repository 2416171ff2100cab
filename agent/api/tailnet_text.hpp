// This file tells of the nodes of the tailnet: as Tailscale's API does (`devices`), and with what that has no
// field for (`peers`).
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "api/answer.hpp"
#include "model/node_map.hpp"

namespace flowtally::api {

/// `{"devices":[…]}`. Made node by node, as a tailnet may have 200,000 of them. Who is online was last seen
/// at `now_ns`; of others that is not known, and the field is left out.
[[nodiscard]] std::unique_ptr<Body> device_list(std::shared_ptr<const model::NodeMap> nodes,
                                                std::int64_t now_ns);

/// `{"source":…,"self":{…},"peers":[…]}`.
[[nodiscard]] std::unique_ptr<Body> peer_list(std::shared_ptr<const model::NodeMap> nodes);

}  // namespace flowtally::api
