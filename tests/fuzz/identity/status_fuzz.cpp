// Goal: nothing that comes in tailscaled's place harms the parsers, and what they take is within its limits
// and says the same when it is read again. Method: libFuzzer, the same bytes as each of the answers and on
// the bus; the bus in pieces, which may not matter.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.hpp"
#include "identity/bus.hpp"
#include "identity/endpoint_memory.hpp"
#include "identity/status_parser.hpp"

namespace {

using namespace flowtally;
using namespace flowtally::identity;

void check_node(const model::Node& node) {
  FLOWTALLY_CHECK(node.id.size() <= kIdBytesMax && node.name.size() <= kTextBytesMax);
  FLOWTALLY_CHECK(node.user.empty() || node.tags.empty());
  FLOWTALLY_CHECK(node.tags.size() <= kTagsMax && std::ranges::is_sorted(node.tags));
  FLOWTALLY_CHECK(node.addresses.size() <= kNodeAddressesMax);
  FLOWTALLY_CHECK(node.endpoints.size() <= kNodeEndpointsMax + 1);
}

void check_status(std::string_view text) {
  const LocalAddresses local{.addresses = {model::Address::v4({10, 77, 0, 11})}, .prefixes = {}};
  auto status = parse_status(text, local);
  if (!status) {
    FLOWTALLY_CHECK(!status.error().text().empty());
    return;
  }
  model::Tailnet& tailnet = status->tailnet;
  FLOWTALLY_CHECK(!status->backend_state.empty());
  FLOWTALLY_CHECK(!status->running() || !tailnet.self.id.empty());
  check_node(tailnet.self);
  for (const model::Node& peer : tailnet.peers) {
    check_node(peer);
    FLOWTALLY_CHECK(!peer.id.empty());
  }
  FLOWTALLY_CHECK(parse_status(text, local)->tailnet == tailnet);
  EndpointMemory memory;
  memory.learn(status->active_paths, 1);
  memory.apply(tailnet);
  FLOWTALLY_CHECK(memory.size() <= status->active_paths.size());
}

void check_bus(std::string_view text) {
  BusReader whole;
  const bool changed = whole.feed(text);
  BusReader parts;
  bool changed_in_parts = false;
  for (std::size_t at = 0; at < text.size(); at += 3)
    changed_in_parts = parts.feed(text.substr(at, 3)) || changed_in_parts;
  FLOWTALLY_CHECK(whole.messages() == parts.messages());
  FLOWTALLY_CHECK(changed == changed_in_parts);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  check_status(text);
  static_cast<void>(parse_prefs(text));
  static_cast<void>(parse_socket_mark(text));
  static_cast<void>(bus_mask(text));
  check_bus(text);
  return 0;
}
