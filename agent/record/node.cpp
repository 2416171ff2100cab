#include "record/node.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <span>
#include <string_view>

#include "record/text.hpp"

namespace flowtally::record {
namespace {

/// What is written of a node, and how long it may become.
struct NodeFields {
  std::string_view id;
  std::string_view name;
  std::span<const model::Address> addresses;
  std::string_view os;
  std::string_view user;
  std::span<const std::string> tags;
  std::size_t bytes_max;
};

constexpr std::string_view kTagsBegin = ",\"tags\":[";
constexpr std::string_view kEscapeLongest = "\\u0000";
constexpr std::size_t kTextBytesMax = kEscapeLongest.size() * kNodeTextBytesMax + 2;  // with its quotes
/// All but the tags fits at its longest, with room for a tag: tags are what is cut.
static_assert(std::string_view(R"({"nodeId":,"name":,"addresses":["",""],"os":,"user":,"tags":[]})").size() +
                  5 * kTextBytesMax + 2 * kAddressBytesMax <=
              kNodeBytesMax);

void append_text(std::string_view name, std::string_view text, std::string& out) {
  if (text.empty()) return;
  out += name;
  append_json_string(text, out);
}

void append_addresses(std::span<const model::Address> addresses, std::string& out) {
  if (addresses.empty()) return;
  out += ",\"addresses\":[";
  for (const model::Address& address : addresses) {
    char text[kAddressBytesMax];
    out += '"';
    out.append(text, put_address(address, text));
    out += "\",";
  }
  out.back() = ']';  // the last comma
}

/// As many tags as keep what was written from `begin` on within `bytes_max`, its closing brace included.
void append_tags(const NodeFields& node, std::size_t begin, std::string& out) {
  const std::size_t without = out.size();
  std::size_t written = 0;
  out += kTagsBegin;
  for (const std::string& tag : node.tags) {
    const std::size_t before = out.size();
    append_json_string(tag, out);
    out += ',';
    if (out.size() - begin + 1 > node.bytes_max) {  // the comma becomes the bracket, then the brace
      out.resize(before);
      break;
    }
    ++written;
  }
  if (written == 0) {
    out.resize(without);
  } else {
    out.back() = ']';
  }
}

void append_fields(const NodeFields& node, std::string& out) {
  const std::size_t begin = out.size();
  out += "{\"nodeId\":";
  append_json_string(node.id, out);
  append_text(",\"name\":", node.name, out);
  append_addresses(node.addresses, out);
  append_text(",\"os\":", node.os, out);
  append_text(",\"user\":", node.user, out);
  if (!node.tags.empty()) append_tags(node, begin, out);
  out += '}';
}

/// The first bytes of a text, at most kNodeTextBytesMax, without a piece of a character at their end.
std::string_view cut(std::string_view text) noexcept {
  if (text.size() <= kNodeTextBytesMax) return text;
  const auto inside = [&](std::size_t at) { return (static_cast<unsigned char>(text[at]) & 0xC0U) == 0x80; };
  constexpr std::size_t kPieceMax = 3;  // of a character of four bytes
  std::size_t end = kNodeTextBytesMax;
  while (end > kNodeTextBytesMax - kPieceMax && inside(end)) --end;
  return text.substr(0, inside(end) ? kNodeTextBytesMax : end);
}

/// The first address of each family, IPv4 before IPv6.
class ShownAddresses {
 public:
  explicit ShownAddresses(const std::vector<model::Address>& addresses) {
    for (const auto family : {model::Address::Family::kV4, model::Address::Family::kV6}) {
      const auto first = std::ranges::find(addresses, family, &model::Address::family);
      if (first != addresses.end()) addresses_[count_++] = *first;
    }
  }

  [[nodiscard]] std::span<const model::Address> all() const noexcept {
    return std::span(addresses_).first(count_);
  }

 private:
  std::array<model::Address, 2> addresses_{};
  std::size_t count_ = 0;
};

}  // namespace

void append_node(const model::Node& node, std::string& out) {
  const ShownAddresses addresses(node.addresses);
  append_fields({.id = cut(node.id),
                 .name = cut(node.name),
                 .addresses = addresses.all(),
                 .os = cut(node.os),
                 .user = cut(node.user),
                 .tags = node.tags,
                 .bytes_max = kNodeBytesMax},
                out);
}

void append_node(const model::RecordNode& node, std::string& out) {
  append_fields({.id = node.id,
                 .name = node.name,
                 .addresses = node.addresses,
                 .os = node.os,
                 .user = node.user,
                 .tags = node.tags,
                 .bytes_max = std::numeric_limits<std::size_t>::max()},
                out);
}

}  // namespace flowtally::record
