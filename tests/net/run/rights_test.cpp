// Goal: the part that talks has no right that counting needs, the part that counts has those and no other,
// and neither they nor anybody else get what is not theirs. Method: the built program, looked at from outside
// while it counts; an ordinary user who tries.
#include <csignal>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <thread>

#include <fcntl.h>
#include <grp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "capture/kernel_check.hpp"
#include "crash/run/host.hpp"
#include "net/capture/node.hpp"
#include "net/run/numbered_traffic.hpp"
#include "support/catch.hpp"
#include "support/private_bpffs.hpp"
#include "support/process.hpp"
#include "support/temp_dir.hpp"
#include "support/wait_until.hpp"

namespace flowtally::test {
namespace {

namespace fs = std::filesystem;

constexpr uid_t kAgent = 65532;
constexpr uid_t kStranger = 54321;
constexpr std::uint64_t kCounting =
    (std::uint64_t{1} << 12U) | (std::uint64_t{1} << 38U) | (std::uint64_t{1} << 39U);

/// A field of /proc/PID/status, without its name.
std::string status_field(pid_t pid, const std::string& name) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with(name + ":")) continue;
    const std::size_t begin = line.find_first_not_of(" \t", name.size() + 1);
    return begin == std::string::npos ? std::string() : line.substr(begin);
  }
  return {};
}

std::uint64_t capabilities(pid_t pid, const std::string& set) {
  return std::stoull(status_field(pid, set), nullptr, 16);
}

pid_t child_of(pid_t parent) {
  std::ifstream file("/proc/" + std::to_string(parent) + "/task/" + std::to_string(parent) + "/children");
  pid_t child = 0;
  file >> child;
  return child;
}

/// What `body` says as that user, in that user's group only. No assertions in the body.
bool as_user(uid_t user, const std::function<bool()>& body) {
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    if (::setgroups(0, nullptr) != 0 || ::setgid(user) != 0 || ::setuid(user) != 0) ::_exit(2);
    ::_exit(body() ? 0 : 1);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(WIFEXITED(status));
  REQUIRE(WEXITSTATUS(status) < 2);
  return WEXITSTATUS(status) == 0;
}

bool may_open(const fs::path& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd >= 0) ::close(fd);
  return fd >= 0;
}

bool may_connect(const fs::path& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.string().copy(address.sun_path, sizeof(address.sun_path) - 1);
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const bool connected = ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
  ::close(fd);
  return connected;
}

/// A device and folders, outside of which is nothing that a run needs.
struct Rooms {
  Rooms() {
    fs::permissions(temp.path, fs::perms(0755));  // what is in it decides
  }
  [[nodiscard]] std::vector<std::string> arguments(const std::vector<std::string>& more = {}) const {
    std::vector<std::string> all{"run",
                                 "--interval",
                                 "100ms",
                                 "--bpffs",
                                 bpffs.path(),
                                 "--state-dir",
                                 (temp.path / "state").string(),
                                 "--socket",
                                 socket().string(),
                                 "--node-id",
                                 "nTest",
                                 "--tailscaled-socket",
                                 "/nonexistent/socket"};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
  [[nodiscard]] fs::path socket() const { return temp.path / "flowtally" / "flowtally.sock"; }
  TestTun tun{TestTun::Headers::kBare};
  PrivateBpffs bpffs;
  TempDir temp;
};

const std::string kUser = std::to_string(kAgent);

}  // namespace

TEST_CASE("the agent has no capability and a user of its own, the capturer has three", "[net]") {
  enter_fresh_namespace();
  Rooms host;
  Program program(host.arguments({"--user", kUser}));
  program.wait_for_output("counting tailscale0");
  program.wait_for_output("the agent has no capability");
  const pid_t agent = program.pid();
  const pid_t capturer = child_of(agent);
  REQUIRE(capturer > 0);

  for (const char* const set : {"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"}) {
    INFO(set);
    CHECK(capabilities(agent, set) == 0);
  }
  CHECK(status_field(agent, "Uid") == kUser + "\t" + kUser + "\t" + kUser + "\t" + kUser);
  CHECK(status_field(agent, "Gid") == kUser + "\t" + kUser + "\t" + kUser + "\t" + kUser);
  CHECK(status_field(agent, "Groups").find_first_of("0123456789") == std::string::npos);
  const bool charged = capture::running_kernel() < capture::KernelVersion{.major = 5, .minor = 11};
  const std::uint64_t wanted = kCounting | (charged ? std::uint64_t{1} << 24U : 0);
  CHECK(capabilities(capturer, "CapPrm") == wanted);
  CHECK(capabilities(capturer, "CapEff") == wanted);
  CHECK(capabilities(capturer, "CapBnd") == wanted);
  CHECK(capabilities(capturer, "CapInh") == 0);
  for (const pid_t pid : {agent, capturer}) {
    CHECK(status_field(pid, "NoNewPrivs") == "1");
    CHECK(status_field(pid, "Seccomp") == "2");
  }
  // Whatever the agent's threads do: each has the filter and none a capability.
  std::size_t threads = 0;
  for (const auto& thread : fs::directory_iterator("/proc/" + std::to_string(agent) + "/task")) {
    const pid_t id = static_cast<pid_t>(std::stol(thread.path().filename().string()));
    CHECK(capabilities(id, "CapPrm") == 0);
    CHECK(status_field(id, "Seccomp") == "2");
    ++threads;
  }
  CHECK(threads > 1);
  // No BPF object is the agent's, and none of its files the capturer's.
  for (const auto& entry : fs::directory_iterator("/proc/" + std::to_string(agent) + "/fd")) {
    const std::string target = fs::read_symlink(entry.path()).string();
    INFO(target);
    CHECK(target.find("bpf") == std::string::npos);
  }
  for (const auto& entry : fs::directory_iterator("/proc/" + std::to_string(capturer) + "/fd")) {
    const std::string target = fs::read_symlink(entry.path()).string();
    INFO(target);
    CHECK(target.find((host.temp.path / "state").string()) == std::string::npos);
  }
  program.signal(SIGTERM);
  CHECK(program.wait() == 0);
  CHECK(::kill(capturer, 0) != 0);
}

TEST_CASE(
    "an ordinary user can read neither the socket, the journal nor the pins; the agent's user only its own",
    "[net]") {
  enter_fresh_namespace();
  Rooms host;
  Program program(host.arguments({"--user", kUser}));
  Writer writer(host.tun, 0);
  program.wait_for_output("answering on");
  program.wait_for_output("counting tailscale0");
  const fs::path journal = host.temp.path / "state" / "network";
  fs::path segment;
  wait_until([&] {
    for (const auto& entry : fs::recursive_directory_iterator(journal)) {
      if (entry.is_regular_file()) segment = entry.path();
    }
    return !segment.empty();
  });
  static_cast<void>(writer.stop());
  const fs::path pins = host.bpffs.folder();
  CHECK(may_connect(host.socket()));  // root, who may all
  CHECK_FALSE(as_user(kStranger, [&] { return may_connect(host.socket()); }));
  CHECK_FALSE(as_user(kStranger, [&] { return may_open(segment); }));
  CHECK_FALSE(as_user(kStranger, [&] { return may_open(pins); }));
  CHECK(as_user(kAgent, [&] { return may_connect(host.socket()) && may_open(segment); }));
  CHECK_FALSE(as_user(kAgent, [&] { return may_open(pins) || may_open("/etc/shadow"); }));
  struct stat info{};
  REQUIRE(::stat(host.socket().c_str(), &info) == 0);
  CHECK((info.st_mode & 07777U) == 0660);
  CHECK(info.st_uid == kAgent);
  CHECK(info.st_gid == kAgent);
}

TEST_CASE("an agent or a capturer that is killed takes the other along, and the next run has every packet",
          "[net]") {
  enter_fresh_namespace();
  Host host;
  {
    Program first(host.run_arguments({"--user", kUser}));
    first.wait_for_output("counting tailscale0");
    first.signal(SIGKILL);
    CHECK(first.wait() == 128 + SIGKILL);
  }
  Writer writer(host.tun(), 0);
  for (int round = 0; round < 6; ++round) {
    Program program(host.run_arguments({"--user", kUser}));
    program.wait_for_output("as it was counted all the time");
    const std::uint32_t enough = writer.next() + 20000;
    while (writer.next() < enough) std::this_thread::yield();
    const pid_t capturer = child_of(program.pid());
    REQUIRE(capturer > 0);
    if (round % 2 == 0) {
      program.signal(SIGKILL);
      CHECK(program.wait() == 128 + SIGKILL);
    } else {
      REQUIRE(::kill(capturer, SIGKILL) == 0);
      CHECK(program.wait() == 1);
      INFO(program.err());
      CHECK(program.err().find("was killed by signal 9") != std::string::npos);
    }
  }
  const std::uint32_t written = writer.stop();
  // Without a user of its own, as root, in folders that were the other user's.
  host.run_to_a_good_end();
  const Counted counted = host.journal();
  check_no_hole(counted);
  CHECK(counted.all == written);
}

TEST_CASE("what the agent's user may not have is told at the start, with what to do", "[net]") {
  enter_fresh_namespace();
  Rooms host;
  const fs::path file = host.temp.path / "flowtally.yaml";
  std::ofstream(file) << "capture:\n  interval: 200ms\n";
  fs::permissions(file, fs::perms(0600));
  Program unread(host.arguments({"--user", kUser, "--config", file.string()}));
  CHECK(unread.wait() == 3);
  CHECK(unread.err().find("chmod 640") != std::string::npos);
  Program nobody(host.arguments({"--user", "nobody-has-this-name"}));
  CHECK(nobody.wait() == 3);
  CHECK(nobody.err().find("useradd") != std::string::npos);
}

}  // namespace flowtally::test
