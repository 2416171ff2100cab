#include "capture/program.hpp"

#include <cerrno>
#include <cstring>
#include <new>
#include <string>
#include <utility>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <sys/mman.h>

#include "base/check.hpp"
#include "capture/libbpf_log.hpp"
#include "flow.skel.h"

namespace flowtally::capture {
namespace {

constexpr const char* kProgramNames[2][2] = {{"ft_egress_l3", "ft_egress_ethernet"},
                                             {"ft_ingress_l3", "ft_ingress_ethernet"}};

base::Error load_error(int sys_errno, const LibbpfLog& log) {
  auto error = base::Error::from_errno(sys_errno, fmt::format("load the BPF program ({})", log.tail()));
  if (error.code() == base::ErrorCode::kPermission) {
    return std::move(error).advise(
        "Run as root or with CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON (CAP_SYS_ADMIN before Linux 5.8); in a "
        "container, --privileged");
  }
  return std::move(error).advise("`flowtally check` tells what this kernel lacks");
}

base::Status set_config(bpf_object* object, const ft_config& config) {
  bpf_map* const map = bpf_object__find_map_by_name(object, ".rodata.config");
  if (map == nullptr || bpf_map__set_initial_value(map, &config, sizeof(config)) != 0) {
    return base::fail(base::Error(base::ErrorCode::kInternal, "the BPF object has no .rodata.config block"));
  }
  return {};
}

}  // namespace

std::span<const std::byte> production_image() noexcept {
  std::size_t size = 0;
  const void* const bytes = flow::elf_bytes(&size);
  return {static_cast<const std::byte*>(bytes), size};
}

void Program::ObjectDeleter::operator()(bpf_object* object) const noexcept { bpf_object__close(object); }

void Program::ControlDeleter::operator()(ft_control* control) const noexcept {
  ::munmap(control, sizeof(ft_control));
}

Program::Program(Program&& other) noexcept = default;
Program& Program::operator=(Program&& other) noexcept = default;
Program::~Program() = default;

base::Result<Program> Program::load(const Options& options) {
  const LibbpfLog log;
  Program program;
  LIBBPF_OPTS(bpf_object_open_opts, open_options, .object_name = "flowtally");
  program.object_.reset(bpf_object__open_mem(options.image.data(), options.image.size(), &open_options));
  if (!program.object_) {
    return base::fail(base::Error::from_errno(errno, fmt::format("open the BPF object ({})", log.tail())));
  }
  if (auto set = set_config(program.object_.get(), {.exclude = options.exclude ? 1U : 0U}); !set) {
    return base::fail(std::move(set.error()));
  }
  if (const int error = bpf_object__load(program.object_.get()); error != 0) {
    return base::fail(load_error(-error, log));
  }
  const int control_fd = program.map_fd(".data.control");
  void* const block = ::mmap(nullptr, sizeof(ft_control), PROT_READ | PROT_WRITE, MAP_SHARED, control_fd, 0);
  if (block == MAP_FAILED) {
    return base::fail(base::Error::from_errno(errno, "map the control block of the BPF program"));
  }
  program.control_.reset(static_cast<ft_control*>(block));
  FLOWTALLY_CHECK(program.control().abi_version == FT_ABI_VERSION);
  return program;
}

int Program::program_fd(Direction direction, LinkLayer link_layer) const noexcept {
  const char* const name = kProgramNames[static_cast<int>(direction)][static_cast<int>(link_layer)];
  const bpf_program* const found = bpf_object__find_program_by_name(object_.get(), name);
  FLOWTALLY_CHECK(found != nullptr);
  return bpf_program__fd(found);
}

int Program::map_fd(const char* name) const noexcept {
  const bpf_map* const found = bpf_object__find_map_by_name(object_.get(), name);
  FLOWTALLY_CHECK(found != nullptr);
  return bpf_map__fd(found);
}

base::Result<std::uint32_t> possible_cpus() {
  const int count = libbpf_num_possible_cpus();
  if (count <= 0) return base::fail(base::Error::from_errno(-count, "count the possible CPUs"));
  return static_cast<std::uint32_t>(count);
}

}  // namespace flowtally::capture
