#include "capture/program.hpp"

#include <cerrno>
#include <utility>

#include <bpf/libbpf.h>
#include <sys/mman.h>

#include "base/check.hpp"
#include "flow.skel.h"

namespace flowtally::capture {
namespace {

constexpr HookObject::Names kProgramNames = {
    {{"ft_egress_l3", "ft_ingress_l3"}, {"ft_egress_ethernet", "ft_ingress_ethernet"}}};

}  // namespace

std::span<const std::byte> production_image() noexcept {
  std::size_t size = 0;
  const void* const bytes = flow::elf_bytes(&size);
  return {static_cast<const std::byte*>(bytes), size};
}

void Program::ControlDeleter::operator()(ft_control* control) const noexcept {
  ::munmap(control, sizeof(ft_control));
}

base::Result<Program> Program::load(const Options& options) {
  const ft_config config{.exclude = options.exclude ? 1U : 0U};
  auto hooks =
      HookObject::load({.image = options.image,
                        .what = "BPF program",
                        .initial = {{.map = ".rodata.config", .bytes = std::as_bytes(std::span(&config, 1))}},
                        .pins = options.pins},
                       kProgramNames, options.link_layer);
  if (!hooks) return base::fail(std::move(hooks.error()));
  const int control_fd = hooks->object().map_fd(".data.control");
  void* const block = ::mmap(nullptr, sizeof(ft_control), PROT_READ | PROT_WRITE, MAP_SHARED, control_fd, 0);
  if (block == MAP_FAILED) {
    return base::fail(base::Error::from_errno(errno, "map the control block of the BPF program"));
  }
  Program program(std::move(*hooks), static_cast<ft_control*>(block));
  FLOWTALLY_CHECK(program.control().abi_version == FT_ABI_VERSION);
  return program;
}

base::Result<std::uint32_t> possible_cpus() {
  const int count = libbpf_num_possible_cpus();
  if (count <= 0) return base::fail(base::Error::from_errno(-count, "count the possible CPUs"));
  return static_cast<std::uint32_t>(count);
}

}  // namespace flowtally::capture
