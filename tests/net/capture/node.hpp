// This file is what the capture's net tests share: a fresh network namespace for the test's thread, a TUN
// that the test reads and writes itself, with or without virtio headers, and a capture that counts it.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "base/unique_fd.hpp"
#include "capture/capturer.hpp"
#include "demo/packet_batch.hpp"
#include "demo/rtnetlink.hpp"
#include "demo/vnet_header.hpp"
#include "demo/wire_count.hpp"
#include "model/window.hpp"

namespace flowtally::test {

/// Puts the calling thread into a new, empty network namespace; the one before goes when nothing of it is
/// open any more. Skips the test where that is not allowed.
void enter_fresh_namespace();

/// A TUN in the thread's namespace with 100.64.0.1/10 and fd7a:115c:a1e0::1/48, up. It goes with this object.
/// Its ring holds `queue_packets` that nobody has read.
class TestTun {
 public:
  enum class Headers : std::uint8_t { kBare, kVirtio };
  explicit TestTun(Headers headers, const std::string& name = "tailscale0", unsigned queue_packets = 10000);

  /// Writes one packet; a bare device takes no `header`. The errno, or 0.
  int write(std::span<const std::uint8_t> packet, const demo::VnetHeader& header = {});
  /// Reads what waits, cut into wire packets, and counts each as tx: all of it, or `most` reads. The number
  /// of reads.
  std::size_t read_all(demo::WireCounter& counter, std::size_t most = SIZE_MAX);
  [[nodiscard]] unsigned ifindex() const noexcept { return ifindex_; }

 private:
  Headers headers_;
  base::UniqueFd fd_;
  unsigned ifindex_ = 0;
};

/// A capture of tailscale0, attached; the test fails if it cannot be.
[[nodiscard]] std::unique_ptr<capture::Capturer> start_capture(capture::CaptureOptions options = {});

/// What a look at the interface finds, but for what this kernel cannot do at all.
[[nodiscard]] std::vector<capture::Event> look(capture::Capturer& capturer);

/// Drains, checks that the window is conserved, clears.
[[nodiscard]] model::Window drain(capture::Capturer& capturer);

/// Waits for events until one of `kind` comes; its text, or fails at the deadline.
std::string wait_for(capture::Capturer& capturer, capture::Event::Kind kind,
                     std::chrono::milliseconds deadline);

/// Ids of the BPF programs of ours that the kernel holds now, of any process.
[[nodiscard]] std::set<std::uint32_t> programs_loaded();
/// Whether all that are not in `before` go: the kernel frees programs some time after the last descriptor is
/// closed.
[[nodiscard]] bool new_programs_go(const std::set<std::uint32_t>& before);

}  // namespace flowtally::test
