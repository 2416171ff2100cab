#include "support/packet_builder.hpp"

#include <algorithm>
#include <iterator>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/check.hpp"

namespace flowtally::support {
namespace {

constexpr std::uint8_t kNop = 1;  // the option of one byte that does nothing, in IPv4 and in TCP

std::uint8_t low_byte(std::size_t value) { return static_cast<std::uint8_t>(value & 0xffU); }

void put16(Bytes& bytes, std::size_t at, std::size_t value) {
  bytes[at] = low_byte(value >> 8U);
  bytes[at + 1] = low_byte(value);
}

void append(Bytes& to, std::span<const std::uint8_t> more) { to.insert(to.end(), more.begin(), more.end()); }

/// RFC 1071 over the IPv4 header, whose checksum field must be zero.
std::uint16_t ipv4_checksum(std::span<const std::uint8_t> header) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i + 1 < header.size(); i += 2)
    sum += (std::uint32_t{header[i]} << 8U) + header[i + 1];
  while (sum > 0xffffU) sum = (sum & 0xffffU) + (sum >> 16U);
  return static_cast<std::uint16_t>(~sum & 0xffffU);
}

Bytes ports(std::uint16_t source, std::uint16_t destination, std::size_t header_bytes) {
  Bytes header(header_bytes);
  put16(header, 0, source);
  put16(header, 2, destination);
  return header;
}

/// Sets a header length of `words` in the nibble at `at` and makes the header that long, as far as it can be.
void set_words(Bytes& header, std::size_t at, unsigned shift, unsigned words) {
  const unsigned mask = 0xfU << shift;
  header[at] = low_byte((header[at] & ~mask) | ((words & 0xfU) << shift));
  header.resize(std::max<std::size_t>(20, std::size_t{words} * 4), kNop);
}

}  // namespace

AddressBytes address_bytes(std::string_view text) {
  AddressBytes address{};
  const std::string terminated(text);
  const int family = text.find(':') == std::string_view::npos ? AF_INET : AF_INET6;
  FLOWTALLY_CHECK(::inet_pton(family, terminated.c_str(), address.data()) == 1);
  return address;
}

std::string rebuild_command(std::span<const std::uint8_t> bytes, const SkbFields& skb) {
  auto command = fmt::format("echo {:02x} | xxd -r -p > packet.bin", fmt::join(bytes, ""));
  if (skb.gso_size != 0 || skb.gso_segs != 0 || skb.wire_len != 0) {
    command +=
        fmt::format("  # gso_size {} gso_segs {} wire_len {}", skb.gso_size, skb.gso_segs, skb.wire_len);
  }
  return command;
}

PacketBuilder& PacketBuilder::add(Kind kind, std::uint8_t number, Bytes bytes) {
  layers_.push_back({.kind = kind, .number = number, .bytes = std::move(bytes)});
  return *this;
}

PacketBuilder::Layer& PacketBuilder::last(Kind kind) {
  const auto found = std::find_if(layers_.rbegin(), layers_.rend(),
                                  [kind](const Layer& layer) { return layer.kind == kind; });
  FLOWTALLY_CHECK(found != layers_.rend());
  return *found;
}

void PacketBuilder::remember_addresses(std::uint8_t family, const AddressBytes& source,
                                       const AddressBytes& destination) {
  if (family_ != 0) return;
  family_ = family;
  source_ = source;
  destination_ = destination;
}

PacketBuilder& PacketBuilder::ipv4(std::string_view source, std::string_view destination) {
  const AddressBytes from = address_bytes(source);
  const AddressBytes to = address_bytes(destination);
  Bytes header = {0x45, 0, 0, 0, 0x12, 0x34, 0, 0, 64, 0, 0, 0};
  append(header, std::span(from).first(4));
  append(header, std::span(to).first(4));
  remember_addresses(4, from, to);
  return add(Kind::kIpv4, 4, std::move(header));
}

PacketBuilder& PacketBuilder::ipv6(std::string_view source, std::string_view destination) {
  const AddressBytes from = address_bytes(source);
  const AddressBytes to = address_bytes(destination);
  Bytes header = {0x60, 0x0a, 0xbc, 0xde, 0, 0, 0, 64};
  append(header, from);
  append(header, to);
  remember_addresses(6, from, to);
  return add(Kind::kIpv6, 41, std::move(header));
}

PacketBuilder& PacketBuilder::ihl(unsigned words) {
  set_words(last(Kind::kIpv4).bytes, 0, 0, words);
  return *this;
}

PacketBuilder& PacketBuilder::fragment(unsigned offset_bytes, bool more_follow) {
  put16(last(Kind::kIpv4).bytes, 6, (offset_bytes / 8) | (more_follow ? 0x2000U : 0U));
  return *this;
}

PacketBuilder& PacketBuilder::dont_fragment() {
  last(Kind::kIpv4).bytes[6] |= 0x40U;
  return *this;
}

PacketBuilder& PacketBuilder::length_field(unsigned value) {
  FLOWTALLY_CHECK(!layers_.empty());
  layers_.back().length = static_cast<std::uint16_t>(value);
  return *this;
}

PacketBuilder& PacketBuilder::next_field(std::uint8_t protocol) {
  FLOWTALLY_CHECK(!layers_.empty());
  layers_.back().next = protocol;
  return *this;
}

PacketBuilder& PacketBuilder::version(unsigned value) {
  FLOWTALLY_CHECK(!layers_.empty());
  std::uint8_t& first = layers_.back().bytes[0];
  first = low_byte((first & 0x0fU) | (value << 4U));
  return *this;
}

PacketBuilder& PacketBuilder::extension(std::uint8_t number, unsigned units) {
  Bytes header((std::size_t{units} + 1) * 8);
  header[1] = low_byte(units);
  return add(Kind::kExtension, number, std::move(header));
}

PacketBuilder& PacketBuilder::fragment_header(unsigned offset_bytes, bool more_follow) {
  extension(44, 0);
  put16(layers_.back().bytes, 2, (offset_bytes & 0xfff8U) | (more_follow ? 1U : 0U));
  return *this;
}

PacketBuilder& PacketBuilder::authentication() {
  Bytes header(24, 0xaa);
  header[1] = 4;  // RFC 4302: in words of four bytes, less two
  return add(Kind::kExtension, 51, std::move(header));
}

PacketBuilder& PacketBuilder::tcp(std::uint16_t source_port, std::uint16_t destination_port) {
  Bytes header = ports(source_port, destination_port, 20);
  header[12] = 0x50;
  header[13] = 0x10;  // ACK
  return add(Kind::kTcp, 6, std::move(header));
}

PacketBuilder& PacketBuilder::data_offset(unsigned words) {
  set_words(last(Kind::kTcp).bytes, 12, 4, words);
  return *this;
}

PacketBuilder& PacketBuilder::udp(std::uint16_t source_port, std::uint16_t destination_port) {
  return add(Kind::kUdp, 17, ports(source_port, destination_port, 8));
}

PacketBuilder& PacketBuilder::sctp(std::uint16_t source_port, std::uint16_t destination_port) {
  return add(Kind::kOther, 132, ports(source_port, destination_port, 12));
}

PacketBuilder& PacketBuilder::icmp(std::uint8_t type, std::uint8_t code) {
  return transport(1, {type, code, 0, 0, 0, 1, 0, 1});
}

PacketBuilder& PacketBuilder::icmpv6(std::uint8_t type, std::uint8_t code) {
  return transport(58, {type, code, 0, 0, 0, 1, 0, 1});
}

PacketBuilder& PacketBuilder::gre() { return transport(47, {0, 0, 0x08, 0x00}); }

PacketBuilder& PacketBuilder::transport(std::uint8_t protocol, Bytes header) {
  return add(Kind::kOther, protocol, std::move(header));
}

PacketBuilder& PacketBuilder::payload(std::size_t bytes) {
  Bytes pattern(bytes);
  for (std::size_t i = 0; i < bytes; i++) pattern[i] = low_byte(i % 255 + 1);
  return add(Kind::kPayload, 59, std::move(pattern));
}

PacketBuilder& PacketBuilder::truncate(std::size_t bytes) {
  truncated_ = bytes;
  return *this;
}

PacketBuilder& PacketBuilder::pad(std::size_t bytes) {
  padding_ = bytes;
  return *this;
}

PacketBuilder& PacketBuilder::gso_size(std::uint32_t value) {
  skb_.gso_size = value;
  return *this;
}

PacketBuilder& PacketBuilder::gso_segs(std::uint32_t value) {
  skb_.gso_segs = value;
  return *this;
}

PacketBuilder& PacketBuilder::wire_len(std::uint32_t value) {
  skb_.wire_len = value;
  return *this;
}

void PacketBuilder::fill_in(Layer& layer, std::size_t bytes_to_end, std::uint8_t next) {
  const std::uint8_t follower = layer.next.value_or(next);
  // A length that 16 bits do not hold is written as 0, as BIG TCP and jumbograms do.
  const auto length_of = [&layer](std::size_t bytes) -> std::size_t {
    return layer.length ? *layer.length : (bytes > 0xffff ? 0 : bytes);
  };
  switch (layer.kind) {
    case Kind::kIpv4:
      layer.bytes[9] = follower;
      put16(layer.bytes, 2, length_of(bytes_to_end));
      put16(layer.bytes, 10, ipv4_checksum(layer.bytes));
      break;
    case Kind::kIpv6:
      layer.bytes[6] = follower;
      put16(layer.bytes, 4, length_of(bytes_to_end - layer.bytes.size()));
      break;
    case Kind::kExtension: layer.bytes[0] = follower; break;
    case Kind::kUdp: put16(layer.bytes, 4, length_of(bytes_to_end)); break;
    case Kind::kTcp:
    case Kind::kOther:
    case Kind::kPayload: break;
  }
}

Bytes PacketBuilder::bytes() const {
  std::vector<Layer> filled = layers_;
  std::size_t bytes_to_end = 0;
  std::uint8_t next = 59;  // "no next header", in IPv6 at least
  for (auto layer = filled.rbegin(); layer != filled.rend(); ++layer) {
    bytes_to_end += layer->bytes.size();
    fill_in(*layer, bytes_to_end, next);
    next = layer->number;
  }
  Bytes all;
  for (const Layer& layer : filled) append(all, layer.bytes);
  all.resize(all.size() + padding_, 0);
  if (truncated_) all.resize(std::min(all.size(), *truncated_));
  return all;
}

}  // namespace flowtally::support
