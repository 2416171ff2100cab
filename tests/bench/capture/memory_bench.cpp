// Goal: what `flowtally run` holds in memory at 100,000 flows in a window: its own resident pages, and its
// maps in the kernel.
//
// Method: the built program counts a TUN in a network namespace of this process, which writes 100,000
// packets, each a flow of its own, in every window until the tables have grown to hold them. Resident: VmHWM
// of /proc/PID/status, its highest. Kernel: `memlock` of the maps that its descriptors name
// (/proc/PID/fdinfo).
#include <array>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/capture/bench.hpp"
#include "bpf/capture/fire.hpp"
#include "demo/tun_device.hpp"

namespace flowtally::bench {
namespace {

constexpr std::uint32_t kFlows = 100'000;
constexpr int kRounds = 12;

std::string read_text(const std::filesystem::path& path) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "r"), std::fclose);
  std::string text;
  std::array<char, 4096> part{};
  while (file) {
    const std::size_t length = std::fread(part.data(), 1, part.size(), file.get());
    if (length == 0) break;
    text.append(part.data(), length);
  }
  return text;
}

/// The number behind `name` in text of lines "name: number".
std::uint64_t field(const std::string& text, const std::string& name) {
  const std::size_t at = text.find(name + ":");
  return at == std::string::npos ? 0 : std::strtoull(text.c_str() + at + name.size() + 1, nullptr, 10);
}

struct MapMemory {
  std::uint64_t entries = 0;
  std::uint64_t bytes = 0;
  std::uint64_t key_bytes = 0;
};

/// Maps of the process by id, of the kinds that hold flows.
std::map<std::uint64_t, MapMemory> map_memory(pid_t pid) {
  constexpr std::uint64_t kPercpuHash = 5;  // BPF_MAP_TYPE_PERCPU_HASH
  std::map<std::uint64_t, MapMemory> maps;
  for (const auto& entry : std::filesystem::directory_iterator(fmt::format("/proc/{}/fdinfo", pid))) {
    const std::string text = read_text(entry.path());
    if (text.find("map_type:") == std::string::npos || field(text, "map_type") != kPercpuHash) continue;
    maps[field(text, "map_id")] = {.entries = field(text, "max_entries"),
                                   .bytes = field(text, "memlock"),
                                   .key_bytes = field(text, "key_size")};
  }
  return maps;
}

struct Child {
  pid_t pid = -1;
  base::UniqueFd err;
};

Child start_program() {
  std::array<int, 2> ends{};
  FLOWTALLY_CHECK(::pipe2(ends.data(), O_CLOEXEC) == 0);
  const pid_t pid = ::fork();
  FLOWTALLY_CHECK(pid >= 0);
  if (pid == 0) {
    ::dup2(ends[1], STDERR_FILENO);
    ::execl(FLOWTALLY_PROGRAM, "flowtally", "run", "--no-journal", "--interval", "500ms", "--output",
            "/dev/null", "--node-id", "nBench", "--max-flows", "262144", nullptr);
    ::_exit(127);
  }
  ::close(ends[1]);
  return {.pid = pid, .err = base::UniqueFd(ends[0])};
}

void wait_for(const Child& child, const std::string& text) {
  std::string seen;
  std::array<char, 4096> part{};
  while (seen.find(text) == std::string::npos) {
    const auto length = ::read(child.err.get(), part.data(), part.size());
    if (length <= 0) std::fputs(seen.c_str(), stderr);
    FLOWTALLY_CHECK(length > 0);
    seen.append(part.data(), static_cast<std::size_t>(length));
  }
}

}  // namespace

int run(bool json) {
  FLOWTALLY_CHECK(::unshare(CLONE_NEWNET) == 0);
  auto tun = demo::TunDevice::open({.name = "tailscale0"});
  FLOWTALLY_CHECK(tun.has_value());
  const Child child = start_program();
  wait_for(child, "counting tailscale0");
  for (int round = 0; round < kRounds; ++round) {
    for (std::uint32_t number = 0; number < kFlows; ++number) {
      const auto packet = test::numbered_packet(number);
      const demo::PacketView view(reinterpret_cast<const std::uint8_t*>(packet.data()), packet.size());
      FLOWTALLY_CHECK(tun->write({}, view) == 0);
    }
    ::poll(nullptr, 0, 600);  // at least one interval: every round in a window of its own
  }
  const std::string status = read_text(fmt::format("/proc/{}/status", child.pid));
  std::uint64_t kernel_bytes = 0;
  MapMemory largest;
  for (const auto& [id, map] : map_memory(child.pid)) {
    kernel_bytes += map.bytes;
    if (map.key_bytes == sizeof(ft_flow4_key) && map.entries >= largest.entries) largest = map;
  }
  ::kill(child.pid, SIGTERM);
  int ended = 0;
  ::waitpid(child.pid, &ended, 0);
  FLOWTALLY_CHECK(ended == 0);
  const auto per_entry =
      static_cast<double>(largest.bytes) / static_cast<double>(std::max<std::uint64_t>(largest.entries, 1));
  if (json) {
    fmt::print(
        "{{\"bench\":\"memory\",\"flows\":{},\"resident_high_kib\":{},\"kernel_maps_bytes\":{},\"ipv4_table_"
        "entries\":{},"
        "\"ipv4_bytes_per_entry\":{:.1f},\"cpus\":{}}}\n",
        kFlows, field(status, "VmHWM"), kernel_bytes, largest.entries, per_entry,
        capture::possible_cpus().value());
  } else {
    fmt::print("at {} flows a window: {:.1f} MiB resident at the highest; kernel maps {:.1f} MiB\n", kFlows,
               static_cast<double>(field(status, "VmHWM")) / 1024,
               static_cast<double>(kernel_bytes) / (1024 * 1024));
    fmt::print("IPv4 table: {} entries, {:.1f} bytes each at {} CPUs (and there are two generations)\n",
               largest.entries, per_entry, capture::possible_cpus().value());
  }
  return 0;
}

}  // namespace flowtally::bench

int main(int argc, char** argv) {
  return flowtally::bench::run(argc > 1 && std::strcmp(argv[1], "--json") == 0);
}
