// Goal: the part that talks has no right that counting needs, the part that counts has those and no other,
// and neither they nor anybody else get what is not theirs. Method: the built program, looked at from outside
// while it counts; an ordinary user who tries.
#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <thread>

#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "app/part_rights.hpp"
#include "base/unique_fd.hpp"
#include "capture/kernel_check.hpp"
#include "crash/run/host.hpp"
#include "net/capture/node.hpp"
#include "net/run/numbered_traffic.hpp"
#include "rights/account.hpp"
#include "support/catch.hpp"
#include "support/private_bpffs.hpp"
#include "support/process.hpp"
#include "support/temp_dir.hpp"
#include "support/wait_until.hpp"
#include "test_paths.h"

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

std::string link_of(const fs::path& path) {
  std::error_code failed;
  return fs::read_symlink(path, failed).string();
}

uid_t owner_of(const fs::path& path) {
  struct stat info{};
  return ::lstat(path.c_str(), &info) == 0 ? info.st_uid : static_cast<uid_t>(-1);
}

/// Of "socket:[INODE]"; "inet" if it is in no list, as one without an address is in none.
std::string family_of(pid_t pid, const std::string& socket) {
  const std::string inode = socket.substr(socket.find('[') + 1, socket.find(']') - socket.find('[') - 1);
  for (const char* const family : {"unix", "netlink"}) {
    std::ifstream table("/proc/" + std::to_string(pid) + "/net/" + family);
    for (std::string word; table >> word;) {
      if (word == inode) return family;
    }
  }
  return "inet";
}

/// Text is somewhere in the memory of that process that can be written.
bool has_in_memory(pid_t pid, const std::string& text) {
  const std::string process = "/proc/" + std::to_string(pid);
  std::ifstream maps(process + "/maps");
  const base::UniqueFd memory(::open((process + "/mem").c_str(), O_RDONLY | O_CLOEXEC));
  REQUIRE(memory.valid());
  std::string part;
  for (std::string line; std::getline(maps, line);) {
    unsigned long begin = 0;
    unsigned long end = 0;
    char writable = 0;
    // NOLINTNEXTLINE(cert-err34-c): the kernel wrote it
    if (std::sscanf(line.c_str(), "%lx-%lx r%c", &begin, &end, &writable) != 3 || writable != 'w') continue;
    part.resize(std::min<std::size_t>(end - begin, std::size_t{256} << 20U));
    const auto got = ::pread(memory.get(), part.data(), part.size(), static_cast<off_t>(begin));
    if (got > 0 &&
        std::string_view(part.data(), static_cast<std::size_t>(got)).find(text) != std::string_view::npos)
      return true;
  }
  return false;
}

/// What `body` returns where this program has become an agent, as a run does it; 128 + the signal that ended
/// it, 100 if it could not become one. No assertions in the body.
int as_agent(const app::RunOptions& options, const std::function<int()>& body) {
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    if (!app::become_agent(options)) ::_exit(100);
    ::_exit(body());
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
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

/// Once both processes have the rights that they keep.
pid_t capturer_of(Program& program) {
  program.wait_for_output("counting tailscale0");
  program.wait_for_output("the agent has no capability");
  const pid_t capturer = child_of(program.pid());
  REQUIRE(capturer > 0);
  return capturer;
}

const std::string kUser = std::to_string(kAgent);

}  // namespace

TEST_CASE("the agent has no capability and a user of its own, the capturer has three", "[net]") {
  enter_fresh_namespace();
  Rooms host;
  Program program(host.arguments({"--user", kUser}));
  const pid_t agent = program.pid();
  const pid_t capturer = capturer_of(program);

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
  // No BPF object is the agent's.
  for (const auto& entry : fs::directory_iterator("/proc/" + std::to_string(agent) + "/fd")) {
    const std::string target = fs::read_symlink(entry.path()).string();
    INFO(target);
    CHECK(target.find("bpf") == std::string::npos);
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

TEST_CASE("what has the agent's rights can do nothing that is not the agent's", "[net]") {
  enter_fresh_namespace();
  Rooms host;
  Program program(host.arguments({"--user", kUser}));
  const pid_t agent = program.pid();
  const pid_t capturer = capturer_of(program);
  app::RunOptions options;
  options.journal = false;
  options.user = kUser;
  const auto refused = [&](const char* what, const std::function<bool()>& tries, int error) {
    INFO(what);
    CHECK(as_agent(options, [&] {
            errno = 0;
            if (tries()) return 1;
            return errno == error ? 0 : 2;
          }) == 0);
  };
  const fs::path pins = host.bpffs.folder();
  refused("the pins", [&] { return may_open(pins); }, EACCES);
  refused("passwords", [] { return may_open("/etc/shadow"); }, EACCES);
  refused(
      "the kernel's settings", [] { return ::open("/proc/sys/kernel/core_pattern", O_WRONLY) >= 0; }, EACCES);
  refused("what is under the root", [] { return ::mkdir("/flowtally-test-no", 0755) == 0; }, EACCES);
  const auto of = [](pid_t pid, const char* what) { return "/proc/" + std::to_string(pid) + "/" + what; };
  // Nobody of the same user has the agent's memory, and the agent has nobody's.
  refused("its own kind's memory", [&] { return may_open(of(agent, "mem")); }, EACCES);
  refused("its own kind's environment", [&] { return may_open(of(agent, "environ")); }, EACCES);
  refused("the capturer's memory", [&] { return may_open(of(capturer, "mem")); }, EACCES);
  refused("an end of the capturer", [&] { return ::kill(capturer, SIGKILL) == 0; }, EPERM);
  refused("files of others", [&] { return ::chown(host.temp.path.c_str(), kAgent, kAgent) == 0; }, EPERM);
  // Inside of a user namespace it would be root.
  refused(
      "a user namespace",
      [] {
        const long child = ::syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);
        if (child == 0) ::_exit(0);
        return child > 0;
      },
      EPERM);
  constexpr int kKilled = 128 + SIGSYS;
  CHECK(as_agent(options, [] { return static_cast<int>(::syscall(SYS_bpf, 0, nullptr, 0)); }) == kKilled);
  CHECK(as_agent(options, [] { return ::setuid(0); }) == kKilled);
  CHECK(as_agent(options, [] { return ::execl("/bin/true", "true", nullptr); }) == kKilled);
  program.signal(SIGTERM);
  CHECK(program.wait() == 0);
}

TEST_CASE("the capturer has these descriptors and no other, whatever it was started with", "[net]") {
  enter_fresh_namespace();
  Rooms host;
  const fs::path given = host.temp.path / "given.sock";
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  given.string().copy(address.sun_path, sizeof(address.sun_path) - 1);
  const base::UniqueFd listening(::socket(AF_UNIX, SOCK_STREAM, 0));
  REQUIRE(::bind(listening.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0);
  REQUIRE(::listen(listening.get(), 5) == 0);
  // As systemd does it: sockets from 3 on, and whose they are. One more is left open by mistake.
  const std::string script = "LISTEN_PID=$$ LISTEN_FDS=1 exec \"$0\" \"$@\" 3<&" +
                             std::to_string(listening.get()) + " 9< /etc/passwd";
  std::vector<std::string> arguments{"-c", script, FLOWTALLY_PROGRAM};
  for (std::string& argument : host.arguments({"--user", kUser})) arguments.push_back(std::move(argument));
  Program program(arguments, {}, "/bin/sh");
  program.wait_for_output("answering on " + given.string());
  program.wait_for_output("counting tailscale0");
  const pid_t capturer = child_of(program.pid());
  REQUIRE(capturer > 0);
  const std::string folder = "/proc/" + std::to_string(capturer) + "/fd/";
  CHECK(link_of(folder + "0") == "/dev/null");
  CHECK(link_of(folder + "1") == "/dev/null");
  CHECK(link_of(folder + "2") == link_of("/proc/" + std::to_string(program.pid()) + "/fd/2"));
  std::map<std::string, int> kinds;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().filename().string().size() == 1 && entry.path().filename().string() < "3") continue;
    const std::string target = link_of(entry.path());
    INFO(entry.path() << " is " << target);
    if (target.starts_with("socket:[")) {
      ++kinds[family_of(capturer, target)];
    } else if (target.starts_with(host.bpffs.path())) {
      ++kinds["pins"];
    } else if (target.find("libbpf-placeholder-fd") != std::string::npos) {
      ++kinds["placeholder"];  // for a map that is not made
    } else {
      ++kinds[target];
    }
  }
  CHECK(kinds["unix"] == 1);  // the channel
  CHECK(kinds["inet"] <= 1);  // by which a device's number is asked for
  CHECK(kinds["anon_inode:[eventfd]"] == 1);
  CHECK(kinds["anon_inode:bpf-map"] > 0);
  const std::set<std::string> known = {"unix",
                                       "inet",
                                       "netlink",
                                       "pins",
                                       "placeholder",
                                       "anon_inode:[eventfd]",
                                       "anon_inode:[eventpoll]",
                                       "anon_inode:bpf-map",
                                       "anon_inode:bpf-prog",
                                       "anon_inode:bpf_link",
                                       "anon_inode:bpf_btf",
                                       "anon_inode:btf"};
  for (const auto& [kind, count] : kinds) {
    INFO(count << " of " << kind);
    CHECK(known.contains(kind));
  }
  program.signal(SIGTERM);
  CHECK(program.wait() == 0);
}

TEST_CASE("the capturer's system calls are enough for both ways to attach, and to take off again", "[net]") {
  enter_fresh_namespace();
  Rooms host;
  for (const char* const way : {"auto", "clsact"}) {
    INFO(way);
    Program program(host.arguments({"--user", kUser, "--attach", way, "--duration", "1s", "--fresh"}));
    program.wait_for_output("counting tailscale0");
    Writer writer(host.tun, 0);
    CHECK(program.wait() == 0);  // and was not ended by its filter
    static_cast<void>(writer.stop());
    CHECK(program.err().find("rx packets 0") == std::string::npos);
  }
}

TEST_CASE("nothing of the state directory is another user's to read, and all of it is the next user's",
          "[net]") {
  enter_fresh_namespace();
  Rooms host;
  const fs::path state = host.temp.path / "state";
  const fs::path file = host.temp.path / "flowtally.yaml";
  std::ofstream(file) << "sinks:\n  copy: {type: file, path: " << (state / "copy.ndjson").string()
                      << "}\n  none: {type: splunk, url: 'http://127.0.0.1:1', token: '${FT_TOKEN}'}\n";
  const std::vector<std::string> more{"--user",      kUser,      "--config",
                                      file.string(), "--output", (state / "output.ndjson").string()};
  const auto go = [&] {
    Program program(host.arguments(more), {"FT_TOKEN=x"});
    program.wait_for_output("counting tailscale0");
    Writer writer(host.tun, 0);
    wait_until([&] {
      std::error_code failed;
      return fs::exists(state / "network" / "cursors" / "copy", failed) ||
             fs::exists(state / "copy.ndjson", failed);
    });
    static_cast<void>(writer.stop());
    program.signal(SIGTERM);
    CHECK(program.wait() == 0);
  };
  go();
  std::size_t files = 0;
  for (const auto& entry : fs::recursive_directory_iterator(state)) {
    INFO(entry.path());
    CHECK(owner_of(entry.path()) == kAgent);
    CHECK_FALSE(as_user(kStranger, [&] { return may_open(entry.path()); }));
    ++files;
  }
  CHECK(files > 6);
  CHECK_FALSE(as_user(kStranger, [&] { return may_open(state); }));
  CHECK(fs::exists(state / "configuration"));
  CHECK(fs::exists(state / "version"));
  // As after a run of root's: whatever a run leaves there, the next one's user gets.
  fs::remove(state / "copy.ndjson");
  REQUIRE(::chown(state.c_str(), 0, 0) == 0);
  for (const auto& entry : fs::recursive_directory_iterator(state))
    REQUIRE(::lchown(entry.path().c_str(), 0, 0) == 0);
  go();
  for (const auto& entry : fs::recursive_directory_iterator(state)) {
    INFO(entry.path());
    CHECK(owner_of(entry.path()) == kAgent);
  }
}

TEST_CASE("a state directory with other things in it is not taken", "[net]") {
  enter_fresh_namespace();
  Rooms host;
  const fs::path state = host.temp.path / "state";
  fs::create_directories(state / "dpkg");
  std::ofstream(state / "dpkg" / "status") << "x";
  Program check({"check", "--state-dir", state.string(), "--bpffs", host.bpffs.path(), "--user", kUser});
  static_cast<void>(check.wait());
  CHECK(check.out().find("a start refuses it") != std::string::npos);
  Program program(host.arguments({"--user", kUser}));
  CHECK(program.wait() == 3);
  INFO(program.err());
  CHECK(program.err().find("dpkg is not flowtally's") != std::string::npos);
  CHECK(program.err().find("Give flowtally a folder of its own") != std::string::npos);
  CHECK(owner_of(state) == 0);
  CHECK(owner_of(state / "dpkg" / "status") == 0);
}

TEST_CASE("no secret of a sink is in the capturer's memory, and nobody's memory gets into a core file",
          "[net]") {
  enter_fresh_namespace();
  Rooms host;
  const fs::path file = host.temp.path / "flowtally.yaml";
  const std::string in_file = "b1f2-kept-in-the-file";
  const std::string in_environment = "77c0-kept-in-the-environment";
  const fs::path token = host.temp.path / "token";
  std::ofstream(token) << in_file << '\n';
  fs::permissions(token, fs::perms(0640));
  REQUIRE(::chown(token.c_str(), 0, kAgent) == 0);
  std::ofstream(file) << "sinks:\n  one: {type: splunk, url: 'http://127.0.0.1:1', token_file: "
                      << token.string()
                      << "}\n  two: {type: splunk, url: 'http://127.0.0.1:1', token: '${FT_TOKEN}'}\n";
  Program program(host.arguments({"--user", kUser, "--config", file.string()}),
                  {"FT_TOKEN=" + in_environment});
  const pid_t agent = program.pid();
  const pid_t capturer = capturer_of(program);
  CHECK(has_in_memory(agent, in_file));
  CHECK(has_in_memory(agent, in_environment));
  CHECK_FALSE(has_in_memory(capturer, in_file));
  CHECK_FALSE(has_in_memory(capturer, in_environment));
  for (const pid_t pid : {agent, capturer}) {
    std::ifstream limits("/proc/" + std::to_string(pid) + "/limits");
    std::string core;
    while (std::getline(limits, core) && !core.starts_with("Max core file size")) continue;
    INFO(core);
    CHECK(core.find("unlimited") == std::string::npos);
    std::string digits;
    for (const char c : core) {
      if (c >= '0' && c <= '9') digits += c;
    }
    CHECK(digits == "00");
  }
  CHECK(owner_of("/proc/" + std::to_string(agent) + "/environ") == 0);  // not to be dumped or traced
  program.signal(SIGTERM);
  CHECK(program.wait() == 0);
}

TEST_CASE("root without a user for the agent is told so, and its socket's group is taken on all the same",
          "[net]") {
  enter_fresh_namespace();
  Rooms host;
  const gid_t group = rights::find_group("daemon").value();
  for (const std::string& name : {std::string("daemon"), std::to_string(group)}) {
    Program program(host.arguments({"--socket-group", name}));
    program.wait_for_output("answering on");
    program.wait_for_output("the agent has no capability");
    struct stat info{};
    REQUIRE(::stat(host.socket().c_str(), &info) == 0);
    CHECK(info.st_gid == group);
    CHECK(status_field(program.pid(), "Groups").starts_with(std::to_string(group)));
    if (!rights::default_account()) {
      CHECK(program.err().find("the agent is still root") != std::string::npos);
      CHECK(program.err().find("useradd") != std::string::npos);
    }
    program.signal(SIGTERM);
    CHECK(program.wait() == 0);
  }
}

}  // namespace flowtally::test
