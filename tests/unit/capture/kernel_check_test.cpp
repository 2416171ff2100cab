#include "capture/kernel_check.hpp"

#include <string>

#include <linux/magic.h>
#include <sys/vfs.h>

#include "support/catch.hpp"

namespace flowtally::capture {
namespace {

using Catch::Matchers::ContainsSubstring;

TEST_CASE("a release begins with the version, whatever a distribution adds", "[unit]") {
  struct Case {
    const char* release;
    KernelVersion version;
  };
  const auto row =
      GENERATE(Case{"5.10.0-18-amd64", {5, 10}}, Case{"6.18.44-fc-v769", {6, 18}}, Case{"7.2", {7, 2}},
               Case{"6.1.0-rt5", {6, 1}}, Case{"5.15.167.4-microsoft-standard-WSL2", {5, 15}},
               Case{"6.12-rc3", {6, 12}}, Case{"10.0.1", {10, 0}}, Case{"4.19+", {4, 19}});
  INFO(row.release);
  CHECK(parse_kernel_version(row.release) == row.version);
}

TEST_CASE("what is no version is 0.0, which no minimum lets pass", "[unit]") {
  const std::string release = GENERATE(as<std::string>(), "", "garbage", "5", "5.", ".10", "5.x", "5-10",
                                       " 5.10", "-5.10", "5.-1", "v5.10", "4294967296.1", "5.4294967296");
  INFO(release);
  CHECK(parse_kernel_version(release) == KernelVersion{});
}

TEST_CASE("versions are ordered by number, not by text", "[unit]") {
  CHECK(parse_kernel_version("5.9.16") < parse_kernel_version("5.10.0"));
  CHECK(parse_kernel_version("4.19.0") < parse_kernel_version("5.4.0"));
  CHECK(parse_kernel_version("6.6.1") < parse_kernel_version("10.0.0"));
  CHECK(parse_kernel_version("5.10.0") >= parse_kernel_version("5.10.200"));
}

TEST_CASE("a directory that is no BPF file system is refused with the command that mounts one", "[unit]") {
  const std::string directory = GENERATE(as<std::string>(), "/proc", "/", "/no/such/directory", "");
  INFO(directory);
  const auto mounted = require_bpffs(directory);
  REQUIRE_FALSE(mounted);
  CHECK(mounted.error().code() == base::ErrorCode::kNotFound);
  CHECK_THAT(mounted.error().text(), ContainsSubstring(directory + " is not a BPF file system"));
  CHECK_THAT(mounted.error().remedy(), ContainsSubstring("mount -t bpf -o mode=0700 bpf " + directory));
  CHECK_THAT(mounted.error().remedy(), ContainsSubstring("--bpffs"));
}

TEST_CASE("a mounted BPF file system is taken", "[unit]") {
  struct statfs information{};
  if (::statfs("/sys/fs/bpf", &information) != 0 || information.f_type != BPF_FS_MAGIC)
    SKIP("needs a BPF file system on /sys/fs/bpf");
  CHECK(require_bpffs("/sys/fs/bpf"));
}

}  // namespace
}  // namespace flowtally::capture
