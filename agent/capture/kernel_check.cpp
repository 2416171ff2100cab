#include "capture/kernel_check.hpp"

#include <array>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <memory>
#include <optional>
#include <thread>
#include <utility>

#include <linux/capability.h>
#include <linux/magic.h>
#include <bpf/bpf.h>
#include <fmt/format.h>
#include <net/if.h>
#include <sched.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "capture/attachment.hpp"
#include "capture/device.hpp"
#include "capture/drops.hpp"
#include "capture/percpu_hash_table.hpp"
#include "capture/pins.hpp"
#include "capture/program.hpp"

namespace flowtally::capture {
namespace {

constexpr KernelVersion kKernelMin{.major = 5,
                                   .minor = 10};  // inner maps of different sizes in one map-in-map
constexpr const char* kRightsRemedy =
    "Run as root or with CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON; in a container, --privileged";

std::string kernel_release() {
  utsname name{};
  return ::uname(&name) == 0 ? std::string(name.release) : std::string{};
}

/// Effective capabilities of this thread, as a bit mask; from /proc/self/status (CapEff).
std::uint64_t effective_capabilities() {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen("/proc/self/status", "re"),
                                                             std::fclose);
  std::array<char, 256> line{};
  while (file && std::fgets(line.data(), line.size(), file.get()) != nullptr) {
    if (std::strncmp(line.data(), "CapEff:", 7) == 0) return std::strtoull(line.data() + 7, nullptr, 16);
  }
  return 0;
}

Finding check_version() {
  const std::string release = kernel_release();
  const bool found = running_kernel() >= kKernelMin;
  return {.what = "kernel",
          .state = found ? Finding::State::kFound : Finding::State::kMissing,
          .text = fmt::format("Linux {}", release),
          .remedy = found ? "" : "Use Linux 5.10 or later"};
}

Finding check_capability(unsigned bit, const char* name, std::uint64_t held) {
  const std::uint64_t wanted = std::uint64_t{1} << bit;
  const bool covered = bit != CAP_NET_ADMIN && (held & (std::uint64_t{1} << CAP_SYS_ADMIN)) != 0;
  if ((held & wanted) != 0)
    return {.what = name, .state = Finding::State::kFound, .text = "held", .remedy = ""};
  if (covered)
    return {.what = name, .state = Finding::State::kFound, .text = "by CAP_SYS_ADMIN", .remedy = ""};
  return {.what = name, .state = Finding::State::kMissing, .text = "not held", .remedy = kRightsRemedy};
}

/// Makes a directory of pins there, as a run would, and takes it away again.
Finding check_bpffs(const std::string& directory) {
  Finding finding{
      .what = "BPF file system", .state = Finding::State::kMissing, .text = directory, .remedy = ""};
  if (auto mounted = require_bpffs(directory); !mounted) {
    finding.text = fmt::format("{} is not one", directory);
    finding.remedy = mounted.error().remedy();
    return finding;
  }
  auto made = PinDirectory::try_root(directory);
  if (!made) {
    finding.text = made.error().text();
    finding.remedy = made.error().remedy();
    return finding;
  }
  finding.state = Finding::State::kFound;
  finding.text = fmt::format("{}, pins can be made", directory);
  return finding;
}

Finding check_btf() {
  if (::access("/sys/kernel/btf/vmlinux", R_OK) == 0) {
    return {.what = "kernel BTF",
            .state = Finding::State::kFound,
            .text = "/sys/kernel/btf/vmlinux",
            .remedy = ""};
  }
  return {.what = "kernel BTF",
          .state = Finding::State::kOptional,
          .text = "not there: counting does not need it, taking off drops does",
          .remedy = ""};
}

Finding check_program(std::optional<Program>& loaded) {
  auto program = Program::load({});
  if (!program) {
    return {.what = "BPF program",
            .state = Finding::State::kMissing,
            .text = program.error().text(),
            .remedy = program.error().remedy()};
  }
  if (auto others = program->programs(LinkLayer::kEthernet); !others) {
    return {.what = "BPF program",
            .state = Finding::State::kMissing,
            .text = others.error().text(),
            .remedy = others.error().remedy()};
  }
  loaded.emplace(std::move(*program));
  return {.what = "BPF program", .state = Finding::State::kFound, .text = "loads and verifies", .remedy = ""};
}

/// The tracepoint program by which packets that a full ring dropped are taken off the flows.
Finding check_drops(const std::optional<Program>& program) {
  Finding finding{.what = "ring drops",
                  .state = Finding::State::kOptional,
                  .text = "not tried: no program",
                  .remedy = ""};
  if (!program) return finding;
  const auto watch = DropWatch::open(*program, true);
  if (!watch) {
    finding.text =
        fmt::format("stay in the flows, the device's own count goes with them ({})", watch.error().text());
    return finding;
  }
  return {.what = "ring drops", .state = Finding::State::kFound, .text = "taken off the flows", .remedy = ""};
}

/// Maps and the batch calls of a drain, on a real table.
Finding check_table(const std::optional<Program>& program) {
  Finding finding{
      .what = "flow maps", .state = Finding::State::kMissing, .text = "not tried: no program", .remedy = ""};
  if (!program) return finding;
  auto table = PercpuHashTable::create(*program, kFlowsMin);
  if (!table) {
    finding.text = table.error().text();
    return finding;
  }
  model::Generation empty;
  auto used = (*table)->read(GenerationIndex::kSecond, empty);
  if (used) used = (*table)->reset(GenerationIndex::kSecond, empty);
  if (!used) {
    finding.text = used.error().text();
    return finding;
  }
  return {.what = "flow maps",
          .state = Finding::State::kFound,
          .text = "per-CPU hashes with batch reads",
          .remedy = ""};
}

struct HookResults {
  std::optional<base::Error> tcx;
  std::optional<base::Error> clsact;
  bool tried = false;
};

/// Attaches to the loopback device of a network namespace that ends with the thread: no real device is
/// touched.
HookResults try_hooks(Program& program) {
  HookResults results;
  std::thread([&] {
    if (::unshare(CLONE_NEWNET) != 0) return;
    results.tried = true;
    const Device loopback{.index = static_cast<IfIndex>(if_nametoindex("lo")),
                          .link_layer = LinkLayer::kEthernet};
    auto tcx = Attachment::attach(program, loopback, AttachMode::kTcx);
    if (!tcx) results.tcx = tcx.error();
    auto clsact = Attachment::attach(program, loopback, AttachMode::kClsact);
    if (!clsact) results.clsact = clsact.error();
  }).join();
  return results;
}

void check_hooks(std::optional<Program>& program, std::vector<Finding>& findings) {
  Finding tcx{
      .what = "TCX links", .state = Finding::State::kFound, .text = "attach and detach", .remedy = ""};
  Finding clsact{
      .what = "clsact filters", .state = Finding::State::kFound, .text = "attach and detach", .remedy = ""};
  const HookResults results = program ? try_hooks(*program) : HookResults{};
  if (!results.tried) {
    tcx.state = clsact.state = Finding::State::kOptional;
    tcx.text = clsact.text = "not tried: no program, or no right to make a network namespace";
  } else {
    if (results.tcx) {
      tcx.state = Finding::State::kOptional;
      tcx.text = "not there (Linux 6.6 has them): clsact is used";
    }
    if (results.clsact) {
      clsact.state = results.tcx ? Finding::State::kMissing : Finding::State::kOptional;
      clsact.text = results.clsact->text();
      clsact.remedy = results.tcx ? "Load the kernel modules sch_ingress and cls_bpf" : "";
    }
  }
  findings.push_back(std::move(tcx));
  findings.push_back(std::move(clsact));
}

/// What stands there now, or why that cannot be told.
base::Result<std::optional<Device>> find_device(const std::string& interface) {
  auto watch = DeviceWatch::open();
  if (!watch) return base::fail(std::move(watch.error()));
  return watch->find(interface);
}

Finding check_interface(const std::string& interface) {
  const auto found = find_device(interface);
  if (!found) {
    return {.what = "interface",
            .state = Finding::State::kMissing,
            .text = found.error().text(),
            .remedy = found.error().remedy()};
  }
  const std::optional<Device>& device = *found;
  if (!device) {
    return {.what = "interface",
            .state = Finding::State::kOptional,
            .text = fmt::format("{} is not there now: flowtally waits for it", interface),
            .remedy = ""};
  }
  const bool bare = device->link_layer == LinkLayer::kL3;
  return {.what = "interface",
          .state = Finding::State::kFound,
          .text = fmt::format("{}, {}", interface, bare ? "begins with the IP header" : "Ethernet"),
          .remedy = ""};
}

}  // namespace

std::vector<Finding> check_kernel(const std::string& interface, const std::string& bpffs) {
  std::vector<Finding> findings;
  const std::uint64_t held = effective_capabilities();
  findings.push_back(check_version());
  findings.push_back(check_capability(CAP_BPF, "CAP_BPF", held));
  findings.push_back(check_capability(CAP_NET_ADMIN, "CAP_NET_ADMIN", held));
  findings.push_back(check_capability(CAP_PERFMON, "CAP_PERFMON", held));
  findings.push_back(check_bpffs(bpffs));
  findings.push_back(check_btf());
  std::optional<Program> program;
  findings.push_back(check_program(program));
  findings.push_back(check_table(program));
  findings.push_back(check_drops(program));
  check_hooks(program, findings);
  findings.push_back(check_interface(interface));
  return findings;
}

base::Status require_kernel() {
  const std::string release = kernel_release();
  if (running_kernel() >= kKernelMin) return {};
  return base::fail(
      base::Error(base::ErrorCode::kUnsupported, fmt::format("Linux {} is too old", release))
          .advise("Use Linux 5.10 or later: maps of different sizes in one map-in-map are needed"));
}

base::Status require_bpffs(const std::string& directory) {
  struct statfs information{};
  if (::statfs(directory.c_str(), &information) == 0 && information.f_type == BPF_FS_MAGIC) return {};
  return base::fail(
      base::Error(base::ErrorCode::kNotFound, fmt::format("{} is not a BPF file system", directory))
          .advise(fmt::format(
              "Mount one with `mount -t bpf -o mode=0700 bpf {}`, or name another with --bpffs", directory)));
}

KernelVersion running_kernel() noexcept { return parse_kernel_version(kernel_release()); }

KernelVersion parse_kernel_version(const std::string& release) noexcept {
  KernelVersion version;
  const char* const end = release.data() + release.size();
  const auto major = std::from_chars(release.data(), end, version.major);
  if (major.ec != std::errc{} || major.ptr == end || *major.ptr != '.') return {};
  const auto minor = std::from_chars(major.ptr + 1, end, version.minor);
  return minor.ec == std::errc{} ? version : KernelVersion{};
}

}  // namespace flowtally::capture
