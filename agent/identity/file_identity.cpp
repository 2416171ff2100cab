#include "identity/file_identity.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/near_miss.hpp"
#include "identity/file_values.hpp"
#include "identity/status_parser.hpp"
#include "yaml/yaml_tree.hpp"

namespace flowtally::identity {
namespace {

using base::Error;
using base::ErrorCode;
using base::fail;

/// A node, and where it stands for messages about more than one node.
struct FileNode {
  model::Node node{};
  const YamlNode* at = nullptr;
};

using NodeField = Field<FileNode>;
constexpr std::array kSelfFields = {
    NodeField{"id", [](const Place& place, const YamlNode& node,
                       FileNode& to) { return read_value(place, node, to.node.id, read_id); }},
    NodeField{"name", [](const Place& place, const YamlNode& node,
                         FileNode& to) { return read_value(place, node, to.node.name, read_text); }},
    NodeField{"addresses",
              [](const Place& place, const YamlNode& node, FileNode& to) {
                return read_list(place, node, to.node.addresses, kNodeAddressesMax, read_address);
              }},
    NodeField{"os", [](const Place& place, const YamlNode& node,
                       FileNode& to) { return read_value(place, node, to.node.os, read_text); }},
    NodeField{"user", [](const Place& place, const YamlNode& node,
                         FileNode& to) { return read_value(place, node, to.node.user, read_text); }},
    NodeField{"tags", [](const Place& place, const YamlNode& node,
                         FileNode& to) { return read_list(place, node, to.node.tags, kTagsMax, read_tag); }},
};

/// A peer has all that this node has, and what this node says of itself elsewhere.
constexpr auto kPeerFields = [] {
  std::array<NodeField, kSelfFields.size() + 2> fields{};
  std::ranges::copy(kSelfFields, fields.begin());
  fields[kSelfFields.size()] = {"routes", [](const Place& place, const YamlNode& node, FileNode& to) {
                                  return read_list(place, node, to.node.primary_routes, kFileListMax,
                                                   read_prefix);
                                }};
  fields[kSelfFields.size() + 1] = {"endpoints", [](const Place& place, const YamlNode& node, FileNode& to) {
                                      return read_list(place, node, to.node.endpoints, kNodeEndpointsMax,
                                                       read_endpoint);
                                    }};
  return fields;
}();

/// Checks one node by itself and fills what follows from the rest.
base::Status complete(const std::string& file, FileNode& to, std::string_view what) {
  model::Node& node = to.node;
  const auto refuse = [&](std::string_view fault, std::string remedy) {
    return fail(yaml_error(file, *to.at, fmt::format("{} {}", what, fault)).advise(std::move(remedy)));
  };
  if (node.id.empty()) return refuse("has no id", "Give its stable node id, or any name that stays, as id");
  if (node.addresses.empty()) return refuse("has no addresses", "List its Tailscale addresses as addresses");
  if (!node.user.empty() && !node.tags.empty()) {
    return refuse("has a user and tags", "Leave the user out: a tagged node belongs to its tags");
  }
  if (node.name.ends_with('.')) node.name.pop_back();
  std::ranges::sort(node.tags);
  for (const model::Address& address : node.addresses)
    node.allowed_ips.push_back(model::Prefix::single(address));
  node.allowed_ips.insert(node.allowed_ips.end(), node.primary_routes.begin(), node.primary_routes.end());
  return {};
}

/// The file as read, before nodes are held against each other.
struct FileTailnet {
  model::Tailnet tailnet{};
  model::RoutingPrefs prefs{};
  FileNode self{};  ///< without a place: not there
  std::vector<FileNode> peers{};
  std::string exit_node{};
  const YamlNode* exit_node_at = nullptr;
};

base::Status read_self(const Place& place, const YamlNode& node, FileTailnet& to) {
  to.self = {.at = &node};
  return read_map(place.file, node, "node", to.self, kSelfFields);
}

base::Status read_peers(const Place& place, const YamlNode& node, FileTailnet& to) {
  if (node.kind == YamlNode::Kind::kNull) return {};
  if (node.kind != YamlNode::Kind::kList)
    return place.refuse(node, "is not a list", "Begin each peer with \"- id: ID\"");
  for (const YamlNode& item : node.items) {
    FileNode& peer = to.peers.emplace_back(FileNode{.at = &item});
    auto read = read_map(place.file, item, "a peer", peer, kPeerFields);
    if (!read) return read;
  }
  return {};
}

using TopField = Field<FileTailnet>;
constexpr std::array kTopFields = {
    TopField{"node", read_self},
    TopField{"peers", read_peers},
    TopField{"advertised_routes",
             [](const Place& place, const YamlNode& node, FileTailnet& to) {
               return read_list(place, node, to.prefs.advertised_routes, kFileListMax, read_prefix);
             }},
    TopField{"accept_routes",
             [](const Place& place, const YamlNode& node, FileTailnet& to) {
               return read_value(place, node, to.prefs.accept_routes, read_bool);
             }},
    TopField{"exit_node",
             [](const Place& place, const YamlNode& node, FileTailnet& to) {
               to.exit_node_at = &node;
               return read_value(place, node, to.exit_node, read_text);
             }},
    TopField{"exit_node_allow_lan",
             [](const Place& place, const YamlNode& node, FileTailnet& to) {
               return read_value(place, node, to.prefs.exit_node_allow_lan, read_bool);
             }},
    TopField{"log_exit_flows",
             [](const Place& place, const YamlNode& node, FileTailnet& to) {
               return read_value(place, node, to.tailnet.log_exit_flows, read_bool);
             }},
    TopField{"service_addresses",
             [](const Place& place, const YamlNode& node, FileTailnet& to) {
               return read_list(place, node, to.tailnet.service_addresses, kServiceAddressesMax,
                                read_address);
             }},
    TopField{"udp_ports",
             [](const Place& place, const YamlNode& node, FileTailnet& to) {
               return read_list(place, node, to.tailnet.udp_ports, kUdpPortsMax, read_port);
             }},
};

/// No id, address or endpoint may name two nodes.
base::Status check_unique(const std::string& file, const FileTailnet& read) {
  std::map<std::string_view, const FileNode*> ids;
  std::map<model::Address, const FileNode*> addresses;
  std::map<model::Endpoint, const FileNode*> endpoints;
  const auto take = [&](const FileNode& node) -> base::Status {
    const auto refuse = [&](std::string_view what, const FileNode& other) {
      return fail(
          yaml_error(file, *node.at,
                     fmt::format("node {} has the same {} as node {} of line {}", in_quotes(node.node.id),
                                 what, in_quotes(other.node.id), other.at->line))
              .advise("Correct one of them"));
    };
    if (const auto [at, added] = ids.emplace(node.node.id, &node); !added) return refuse("id", *at->second);
    for (const model::Address& address : node.node.addresses) {
      if (const auto [at, added] = addresses.emplace(address, &node); !added)
        return refuse("address", *at->second);
    }
    for (const model::Endpoint& endpoint : node.node.endpoints) {
      if (const auto [at, added] = endpoints.emplace(endpoint, &node); !added)
        return refuse("endpoint", *at->second);
    }
    return {};
  };
  if (auto taken = take(read.self); !taken) return taken;
  for (const FileNode& peer : read.peers) {
    if (auto taken = take(peer); !taken) return taken;
  }
  return {};
}

base::Status check_exit_node(const std::string& file, FileTailnet& read) {
  if (read.exit_node_at == nullptr) return {};
  std::vector<std::string_view> known;
  for (const FileNode& peer : read.peers) {
    known.push_back(peer.node.id);
    if (!peer.node.name.empty()) known.push_back(peer.node.name);
  }
  read.prefs.exit_node = std::ranges::find(known, read.exit_node) != known.end();
  read.tailnet.exit_node_in_use = read.prefs.exit_node;
  if (read.prefs.exit_node) return {};
  const std::string meant = near_miss(read.exit_node, known);
  return fail(yaml_error(file, *read.exit_node_at,
                         fmt::format("exit_node: {} is no peer{}", in_quotes(read.exit_node),
                                     meant.empty() ? "" : fmt::format(" (did you mean \"{}\"?)", meant)))
                  .advise("Give the id or the name of one of the peers, or leave the key out"));
}

struct FileCloser {
  void operator()(std::FILE* file) const noexcept { static_cast<void>(std::fclose(file)); }
};

base::Result<std::string> read_file(const std::string& path) {
  const std::unique_ptr<std::FILE, FileCloser> file(std::fopen(path.c_str(), "re"));
  if (!file) return fail(Error::from_errno(errno, "open the identity file " + path));
  std::string text(kIdentityFileBytesMax + 1, '\0');
  text.resize(std::fread(text.data(), 1, text.size(), file.get()));
  if (text.size() > kIdentityFileBytesMax) {
    return fail(Error(ErrorCode::kResource, fmt::format("the identity file {} is longer than {} bytes", path,
                                                        kIdentityFileBytesMax)));
  }
  if (std::ferror(file.get()) != 0) return fail(Error::from_errno(errno, "read the identity file " + path));
  return text;
}

}  // namespace

base::Result<model::Tailnet> parse_identity(std::string_view text, const std::string& name,
                                            const LocalAddresses& local) {
  auto tree = yaml::parse_yaml(text, name);
  if (!tree) return fail(std::move(tree.error()));
  FileTailnet read;
  if (auto mapped = read_map(name, *tree, "an identity file", read, kTopFields); !mapped)
    return fail(std::move(mapped.error()));
  if (read.self.at == nullptr) {
    return fail(yaml_error(name, *tree, "there is no node")
                    .advise("Describe this node: \"node:\" with id and addresses"));
  }
  read.self.node.primary_routes = read.prefs.advertised_routes;
  if (auto done = complete(name, read.self, "node"); !done) return fail(std::move(done.error()));
  for (FileNode& peer : read.peers) {
    if (auto done = complete(name, peer, "a peer"); !done) return fail(std::move(done.error()));
  }
  if (auto unique = check_unique(name, read); !unique) return fail(std::move(unique.error()));
  if (auto exit = check_exit_node(name, read); !exit) return fail(std::move(exit.error()));

  model::Tailnet tailnet = std::move(read.tailnet);
  tailnet.source = model::Tailnet::Source::kFile;
  tailnet.self = std::move(read.self.node);
  for (FileNode& peer : read.peers) tailnet.peers.push_back(std::move(peer.node));
  std::ranges::sort(tailnet.peers, {}, &model::Node::id);
  std::ranges::sort(tailnet.udp_ports);
  tailnet.prefs = std::move(read.prefs);
  tailnet.local_prefixes = local.prefixes;
  return tailnet;
}

base::Result<model::Tailnet> read_identity_file(const std::string& path) {
  auto text = read_file(path);
  if (!text) return fail(std::move(text.error()));
  auto local = read_local_addresses();
  if (!local) return fail(std::move(local.error()));
  return parse_identity(*text, path, *local);
}

}  // namespace flowtally::identity
