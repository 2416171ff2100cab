#include "bench/capture/driver.hpp"

#include <array>
#include <cstddef>

#include <bpf/bpf.h>

#include "bench/capture/bench.hpp"
#include "bpf/capture/fire.hpp"
#include "driver.skel.h"

namespace flowtally::bench {

Driver::Driver() : skeleton_(driver::open_and_load()) { FLOWTALLY_CHECK(skeleton_ != nullptr); }

Driver::~Driver() { driver::destroy(skeleton_); }

int Driver::empty_fd() const { return bpf_program__fd(skeleton_->progs.empty); }

void Driver::set_keys(std::uint32_t keys, std::uint32_t offset) {
  skeleton_->bss->number = 0;
  skeleton_->bss->mask = keys - 1;
  skeleton_->bss->offset = offset;
}

double Driver::run(int program_fd, std::uint32_t packets) {
  const std::uint32_t slot = 0;
  FLOWTALLY_CHECK(bpf_map_update_elem(bpf_map__fd(skeleton_->maps.target), &slot, &program_fd, BPF_ANY) == 0);
  const auto packet = test::numbered_packet(0);
  LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = packet.data(),
              .data_size_in = static_cast<__u32>(packet.size()), .repeat = static_cast<int>(packets));
  const std::int64_t start = cpu_ns();
  FLOWTALLY_CHECK(bpf_prog_test_run_opts(bpf_program__fd(skeleton_->progs.drive), &options) == 0);
  const double elapsed = static_cast<double>(cpu_ns() - start);
  FLOWTALLY_CHECK(static_cast<int>(options.retval) == -1);
  return elapsed / packets;
}

}  // namespace flowtally::bench
