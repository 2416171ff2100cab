// This file runs the BPF program in the kernel without a device: it loads the object, makes the maps of both
// generations as the agent would, hands packets in through BPF_PROG_TEST_RUN and reads all counters back.
//
//   auto program = LoadedProgram::load({.flows_max = 4});
//   auto run = program->run(Hook::kEgressL3, packet().ipv4(…).tcp(1, 2).bytes());
//   auto counters = program->read(0);
//
// Kernel's own limits (net/bpf/test_run.c): 14 bytes at least, about 3,600 at the most; the Ethernet hooks
// take no packet that is shorter than the IP header its type names (since 6.15 or so).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "flowtally/abi.h"
#include "support/counted.hpp"
#include "support/packet_builder.hpp"

struct bpf_object;
struct ring_buffer;

namespace flowtally::support {

/// One of the program's four entry points.
enum class Hook : std::uint8_t { kEgressL3, kIngressL3, kEgressEthernet, kIngressEthernet };
inline constexpr Hook kHooks[] = {Hook::kEgressL3, Hook::kIngressL3, Hook::kEgressEthernet,
                                  Hook::kIngressEthernet};

[[nodiscard]] const char* name_of(Hook hook) noexcept;
[[nodiscard]] ft_direction direction_of(Hook hook) noexcept;
[[nodiscard]] bool is_ethernet(Hook hook) noexcept;

inline constexpr std::size_t kEthernetHeaderBytes = 14;
inline constexpr std::size_t kTestRunBytesMin = 14;
inline constexpr std::size_t kTestRunBytesMax = 3500;

struct RunResult {
  int verdict = 0;
  Bytes packet;  ///< as the program left it, without the Ethernet header
};

/// What the verifier and the JIT made of one entry point.
struct ProgramSize {
  std::uint32_t verified_instructions = 0;
  std::uint32_t jited_bytes = 0;  ///< 0 where the JIT is off
};

/// False where this process may not load programs at all (no CAP_BPF and CAP_NET_ADMIN), whatever they are.
[[nodiscard]] bool may_load_programs() noexcept;

/// The loaded object with its maps. Everything goes with it; nothing is pinned or attached. Move-only, not
/// thread-safe.
class LoadedProgram {
 public:
  struct Options {
    std::span<const std::byte> image{};  ///< an object file; empty: the production object
    std::uint32_t flows_max =
        64;  ///< entries of flows4 and of flows6, per generation; 0: there are no such maps
    std::uint32_t coarse_max = 64;
    std::uint32_t pressure = 0xffffffff;  ///< entries of either family at which a generation signals
    bool exclude = true;
  };

  /// kPermission without CAP_BPF, kUnsupported or kInvalidArgument where the kernel refuses the object: the
  /// text ends with the verifier's last words.
  [[nodiscard]] static base::Result<LoadedProgram> load(const Options& options);

  LoadedProgram(LoadedProgram&& other) noexcept;
  LoadedProgram& operator=(LoadedProgram&& other) noexcept;
  ~LoadedProgram();

  /// Runs one packet, which begins with its IP header; for Ethernet hooks a header with the fitting type is
  /// put before it and taken off again. kInvalidArgument where the kernel does not take such a packet.
  [[nodiscard]] base::Result<RunResult> run(Hook hook, std::span<const std::uint8_t> ip,
                                            const SkbFields& skb = {});
  /// The same for an Ethernet hook with another type in the header.
  [[nodiscard]] base::Result<RunResult> run_ethernet(Hook hook, std::uint16_t ether_type,
                                                     std::span<const std::uint8_t> payload);

  [[nodiscard]] base::Result<Counted> read(std::uint32_t generation) const;
  /// Empties one generation, its insert counts and its signal included.
  [[nodiscard]] base::Status clear(std::uint32_t generation);

  /// Takes all waiting events out of the ring buffer.
  [[nodiscard]] base::Result<std::vector<ft_pressure_event>> pressure_events();

  /// Shared memory with the program.
  [[nodiscard]] ft_control& control() noexcept { return *control_; }
  /// Overwrites a global block of a test's own object, e.g. ".data.refusal".
  [[nodiscard]] base::Status set_block(const char* name, std::span<const std::byte> content);

  [[nodiscard]] ProgramSize size_of(Hook hook) const { return sizes_[static_cast<std::size_t>(hook)]; }

 private:
  struct ObjectDeleter {
    void operator()(bpf_object* object) const noexcept;
  };
  struct ControlDeleter {
    void operator()(ft_control* control) const noexcept;
  };
  struct RingDeleter {
    void operator()(ring_buffer* ring) const noexcept;
  };
  struct InnerMaps {
    base::UniqueFd flows4, flows6, coarse;
  };

  LoadedProgram() = default;
  [[nodiscard]] base::Status load_object(const Options& options);
  [[nodiscard]] base::Status make_generation(std::uint32_t generation, const Options& options);
  [[nodiscard]] base::Status map_control();
  [[nodiscard]] base::Status open_ring();
  [[nodiscard]] int map_fd(const char* name) const noexcept;
  [[nodiscard]] base::Result<RunResult> run_frame(Hook hook, const Bytes& frame, std::size_t link_bytes,
                                                  const SkbFields& skb);

  std::unique_ptr<bpf_object, ObjectDeleter> object_;
  std::unique_ptr<ft_control, ControlDeleter> control_;
  // The ring buffer's callback writes through this pointer, which stays where it is when the object moves.
  std::unique_ptr<std::vector<ft_pressure_event>> events_;
  std::unique_ptr<ring_buffer, RingDeleter> ring_;
  InnerMaps generations_[FT_GENERATIONS];
  ProgramSize sizes_[4]{};
};

}  // namespace flowtally::support
