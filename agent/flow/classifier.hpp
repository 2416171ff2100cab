// This file says which kind of traffic each flow of a window is, by Tailscale's rules (addNewVirtConnLocked
// and makeRouteMaps in wgengine/netlog, tailscale.com 1.92 to 1.102), and anonymises exit traffic as it does.
// Pure.
#pragma once

#include <memory>

#include "model/classified_window.hpp"
#include "model/node_map.hpp"
#include "model/window.hpp"

namespace flowtally::flow {

struct ClassifyOptions {
  /// Exit rows lose protocol, ports and the addresses that are no node's, and rows that are then equal become
  /// one, unless the tailnet's policy lets them be logged (Tailnet::log_exit_flows).
  bool anonymise_exit = true;
};

/// The window in classes. The sum over the virtual, subnet and exit rows is that of flows and coarse flows.
///
/// A coarse flow does not know its local end: it is taken as this node's own. One without any address stays
/// in the virtual list as it is.
///
/// Where `nodes` does not know the routes (nobody told, or tailscaled's prefs were not readable), address
/// ranges decide: between two Tailscale addresses is virtual; with an end outside them that is routed, or,
/// where nobody told anything, is private (RFC 1918, RFC 4193, link-local), is subnet; else exit. `nodes`
/// must not be null.
[[nodiscard]] model::ClassifiedWindow classify(const model::Window& window,
                                               std::shared_ptr<const model::NodeMap> nodes,
                                               const ClassifyOptions& options);

}  // namespace flowtally::flow
