#include "bpf/capture/fire.hpp"

#include <cerrno>
#include <cstring>

#include <bpf/bpf.h>
#include <pthread.h>
#include <sched.h>

#include "base/check.hpp"

namespace flowtally::test {
namespace {

void put16(std::byte* at, std::uint32_t value) {
  at[0] = static_cast<std::byte>(value >> 8U);
  at[1] = static_cast<std::byte>(value);
}

}  // namespace

std::array<std::byte, 60> numbered_packet(std::uint32_t number) {
  std::array<std::byte, 60> packet{};
  packet[0] = std::byte{0x45};
  put16(&packet[2], 60);
  packet[8] = std::byte{64};
  packet[9] = std::byte{17};
  packet[12] = std::byte{100};  // 100.64.x.y to 100.80.0.1 and back
  packet[13] = std::byte{64};
  put16(&packet[14], number & 0xffffU);
  packet[16] = std::byte{100};
  packet[17] = std::byte{80};
  put16(&packet[18], 1);
  put16(&packet[20], 1024 + (number >> 16U));
  put16(&packet[22], 53);
  put16(&packet[24], 40);
  return packet;
}

std::array<std::byte, 80> numbered_packet6(std::uint32_t number) {
  std::array<std::byte, 80> packet{};
  packet[0] = std::byte{0x60};
  put16(&packet[4], 40);
  packet[6] = std::byte{17};
  packet[8] = packet[24] = std::byte{0xfd};
  packet[9] = packet[25] = std::byte{0x7a};
  put16(&packet[20], number >> 16U);
  put16(&packet[22], number & 0xffffU);
  packet[39] = std::byte{1};
  put16(&packet[40], 1024);
  put16(&packet[42], 53);
  put16(&packet[44], 40);
  return packet;
}

int run_packet(capture::Program& program, capture::Direction direction, std::span<const std::byte> packet,
               std::uint32_t repeat) {
  LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = packet.data(),
              .data_size_in = static_cast<__u32>(packet.size()), .repeat = static_cast<int>(repeat));
  const auto programs = program.programs(capture::LinkLayer::kL3);  // which it was loaded with
  FLOWTALLY_CHECK(programs.has_value());
  const int fd = direction == capture::Direction::kTx ? programs->tx : programs->rx;
  const int error = bpf_prog_test_run_opts(fd, &options);
  return error != 0 ? -errno : static_cast<int>(options.retval);
}

Fire::Fire(capture::Program& program, unsigned cpu, std::uint32_t first, std::uint32_t keys,
           std::uint32_t repeat)
    : program_(program), thread_([this, cpu, first, keys, repeat] { loop(cpu, first, keys, repeat); }) {}

Fire::~Fire() {
  stopping_ = true;
  if (thread_.joinable()) thread_.join();
}

model::Counters Fire::stop() {
  stopping_ = true;
  thread_.join();
  return sent_;
}

void Fire::loop(unsigned cpu, std::uint32_t first, std::uint32_t keys, std::uint32_t repeat) {
  cpu_set_t only;
  CPU_ZERO(&only);
  CPU_SET(cpu, &only);
  FLOWTALLY_CHECK(::pthread_setaffinity_np(::pthread_self(), sizeof(only), &only) == 0);
  for (std::uint32_t at = 0; !stopping_.load(std::memory_order_relaxed); ++at) {
    const auto packet = numbered_packet(first + at % keys);
    const auto direction = at % 2 == 0 ? capture::Direction::kTx : capture::Direction::kRx;
    FLOWTALLY_CHECK(run_packet(program_, direction, packet, repeat) == -1);
    std::uint64_t& packets = direction == capture::Direction::kTx ? sent_.tx_packets : sent_.rx_packets;
    std::uint64_t& bytes = direction == capture::Direction::kTx ? sent_.tx_bytes : sent_.rx_bytes;
    packets += repeat;
    bytes += std::uint64_t{packet.size()} * repeat;
  }
}

}  // namespace flowtally::test
