// This file builds IP packets, sound and broken ones, in sentences that read like the packet:
//   packet().ipv4("100.64.0.1", "100.64.0.2").ihl(6).tcp(443, 5555).payload(3000)
// Headers are added in the order of the wire. Lengths, next-header numbers and IPv4 header checksums are
// filled in when the bytes are asked for; transport checksums stay 0.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace flowtally::support {

using Bytes = std::vector<std::uint8_t>;

/// An address as ft_packet holds it: network byte order, IPv4 in the first four bytes, the rest zero.
using AddressBytes = std::array<std::uint8_t, 16>;

/// From text, either family. The text must be an address: anything else ends the process.
[[nodiscard]] AddressBytes address_bytes(std::string_view text);

/// What an skb says beside its bytes. All 0: an ordinary packet.
struct SkbFields {
  std::uint32_t gso_size = 0;
  std::uint32_t gso_segs = 0;
  std::uint32_t wire_len = 0;  ///< without link headers; 0: as long as the packet
};

/// A shell command that writes exactly these bytes to packet.bin, with the skb's fields as a comment.
[[nodiscard]] std::string rebuild_command(std::span<const std::uint8_t> bytes, const SkbFields& skb = {});

class PacketBuilder {
 public:
  // Network headers. A second one is the inner packet of a tunnel or of an ICMP error.
  PacketBuilder& ipv4(std::string_view source, std::string_view destination);
  PacketBuilder& ipv6(std::string_view source, std::string_view destination);

  // Of the last IPv4 header.
  PacketBuilder& ihl(unsigned words);  ///< above 5 the header grows by NOP options; below 5 it only lies
  PacketBuilder& fragment(unsigned offset_bytes, bool more_follow);
  PacketBuilder& dont_fragment();
  // Of the last header that has the field.
  PacketBuilder& length_field(unsigned value);       ///< IPv4 total length, IPv6 payload length, UDP length
  PacketBuilder& next_field(std::uint8_t protocol);  ///< instead of the number of the header that follows
  PacketBuilder& version(unsigned value);            ///< of the last IP header

  // IPv6 extension headers; `units`: 8-byte units beyond the first.
  PacketBuilder& hop_by_hop(unsigned units = 0) { return extension(0, units); }
  PacketBuilder& routing(unsigned units = 0) { return extension(43, units); }
  PacketBuilder& destination_options(unsigned units = 0) { return extension(60, units); }
  PacketBuilder& mobility(unsigned units = 0) { return extension(135, units); }
  PacketBuilder& fragment_header(unsigned offset_bytes, bool more_follow);
  PacketBuilder& authentication();  ///< AH (51), 24 bytes; in IPv4 too
  PacketBuilder& no_next_header() { return transport(59, {}); }

  // Transport headers.
  PacketBuilder& tcp(std::uint16_t source_port, std::uint16_t destination_port);
  PacketBuilder& data_offset(
      unsigned words);  ///< of the TCP header: above 5 it grows by NOP options; below it lies
  PacketBuilder& udp(std::uint16_t source_port, std::uint16_t destination_port);
  PacketBuilder& sctp(std::uint16_t source_port, std::uint16_t destination_port);
  PacketBuilder& icmp(std::uint8_t type, std::uint8_t code = 0);    ///< ICMP for IPv4, 8 bytes
  PacketBuilder& icmpv6(std::uint8_t type, std::uint8_t code = 0);  ///< ICMPv6, 8 bytes
  PacketBuilder& igmp() { return transport(2, Bytes(8, 0x16)); }
  PacketBuilder& gre();  ///< 4 bytes, IPv4 inside
  PacketBuilder& esp() { return transport(50, Bytes(8, 0xe5)); }
  /// Any other protocol with these header bytes.
  PacketBuilder& transport(std::uint8_t protocol, Bytes header);

  PacketBuilder& payload(std::size_t bytes);  ///< a pattern without zeros
  // Of the whole packet, after all fields are filled in.
  PacketBuilder& truncate(std::size_t bytes);
  PacketBuilder& pad(std::size_t bytes);

  PacketBuilder& gso_size(std::uint32_t value);
  PacketBuilder& gso_segs(std::uint32_t value);
  PacketBuilder& wire_len(std::uint32_t value);

  [[nodiscard]] Bytes bytes() const;
  [[nodiscard]] const SkbFields& skb() const noexcept { return skb_; }
  /// 4 or 6: the outermost header's family; 0 before there is one.
  [[nodiscard]] std::uint8_t family() const noexcept { return family_; }
  /// Of the outermost IP header.
  [[nodiscard]] const AddressBytes& source() const noexcept { return source_; }
  [[nodiscard]] const AddressBytes& destination() const noexcept { return destination_; }

 private:
  enum class Kind : std::uint8_t { kIpv4, kIpv6, kExtension, kTcp, kUdp, kOther, kPayload };
  struct Layer {
    Kind kind;
    std::uint8_t number;  ///< what the header before it says about this one
    Bytes bytes;
    std::optional<std::uint16_t> length{};
    std::optional<std::uint8_t> next{};
  };

  PacketBuilder& add(Kind kind, std::uint8_t number, Bytes bytes);
  PacketBuilder& extension(std::uint8_t number, unsigned units);
  Layer& last(Kind kind);
  void remember_addresses(std::uint8_t family, const AddressBytes& source, const AddressBytes& destination);
  static void fill_in(Layer& layer, std::size_t bytes_to_end, std::uint8_t next);

  std::vector<Layer> layers_;
  std::optional<std::size_t> truncated_;
  std::size_t padding_ = 0;
  SkbFields skb_;
  std::uint8_t family_ = 0;
  AddressBytes source_{};
  AddressBytes destination_{};
};

[[nodiscard]] inline PacketBuilder packet() { return {}; }

}  // namespace flowtally::support
