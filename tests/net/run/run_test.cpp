// Goal: the program as a user runs it: nothing lost at a stop under traffic, whatever its output does; bad
// circumstances end with a sentence and the right exit code; nothing is left behind.
//
// Method: the test is the TUN's owner and writes packets of kKeys flows in turn, over and over. A write goes
// through tc ingress before it returns; so what was counted must be the packets from the first after the
// attachment to the last before the detachment without a hole: then the flows' counts follow from their sum
// alone.
#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "net/capture/node.hpp"
#include "net/run/numbered_traffic.hpp"
#include "record/reader.hpp"
#include "support/catch.hpp"
#include "support/packet_builder.hpp"
#include "support/private_bpffs.hpp"
#include "support/privilege.hpp"
#include "support/process.hpp"
#include "support/temp_dir.hpp"
#include "test_paths.h"

namespace flowtally::test {
namespace {

namespace fs = std::filesystem;
using Catch::Matchers::ContainsSubstring;

std::string read_file(const fs::path& path) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "r"), std::fclose);
  std::string text;
  std::array<char, 65536> part{};
  while (file) {
    const std::size_t length = std::fread(part.data(), 1, part.size(), file.get());
    if (length == 0) break;
    text.append(part.data(), length);
  }
  return text;
}

/// A tmpfs of 1 MiB on `path`.
struct TempMount {
  explicit TempMount(fs::path on) : path(std::move(on)) {
    REQUIRE(::mount("tmpfs", path.c_str(), "tmpfs", 0, "size=1m") == 0);
  }
  ~TempMount() { ::umount2(path.c_str(), MNT_DETACH); }
  fs::path path;
};

}  // namespace

TEST_CASE("SIGTERM under traffic: a last record, and not one packet is missing", "[net]") {
  enter_fresh_namespace();
  const TempDir directory;
  const fs::path file = directory.path / "records.ndjson";
  const auto programs = programs_loaded();
  TestTun tun(TestTun::Headers::kBare);
  Program program(
      {"run", "--no-journal", "--interval", "200ms", "--output", file.string(), "--node-id", "nTest"});
  program.wait_for_output("counting tailscale0");
  Writer writer(tun, 0);
  const auto lines = [&] { return std::ranges::count(read_file(file), '\n'); };
  while (writer.next() < 60000 || lines() < 3) std::this_thread::yield();
  program.signal(SIGTERM);
  CHECK(program.wait() == 0);
  const std::uint32_t written = writer.stop();
  const Counted counted = read_records(read_file(file));
  INFO(program.err());
  check_no_hole(counted);
  CHECK(counted.all >= 60000);
  CHECK(counted.all <= written);
  CHECK(counted.records >= 3);
  CHECK(new_programs_go(programs));
}

TEST_CASE("a reader that stops reading holds up the records, not the counting; nothing is lost", "[net]") {
  enter_fresh_namespace();
  TestTun tun(TestTun::Headers::kBare);
  Program program({"run", "--no-journal", "--interval", "100ms", "--node-id", "nTest"});
  program.wait_for_output("counting tailscale0");
  // Nobody reads stdout while these are written: far more than a pipe holds.
  std::uint32_t written = 0;
  {
    Writer writer(tun, 0);
    while (!program.out_is_full()) std::this_thread::yield();
    const auto more = std::chrono::steady_clock::now() + std::chrono::milliseconds(500);
    while (std::chrono::steady_clock::now() < more) std::this_thread::yield();
    written = writer.stop();
  }
  program.signal(SIGTERM);
  CHECK(program.wait() == 0);
  const Counted counted = read_records(program.out());
  check_no_hole(counted);
  CHECK(counted.all == written);
}

TEST_CASE("a full disk holds up the records, not the counting; when there is room again all is there",
          "[net]") {
  enter_fresh_namespace();
  if (::unshare(CLONE_NEWNS) != 0) SKIP("needs the right to make mount namespaces");
  REQUIRE(::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0);
  const TempDir directory;
  const TempMount mount(directory.path);
  const fs::path file = directory.path / "records.ndjson";
  const fs::path ballast = directory.path / "ballast";
  {
    const base::UniqueFd fd(::open(ballast.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    REQUIRE(::fallocate(fd.get(), 0, 0, 800 * 1024) == 0);
  }
  TestTun tun(TestTun::Headers::kBare);
  Program program(
      {"run", "--no-journal", "--interval", "100ms", "--output", file.string(), "--node-id", "nTest"});
  program.wait_for_output("counting tailscale0");
  std::uint32_t written = 0;
  {
    Writer writer(tun, 0);
    program.wait_for_output("No space left on device");
    fs::remove(ballast);
    program.wait_for_output("records are being written again");
    written = writer.stop();
  }
  program.signal(SIGTERM);
  CHECK(program.wait() == 0);
  const Counted counted = read_records(read_file(file));
  check_no_hole(counted);
  CHECK(counted.all == written);
}

TEST_CASE("a reader that goes away ends the program with an error that says so", "[net]") {
  enter_fresh_namespace();
  TestTun tun(TestTun::Headers::kBare);
  const TempDir directory;
  const fs::path fifo = directory.path / "fifo";
  REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
  base::UniqueFd reader(::open(fifo.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  Program program(
      {"run", "--no-journal", "--interval", "100ms", "--output", fifo.string(), "--node-id", "nTest"});
  program.wait_for_output("counting tailscale0");
  reader.reset();
  REQUIRE(tun.write(numbered(1)) == 0);
  CHECK(program.wait() == 1);
  CHECK(program.err().find("Broken pipe") != std::string::npos);
  CHECK(program.err().find("not written: tx") != std::string::npos);
}

TEST_CASE("what this host lacks is said in a sentence with the remedy, exit code 3", "[net]") {
  enter_fresh_namespace();
  const auto programs = programs_loaded();
  {
    Program program({"run", "--no-journal", "--bpffs", "/tmp", "--node-id", "nTest"});
    CHECK(program.wait() == 3);
    CHECK(program.err().find("/tmp is not a BPF file system. Mount one with `mount -t bpf") !=
          std::string::npos);
  }
  {
    Program program({"check", "--bpffs", "/tmp"});
    CHECK(program.wait() == 3);
    CHECK(program.out().find("missing") != std::string::npos);
  }
  {
    Program program({"run", "--no-journal", "--output", "/nonexistent/records", "--node-id", "nTest"});
    CHECK(program.wait() == 1);
    CHECK(program.err().find("/nonexistent/records") != std::string::npos);
  }
  CHECK(new_programs_go(programs));
}

TEST_CASE("a BPF file system in which no pin can be made is missing, and nothing is left where one can",
          "[net]") {
  enter_fresh_namespace();
  const PrivateBpffs bpffs;
  const auto bpffs_line = [](const std::string& table) {
    const auto at = table.find("BPF file system");
    REQUIRE(at != std::string::npos);
    return table.substr(at, table.find('\n', at) - at);
  };
  {
    Program program({"check", "--bpffs", bpffs.path(), "--state-dir", "/tmp"});
    CHECK(program.wait() == 0);
    CHECK_THAT(bpffs_line(program.out()), ContainsSubstring("found"));
    CHECK_FALSE(fs::exists(bpffs.folder()));
  }
  REQUIRE(::mount(nullptr, bpffs.path().c_str(), nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY, nullptr) == 0);
  Program program({"check", "--bpffs", bpffs.path(), "--state-dir", "/tmp"});
  CHECK(program.wait() == 3);
  CHECK_THAT(bpffs_line(program.out()), ContainsSubstring("missing"));
  CHECK_THAT(program.out(), ContainsSubstring("--bpffs /bpf"));
}

TEST_CASE("pause ends with the first stop signal, and not before", "[net]") {
  for (const int signal : {SIGTERM, SIGINT}) {
    Program program({"pause"});
    program.wait_for_output("at rest");
    siginfo_t ended{};
    CHECK(::waitid(P_PID, static_cast<id_t>(program.pid()), &ended, WEXITED | WNOHANG | WNOWAIT) == 0);
    CHECK(ended.si_pid == 0);
    program.signal(signal);
    CHECK(program.wait() == 0);
  }
}

TEST_CASE("an interface that is not there is waited for, and a stop before it comes is clean", "[net]") {
  enter_fresh_namespace();
  Program program({"run", "--no-journal", "--interface", "tailscale7", "--node-id", "nTest"});
  program.wait_for_output("waiting for the interface tailscale7");
  program.signal(SIGINT);
  CHECK(program.wait() == 0);
  CHECK(program.out().empty());
}

TEST_CASE("with --duration it stops by itself, with its last record", "[net]") {
  enter_fresh_namespace();
  TestTun tun(TestTun::Headers::kBare);
  // The time runs from the start on, which takes most of a second where a processor is emulated.
  Program program({"run", "--no-journal", "--duration", "4s", "--interval", "1h", "--node-id", "nTest"});
  program.wait_for_output("counting tailscale0");
  for (std::uint32_t number = 0; number < 700; ++number) REQUIRE(tun.write(numbered(number)) == 0);
  CHECK(program.wait() == 0);
  const Counted counted = read_records(program.out());
  check_no_hole(counted);
  CHECK(counted.all == 700);
}

TEST_CASE("without the right to load programs the sentence names the rights", "[net]") {
  enter_fresh_namespace();
  // As nobody, who may not: by way of setpriv, which is part of util-linux.
  if (!fs::exists("/usr/bin/setpriv")) SKIP("needs setpriv");
  const std::string command = std::string("setpriv --reuid 65534 --regid 65534 --clear-groups ") +
                              FLOWTALLY_PROGRAM + " run --no-journal --node-id nTest 2>&1; echo exit $?";
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> pipe(::popen(command.c_str(), "r"), ::pclose);
  std::string text;
  std::array<char, 4096> part{};
  while (const std::size_t length = std::fread(part.data(), 1, part.size(), pipe.get()))
    text.append(part.data(), length);
  if (text.find("Permission denied\nexit 126") != std::string::npos)
    SKIP("nobody may not execute the build tree");
  CHECK(text.find("CAP_BPF") != std::string::npos);
  CHECK(text.find("exit 3") != std::string::npos);
}

TEST_CASE("SIGINT in the demo: the table, the verdict, exit code 0, nothing left", "[net]") {
  require_network();
  const auto programs = programs_loaded();
  Program program({"demo", "--interval", "200ms"});
  program.wait_for_output("\"virtualTraffic\"");
  program.signal(SIGINT);
  CHECK(program.wait() == 0);
  CHECK(program.out().find("\nexact: ") != std::string::npos);
  CHECK(new_programs_go(programs));
}

TEST_CASE("a demo that is killed leaves nothing: no program, no namespace, no device", "[net]") {
  require_network();
  const auto programs = programs_loaded();
  {
    Program program({"demo"});
    program.wait_for_output("TCP bulk");
    program.signal(SIGKILL);
    CHECK(program.wait() == 128 + SIGKILL);
  }
  CHECK(new_programs_go(programs));
  CHECK_FALSE(fs::exists("/sys/class/net/tailscale0"));
}

}  // namespace flowtally::test
