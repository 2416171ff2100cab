#include "identity/status_parser.hpp"

#include <algorithm>
#include <optional>
#include <unordered_map>
#include <utility>

#include <fmt/format.h>
#include <simdjson.h>

#include "model/address_text.hpp"

namespace flowtally::identity {
namespace {

namespace dom = simdjson::dom;

using base::fail;

std::unexpected<base::Error> corrupt(std::string what) {
  return fail(base::Error(base::ErrorCode::kCorrupt, std::move(what)));
}

/// Checks the whole text (syntax, UTF-8, numbers, depth). The object lives as long as the parser.
base::Result<dom::object> parse_object(dom::parser& parser, std::string_view json) {
  if (json.size() > kAnswerBytesMax) {
    return fail(base::Error(base::ErrorCode::kResource,
                            fmt::format("the answer is longer than {} bytes", kAnswerBytesMax)));
  }
  if (json.empty()) return corrupt("the answer is empty");
  dom::element document;
  if (const auto error = parser.parse(json.data(), json.size()).get(document); error != simdjson::SUCCESS) {
    return corrupt(fmt::format("no valid JSON: {}", simdjson::error_message(error)));
  }
  dom::object object;
  if (document.get(object) != simdjson::SUCCESS) return corrupt("the answer is not an object");
  return object;
}

// ---- values; what has another type leaves the target as it is

void read_bool(dom::element value, bool& to) {
  bool flag = false;
  if (value.get(flag) == simdjson::SUCCESS) to = flag;
}

std::optional<std::string_view> text_of(dom::element value) {
  std::string_view text;
  if (value.get(text) != simdjson::SUCCESS || text.size() > kTextBytesMax) return std::nullopt;
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
  if (std::ranges::any_of(text, is_control)) return std::nullopt;
  return text;
}

void read_text(dom::element value, std::string& to) {
  if (const auto text = text_of(value)) to = *text;
}

/// Appends what `parse` makes of the strings of a list, at most `most`.
template <class T, class Parse>
void read_list(dom::element value, std::vector<T>& to, std::size_t most, Parse parse) {
  dom::array entries;
  if (value.get(entries) != simdjson::SUCCESS) return;
  for (const dom::element entry : entries) {
    if (to.size() >= most) return;
    const auto text = text_of(entry);
    if (!text) continue;
    if (auto parsed = parse(*text)) to.push_back(std::move(*parsed));
  }
}

void read_addresses(dom::element value, std::vector<model::Address>& to, std::size_t most) {
  read_list(value, to, most, [](std::string_view text) { return model::parse_address(text); });
}

/// Without a limit of its own: a subnet router may have thousands, and each is shorter than its text.
void read_prefixes(dom::element value, std::vector<model::Prefix>& to) {
  read_list(value, to, kAnswerBytesMax, [](std::string_view text) { return model::parse_prefix(text); });
}

void read_tags(dom::element value, std::vector<std::string>& to) {
  read_list(value, to, kTagsMax, [](std::string_view text) {
    return text.empty() ? std::nullopt : std::optional(std::string(text));
  });
  std::ranges::sort(to);
  const auto repeated = std::ranges::unique(to);
  to.erase(repeated.begin(), repeated.end());
}

/// A user id as the text by which "User" lists it.
std::string id_text(dom::element value) {
  std::int64_t number = 0;
  if (value.get(number) == simdjson::SUCCESS) return fmt::format("{}", number);
  std::uint64_t large = 0;
  if (value.get(large) == simdjson::SUCCESS) return fmt::format("{}", large);
  return {};
}

// ---- objects

template <class Into>
struct Field {
  std::string_view name;
  void (*read)(dom::element, Into&);
};

template <class Into, std::size_t Count>
void read_fields(dom::object object, Into& to, const Field<Into> (&fields)[Count]) {
  for (const dom::key_value_pair pair : object) {
    const auto* const field = std::ranges::find(fields, pair.key, &Field<Into>::name);
    if (field != std::end(fields)) field->read(pair.value, to);
  }
}

/// A node as read, before what hangs on several of its fields is put together.
struct RawNode {
  model::Node node{};
  std::string user_id{};
  std::optional<model::Endpoint> current{};
  std::vector<model::Endpoint> candidates{};
  std::vector<model::Address> service_addresses{};
  bool log_exit_flows = false;
};

/// [{"svc:a": ["100.100.0.5", "fd7a:…"]}, …]
void read_service_host(dom::element value, std::vector<model::Address>& to) {
  dom::array hosts;
  if (value.get(hosts) != simdjson::SUCCESS) return;
  for (const dom::element host : hosts) {
    dom::object services;
    if (host.get(services) != simdjson::SUCCESS) continue;
    for (const dom::key_value_pair service : services) {
      read_addresses(service.value, to, kServiceAddressesMax);
    }
  }
}

/// Capabilities whose names alone say something have null for a value.
void read_capabilities(dom::element value, RawNode& to) {
  dom::object capabilities;
  if (value.get(capabilities) != simdjson::SUCCESS) return;
  for (const dom::key_value_pair capability : capabilities) {
    if (capability.key == "log-exit-flows") to.log_exit_flows = true;
    if (capability.key == "service-host") read_service_host(capability.value, to.service_addresses);
  }
}

void read_current(dom::element value, RawNode& to) {
  if (const auto text = text_of(value)) to.current = model::parse_endpoint(*text);
}

void read_id(dom::element value, RawNode& to) {
  read_text(value, to.node.id);
  if (to.node.id.size() > kIdBytesMax) to.node.id.clear();
}

void read_name(dom::element value, RawNode& to) {
  read_text(value, to.node.name);
  if (to.node.name.ends_with('.')) to.node.name.pop_back();
}

constexpr Field<RawNode> kNodeFields[] = {
    {"ID", read_id},
    {"DNSName", read_name},
    {"OS", [](dom::element value, RawNode& to) { read_text(value, to.node.os); }},
    {"UserID", [](dom::element value, RawNode& to) { to.user_id = id_text(value); }},
    {"Tags", [](dom::element value, RawNode& to) { read_tags(value, to.node.tags); }},
    {"TailscaleIPs",
     [](dom::element value, RawNode& to) { read_addresses(value, to.node.addresses, kNodeAddressesMax); }},
    {"AllowedIPs", [](dom::element value, RawNode& to) { read_prefixes(value, to.node.allowed_ips); }},
    {"PrimaryRoutes", [](dom::element value, RawNode& to) { read_prefixes(value, to.node.primary_routes); }},
    {"Addrs",
     [](dom::element value, RawNode& to) {
       read_list(value, to.candidates, kNodeEndpointsMax,
                 [](std::string_view text) { return model::parse_endpoint(text); });
     }},
    {"CurAddr", read_current},
    {"Relay", [](dom::element value, RawNode& to) { read_text(value, to.node.relay); }},
    {"Expired", [](dom::element value, RawNode& to) { read_bool(value, to.node.expired); }},
    {"Online", [](dom::element value, RawNode& to) { read_bool(value, to.node.online); }},
    {"CapMap", read_capabilities},
};

/// Login names by user id, both as they stand in the document.
using Users = std::unordered_map<std::string_view, std::string_view>;

Users read_users(std::optional<dom::element> value) {
  Users users;
  dom::object profiles;
  if (!value || value->get(profiles) != simdjson::SUCCESS) return users;
  for (const dom::key_value_pair profile : profiles) {
    dom::element login;
    if (profile.value.at_key("LoginName").get(login) != simdjson::SUCCESS) continue;
    if (const auto text = text_of(login)) users.emplace(profile.key, *text);
  }
  return users;
}

RawNode read_node(dom::object object, const Users& users) {
  RawNode raw;
  read_fields(object, raw, kNodeFields);
  model::Node& node = raw.node;
  if (node.tags.empty()) {
    if (const auto user = users.find(raw.user_id); user != users.end()) node.user = user->second;
  }
  if (raw.current) node.endpoints.push_back(*raw.current);
  for (const model::Endpoint& candidate : raw.candidates) {
    if (std::ranges::find(node.endpoints, candidate) == node.endpoints.end())
      node.endpoints.push_back(candidate);
  }
  return raw;
}

/// The local ports of the endpoints whose address is one of this host's. Sorted, so that the same answer in
/// another order is no change.
std::vector<std::uint16_t> udp_ports_of(const model::Node& self, const LocalAddresses& local) {
  std::vector<std::uint16_t> ports;
  for (const model::Endpoint& endpoint : self.endpoints) {
    if (endpoint.port != 0 && std::ranges::binary_search(local.addresses, endpoint.address) &&
        std::ranges::find(ports, endpoint.port) == ports.end() && ports.size() < kUdpPortsMax) {
      ports.push_back(endpoint.port);
    }
  }
  std::ranges::sort(ports);
  return ports;
}

/// The top of the answer: where its parts are.
struct Parts {
  std::string backend_state{};
  std::string version{};
  bool has_tun = true;
  bool exit_node_in_use = false;
  std::optional<dom::element> self{};
  std::optional<dom::element> peers{};
  std::optional<dom::element> users{};
};

constexpr Field<Parts> kPartFields[] = {
    {"BackendState", [](dom::element value, Parts& to) { read_text(value, to.backend_state); }},
    {"Version", [](dom::element value, Parts& to) { read_text(value, to.version); }},
    {"TUN", [](dom::element value, Parts& to) { read_bool(value, to.has_tun); }},
    {"ExitNodeStatus", [](dom::element value, Parts& to) { to.exit_node_in_use = value.is_object(); }},
    {"Self", [](dom::element value, Parts& to) { to.self = value; }},
    {"Peer", [](dom::element value, Parts& to) { to.peers = value; }},
    {"User", [](dom::element value, Parts& to) { to.users = value; }},
};

/// Peers without an id are left out: a record could not name them, and the next read may have it.
base::Status read_peers(std::optional<dom::element> value, const Users& users, TailscaledStatus& to) {
  dom::object peers;
  if (!value || value->get(peers) != simdjson::SUCCESS) return {};
  for (const dom::key_value_pair peer : peers) {
    dom::object object;
    if (peer.value.get(object) != simdjson::SUCCESS) {
      ++to.peers_left_out;
      continue;
    }
    RawNode raw = read_node(object, users);
    if (raw.node.id.empty()) {
      ++to.peers_left_out;
      continue;
    }
    if (to.tailnet.peers.size() >= kPeersMax) {
      return fail(
          base::Error(base::ErrorCode::kResource, fmt::format("there are more than {} peers", kPeersMax)));
    }
    if (raw.current) to.active_paths.push_back({.endpoint = *raw.current, .node_id = raw.node.id});
    to.tailnet.peers.push_back(std::move(raw.node));
  }
  std::ranges::sort(to.tailnet.peers, {}, &model::Node::id);
  return {};
}

constexpr Field<model::RoutingPrefs> kPrefsFields[] = {
    {"RouteAll", [](dom::element value, model::RoutingPrefs& to) { read_bool(value, to.accept_routes); }},
    {"ExitNodeAllowLANAccess",
     [](dom::element value, model::RoutingPrefs& to) { read_bool(value, to.exit_node_allow_lan); }},
    {"ExitNodeID",
     [](dom::element value, model::RoutingPrefs& to) {
       std::string_view id;
       if (value.get(id) == simdjson::SUCCESS && !id.empty()) to.exit_node = true;
     }},
    {"ExitNodeIP",
     [](dom::element value, model::RoutingPrefs& to) {
       std::string_view address;
       if (value.get(address) == simdjson::SUCCESS && model::parse_address(address)) to.exit_node = true;
     }},
    {"AdvertiseRoutes",
     [](dom::element value, model::RoutingPrefs& to) { read_prefixes(value, to.advertised_routes); }},
};

}  // namespace

base::Result<TailscaledStatus> parse_status(std::string_view json, const LocalAddresses& local) {
  dom::parser parser;  // not kept: between two reads its memory is better used otherwise
  auto object = parse_object(parser, json);
  if (!object) return fail(std::move(object.error()).during("status of tailscaled"));
  Parts parts;
  read_fields(*object, parts, kPartFields);
  if (parts.backend_state.empty()) return corrupt("status of tailscaled: has no BackendState");

  TailscaledStatus status{.backend_state = std::move(parts.backend_state),
                          .version = std::move(parts.version),
                          .has_tun = parts.has_tun};
  const Users users = read_users(parts.users);
  RawNode self;
  dom::object self_object;
  if (parts.self && parts.self->get(self_object) == simdjson::SUCCESS)
    self = read_node(self_object, users);
  else if (status.running())
    return corrupt("status of tailscaled: has no Self");
  if (status.running() && self.node.id.empty()) return corrupt("status of tailscaled: Self has no ID");

  status.tailnet = {.source = model::Tailnet::Source::kTailscaled,
                    .self = std::move(self.node),
                    .service_addresses = std::move(self.service_addresses),
                    .local_prefixes = local.prefixes,
                    .exit_node_in_use = parts.exit_node_in_use,
                    .log_exit_flows = self.log_exit_flows};
  status.tailnet.udp_ports = udp_ports_of(status.tailnet.self, local);
  if (auto read = read_peers(parts.peers, users, status); !read) {
    return fail(std::move(read.error()).during("status of tailscaled"));
  }
  return status;
}

base::Result<model::RoutingPrefs> parse_prefs(std::string_view json) {
  dom::parser parser;
  auto object = parse_object(parser, json);
  if (!object) return fail(std::move(object.error()).during("prefs of tailscaled"));
  model::RoutingPrefs prefs;
  read_fields(*object, prefs, kPrefsFields);
  return prefs;
}

base::Result<bool> parse_socket_mark(std::string_view json) {
  dom::parser parser;
  auto object = parse_object(parser, json);
  if (!object) return fail(std::move(object.error()).during("socket mark of tailscaled"));
  bool used = false;
  if ((*object)["UseSOMark"].get(used) != simdjson::SUCCESS) {
    return corrupt("socket mark of tailscaled: has no UseSOMark");
  }
  return used;
}

}  // namespace flowtally::identity
