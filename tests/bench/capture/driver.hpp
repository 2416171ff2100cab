// This file runs a program over many flows inside one system call, by way of driver.bpf.c.
#pragma once

#include <cstdint>
#include <memory>

struct driver;

namespace flowtally::bench {

/// Loads the driver; its descriptor of the empty program is the row that everything is compared with.
class Driver {
 public:
  Driver();
  Driver(const Driver&) = delete;
  Driver& operator=(const Driver&) = delete;
  ~Driver();

  [[nodiscard]] int empty_fd() const;
  /// From now on numbers `offset` to `offset` + `keys` - 1 (`keys` a power of two).
  void set_keys(std::uint32_t keys, std::uint32_t offset);
  /// CPU nanoseconds per packet of `program_fd` over `packets` packets.
  double run(int program_fd, std::uint32_t packets);

 private:
  driver* skeleton_;
};

}  // namespace flowtally::bench
