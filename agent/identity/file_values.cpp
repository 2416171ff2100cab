#include "identity/file_values.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

#include <fmt/format.h>

#include "identity/status_parser.hpp"
#include "model/address_text.hpp"

namespace flowtally::identity {
namespace {

constexpr std::size_t kShownBytesMax = 64;

}  // namespace

std::string in_quotes(std::string_view text) {
  return fmt::format("\"{}\"{}", text.substr(0, kShownBytesMax),
                     text.size() > kShownBytesMax ? " (cut)" : "");
}

std::unexpected<base::Error> Place::refuse(const YamlNode& node, std::string_view what,
                                           std::string remedy) const {
  return base::fail(yaml_error(file, node, fmt::format("{}: {}", key, what)).advise(std::move(remedy)));
}

base::Result<std::string> read_text(const Place& place, const YamlNode& node) {
  const bool fits = node.kind == YamlNode::Kind::kScalar && !node.text.empty() &&
                    node.text.size() <= kTextBytesMax && std::ranges::none_of(node.text, [](char c) {
                      return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
                    });
  if (fits) return node.text;
  return place.refuse(node, "is no text",
                      fmt::format("Give 1 to {} bytes on one line, or leave the key out", kTextBytesMax));
}

base::Result<std::string> read_id(const Place& place, const YamlNode& node) {
  const bool printable = std::ranges::all_of(node.text, [](char c) { return c > ' ' && c < '\x7f'; });
  if (node.kind == YamlNode::Kind::kScalar && printable && !node.text.empty() &&
      node.text.size() <= kIdBytesMax) {
    return node.text;
  }
  return place.refuse(
      node, "is no node id",
      fmt::format("Give 1 to {} printable ASCII characters without spaces, such as nLab01CNTRL",
                  kIdBytesMax));
}

base::Result<std::string> read_tag(const Place& place, const YamlNode& node) {
  auto tag = read_text(place, node);
  if (!tag || (tag->starts_with("tag:") && tag->size() > 4)) return tag;
  return place.refuse(node, in_quotes(*tag) + " is no tag", "Write tag:NAME, such as tag:server");
}

base::Result<bool> read_bool(const Place& place, const YamlNode& node) {
  if (node.kind == YamlNode::Kind::kScalar && node.text == "true") return true;
  if (node.kind == YamlNode::Kind::kScalar && node.text == "false") return false;
  return place.refuse(node, in_quotes(node.text) + " is neither true nor false", "Write true or false");
}

base::Result<model::Address> read_address(const Place& place, const YamlNode& node) {
  if (const auto address = model::parse_address(node.text)) return *address;
  return place.refuse(node, in_quotes(node.text) + " is no IP address",
                      "Write it as 100.64.0.1 or \"fd7a:115c:a1e0::1\"");
}

base::Result<model::Prefix> read_prefix(const Place& place, const YamlNode& node) {
  if (const auto prefix = model::parse_prefix(node.text)) return *prefix;
  return place.refuse(node, in_quotes(node.text) + " is no network",
                      "Write it as 192.168.77.0/24 or \"fd77:77:0:1::/64\"");
}

base::Result<model::Endpoint> read_endpoint(const Place& place, const YamlNode& node) {
  const auto endpoint = model::parse_endpoint(node.text);
  if (endpoint && endpoint->port != 0) return *endpoint;
  return place.refuse(node, in_quotes(node.text) + " is no address with a port",
                      "Write it as \"192.0.2.7:41641\" or \"[2001:db8::7]:41641\"");
}

base::Result<std::uint16_t> read_port(const Place& place, const YamlNode& node) {
  std::uint16_t port = 0;
  const char* const end = node.text.data() + node.text.size();
  const auto [stop, error] = std::from_chars(node.text.data(), end, port);
  if (error == std::errc{} && stop == end && port != 0) return port;
  return place.refuse(node, in_quotes(node.text) + " is no UDP port", "Write a number from 1 to 65535");
}

}  // namespace flowtally::identity
