// This file runs the underlay's programs under BPF_PROG_TEST_RUN, without a device and without the agent: it
// loads the object beside the main one, makes its maps, hands packets in and reads the counts back.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "capture/bpf_object.hpp"
#include "capture/percpu_map.hpp"
#include "capture/program.hpp"
#include "model/generation.hpp"
#include "support/packet_builder.hpp"

namespace flowtally::test {

using support::Bytes;
using support::PacketBuilder;

/// LinuxBypassMark (tsconst/linuxfw.go), and another one of the same mask.
inline constexpr std::uint32_t kTailscaledMark = 0x80000;
inline constexpr std::uint32_t kForeignMark = 0x40000;
/// This host's addresses, and the port that tailscaled told.
inline constexpr const char* kOwn4 = "192.0.2.1";
inline constexpr const char* kOwn6 = "2001:db8::1";
inline constexpr std::uint16_t kToldPort = 41641;

/// Payloads of `bytes` bytes, with the first bytes of their kind.
[[nodiscard]] Bytes wireguard(std::uint8_t type, std::size_t bytes);
[[nodiscard]] Bytes disco(std::size_t bytes = 62);
[[nodiscard]] Bytes stun(std::size_t bytes = 40);
/// Eight bytes of Geneve header with `protocol` (0x7A11 disco, 0x7A12 WireGuard), then `inner`.
[[nodiscard]] Bytes geneve(std::uint16_t protocol, const Bytes& inner);
/// One behind the other, as a super-packet has them.
[[nodiscard]] Bytes joined(const std::vector<Bytes>& parts);

class UnderlayRig {
 public:
  struct Options {
    std::uint32_t endpoints = 64;  ///< entries of `physical` in each generation; 0: there is no such map
    bool mark_is_sure = true;
  };
  /// kToldPort is told, kOwn4 and kOwn6 are own. Skips the test where programs cannot be loaded.
  UnderlayRig() : UnderlayRig(Options{}) {}
  explicit UnderlayRig(const Options& options);

  /// Runs the programs for bare IP packets, or, framed, for Ethernet. The verdict must be "next" and the
  /// packet as it was.
  enum class Framing : std::uint8_t { kBare, kEthernet };
  void run(capture::Direction direction, const PacketBuilder& packet, std::uint32_t mark = 0,
           Framing framing = Framing::kBare);
  /// The frame as it is, with the Ethernet programs.
  void run_frame(capture::Direction direction, const Bytes& frame, std::uint32_t mark = 0);

  /// All that a generation has counted, one item a line; "" if nothing.
  [[nodiscard]] std::string counted(std::uint32_t generation = 0);
  void clear();

  void set_port(std::uint16_t port, ft_port state) { ports_->udp[port] = static_cast<__u8>(state); }
  [[nodiscard]] ft_port udp_port(std::uint16_t port) const { return static_cast<ft_port>(ports_->udp[port]); }
  [[nodiscard]] ft_port tcp_port(std::uint16_t port) const { return static_cast<ft_port>(ports_->tcp[port]); }
  void add_own_address(std::string_view text, std::uint32_t only_on = 0);
  [[nodiscard]] ft_control& control() { return program_.control(); }
  [[nodiscard]] int program_fd(capture::Direction direction, Framing framing) const;

 private:
  struct Unmap {
    void operator()(ft_ports* ports) const noexcept;
  };

  [[nodiscard]] model::Generation read(std::uint32_t generation);

  capture::Program program_;
  capture::BpfObject object_;
  std::unique_ptr<ft_ports, Unmap> ports_;
  std::vector<capture::PercpuMap> maps_;
};

}  // namespace flowtally::test
