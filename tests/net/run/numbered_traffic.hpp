// This file is traffic whose records can be checked without looking into the kernel: numbered packets of
// kKeys flows in turn, over and over, so that the flows' counts follow from their sum alone.
#pragma once

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "net/capture/node.hpp"
#include "record/reader.hpp"
#include "support/packet_builder.hpp"

namespace flowtally::test {

inline constexpr std::uint32_t kKeys = 500;

/// Packet `number`, 88 bytes; the source port tells its flow.
[[nodiscard]] support::Bytes numbered(std::uint32_t number);

struct Counted {
  std::vector<std::uint64_t> packets = std::vector<std::uint64_t>(kKeys);  ///< by flow
  std::uint64_t all = 0;
  model::Counters totals;
  std::size_t records = 0;

  void take(const model::Record& record);
};

/// Of lines of NDJSON.
[[nodiscard]] Counted read_records(std::string_view text);

/// What was counted is packets 0 to all - 1, each once.
void check_no_hole(const Counted& counted);

/// Numbers from `first` on until told to stop; gives the first number that was not written.
class Writer {
 public:
  Writer(TestTun& tun, std::uint32_t first) : tun_(tun), next_(first), thread_([this] { loop(); }) {}
  ~Writer() {
    if (thread_.joinable()) static_cast<void>(stop());
  }
  std::uint32_t stop() {
    stopping_ = true;
    thread_.join();
    return next_;
  }
  [[nodiscard]] std::uint32_t next() const { return next_; }

 private:
  void loop() {
    while (!stopping_) {
      if (tun_.write(numbered(next_)) != 0) std::abort();
      ++next_;
    }
  }
  TestTun& tun_;
  std::atomic<std::uint32_t> next_;
  std::atomic<bool> stopping_ = false;
  std::thread thread_;
};

}  // namespace flowtally::test
