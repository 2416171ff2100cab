// Goal: what the running program answers is what it counted: the window that goes on, the journal through the
// socket, through the commands and from the files, and the status all say what was sent; and the examples of
// README do what they say, as they are written there.
//
// Method: the program as a user runs it, with numbered packets on its TUN; the answers are taken by curl and
// jq, which know nothing of flowtally. README's commands run in a shell of their own, in which the paths that
// they name are a file system of this test.
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include <poll.h>
#include <sched.h>
#include <sys/mount.h>

#include "crash/run/host.hpp"
#include "support/catch.hpp"
#include "support/packet_builder.hpp"
#include "support/process.hpp"
#include "support/shell.hpp"
#include "support/temp_dir.hpp"
#include "support/wait_until.hpp"
#include "test_paths.h"

namespace flowtally::test {
namespace {

void send(TestTun& tun, std::uint32_t packets) {
  for (std::uint32_t at = 0; at < packets; ++at) REQUIRE(tun.write(numbered(at)) == 0);
}

constexpr std::uint32_t kPackets = 20'000;
constexpr std::uint64_t kPacketBytes = 88;
constexpr const char* kSums = "'[.logs[].virtualTraffic[]?.rxPkts] | add // 0'";

/// Until the status says that so many packets are in records.
void wait_until_recorded(const std::string& curl, std::uint64_t packets) {
  wait_until([&] {
    return number_in_shell(curl + "http://x/api/v1/status | jq .traffic.totals.rxPkts") == packets;
  });
}

/// README's commands: the lines of the fenced block behind the heading. A line that ends with \ goes on.
std::vector<std::string> examples(const std::string& heading) {
  std::ifstream file(std::string(FLOWTALLY_SOURCE_DIR) + "/README.md");
  std::string line;
  while (std::getline(file, line) && line != heading) {
  }
  while (std::getline(file, line) && !line.starts_with("```")) {
  }
  std::vector<std::string> commands;
  std::string command;
  while (std::getline(file, line) && !line.starts_with("```")) {
    command += line;
    if (line.ends_with('\\')) {
      command += '\n';
      continue;
    }
    if (!command.empty() && !command.starts_with('#')) commands.push_back(command);
    command.clear();
  }
  return commands;
}

/// An empty file system there, in this thread's own view of the mounts.
void own(const std::string& folder) {
  std::filesystem::create_directories(folder);
  REQUIRE(::mount("none", folder.c_str(), "tmpfs", 0, nullptr) == 0);
}

}  // namespace

TEST_CASE("the window that goes on can be looked at without disturbing it", "[ask]") {
  enter_fresh_namespace();
  Host host;
  const std::string curl = "curl -sS --fail --unix-socket " + host.socket() + " ";
  Program program(host.run_arguments({"--interval", "1h"}));
  program.wait_for_output("counting tailscale0");
  send(host.tun(), kPackets);
  for (int look = 0; look < 3; ++look)
    CHECK(number_in_shell(curl + "http://x/api/v1/flows/live | jq " + kSums) == kPackets);
  CHECK(number_in_shell(curl + "http://x/api/v1/status | jq .windows.count") == 0);
  program.signal(SIGTERM);
  REQUIRE(program.wait() == 0);
  const Counted counted = host.journal();
  check_no_hole(counted);
  CHECK(counted.all == kPackets);
  CHECK(counted.records == 1);
}

TEST_CASE("the socket, the commands, the files and the status give the same sums", "[ask]") {
  enter_fresh_namespace();
  Host host;
  const std::string curl = "curl -sS --fail --unix-socket " + host.socket() + " ";
  Program program(host.run_arguments());
  program.wait_for_output("counting tailscale0");
  // Followers see each record once, whoever else asks. That one follows is seen by what it shows.
  Program tail({"tail", "--socket", host.socket(), "--json"});
  std::uint64_t others = 0;
  wait_until([&] {
    const auto other = support::packet().ipv4("100.65.0.2", "100.64.0.1").udp(7, 7).payload(60).bytes();
    REQUIRE(host.tun().write(other) == 0);
    ++others;
    return tail.reads_within(std::chrono::milliseconds(200));
  });
  send(host.tun(), kPackets);
  const std::uint64_t all = kPackets + others;
  wait_until_recorded(curl, all);

  const std::string range =
      "-G -d start=2020-01-01T00:00:00Z -d end=2099-01-01T00:00:00Z "
      "http://x/api/v2/tailnet/-/logging/network";
  CHECK(number_in_shell(curl + range + " | jq " + kSums) == all);
  CHECK(number_in_shell(curl + range + " | jq '[.logs[].accounting.totals.rxBytes // 0] | add'") ==
        all * kPacketBytes);
  CHECK(number_in_shell(curl + "-G -d group_by=proto -d format=ndjson http://x/api/v1/query | jq .rxBytes") ==
        all * kPacketBytes);
  const std::string command =
      std::string(FLOWTALLY_PROGRAM) + " query --json --group-by dst --socket " + host.socket();
  CHECK(number_in_shell(command + " | jq '[.rows[].rxPkts] | add'") == all);
  CHECK(number_in_shell(std::string(FLOWTALLY_PROGRAM) +
                        " query 'proto udp' --group-by proto --output ndjson --state-dir " + host.state() +
                        " | jq .rxPkts") == all);
  CHECK(run_in_shell(curl + "http://x/healthz").status == 0);
  CHECK(run_in_shell(curl + "http://x/readyz").status == 0);
  CHECK(number_in_shell(
            curl + "http://x/metrics | sed -n 's/^flowtally_hook_packets_total{.*direction=\"rx\".*} //p'") ==
        all);

  const Ran lint =
      run_in_shell(curl + "http://x/metrics | /usr/local/lib/flowtally-tests/promtool check metrics");
  INFO("scripts/setup brings promtool\n" << lint.out);
  CHECK(lint.status == 0);
  CHECK(lint.out.empty());

  Program status({"status", "--socket", host.socket()});
  CHECK(status.wait() == 0);
  CHECK(status.out().find("tailscale0") != std::string::npos);

  tail.wait_for_times(
      "\"100.64.0.1:9\"",
      number_in_shell(curl + range +
                      " | jq '[.logs[].virtualTraffic[]? | select(.src | endswith(\":9\"))] | length'"));
  tail.signal(SIGINT);
  static_cast<void>(tail.wait());
  const TempDir folder;
  std::ofstream(folder.path / "tail") << tail.out();
  CHECK(number_in_shell("jq -s '[.[] | select(.src | endswith(\":9\")) | .rxPkts] | add' " +
                        (folder.path / "tail").string()) == kPackets);

  program.signal(SIGTERM);
  REQUIRE(program.wait() == 0);
  const Counted counted = host.journal();
  check_no_hole(counted);
  CHECK(counted.all == kPackets);
}

TEST_CASE("README's examples run as they are written", "[ask]") {
  const std::vector<std::string> commands = examples("### Ask it");
  REQUIRE(commands.size() >= 8);
  enter_fresh_namespace();
  if (::unshare(CLONE_NEWNS | CLONE_FS) != 0 ||
      ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
    SKIP("needs the right to mount");
  for (const char* const folder : {"/run/flowtally", "/var/lib/flowtally", "/etc/flowtally"}) own(folder);
  REQUIRE(run_in_shell("ip link set lo up").status == 0);
  const PrivateBpffs bpffs;
  TestTun tun(TestTun::Headers::kBare);
  const TempDir home;
  std::filesystem::create_symlink(FLOWTALLY_PROGRAM, home.path / "flowtally");
  // So that an answer that says no is a failure of the command.
  std::ofstream(home.path / ".curlrc") << "fail\nsilent\nshow-error\n";
  const std::string before = "export HOME=" + home.path.string() + " PATH=" + home.path.string() + ":$PATH\n";

  // The token first: the agent reads it when it starts.
  std::size_t next = 0;
  for (; commands[next].find("/etc/flowtally/token") != std::string::npos &&
         commands[next].find("curl") == std::string::npos;
       ++next) {
    INFO(commands[next]);
    CHECK(run_in_shell(before + commands[next]).status == 0);
  }
  REQUIRE(next > 0);
  Program program({"run", "--interval", "200ms", "--no-physical", "--bpffs", bpffs.path(),
                   "--tailscaled-socket", "/nonexistent/socket", "--listen", "127.0.0.1:8473", "--token-file",
                   "/etc/flowtally/token"});
  program.wait_for_output("counting tailscale0");
  send(tun, kPackets);
  wait_until_recorded("curl -sS --unix-socket /run/flowtally/flowtally.sock ", kPackets);
  // The examples name their ends in whole seconds.
  const std::uint64_t recorded = number_in_shell("date +%s");
  wait_until([&] { return number_in_shell("date +%s") > recorded; });
  const std::jthread traffic([&tun](const std::stop_token& stop) {
    for (std::uint32_t at = 0; !stop.stop_requested(); ++at) {
      static_cast<void>(tun.write(numbered(at)));
      ::poll(nullptr, 0, 1);
    }
  });

  for (; next < commands.size(); ++next) {
    INFO(commands[next]);
    const bool follows = commands[next].find("follow") != std::string::npos ||
                         commands[next].find("flowtally tail") != std::string::npos;
    std::ofstream(home.path / "command") << before << commands[next] << '\n';
    const std::string command = "bash -euo pipefail " + (home.path / "command").string();
    // One that follows goes on until it is stopped.
    const std::string run = follows ? "timeout --signal INT 3 " + command + " || test $? = 124" : command;
    Ran ran = run_in_shell(run);
    // A window that has only just begun has nothing to show.
    for (int more = 0; more < 3 && ran.status == 0 && ran.out.empty(); ++more) ran = run_in_shell(run);
    INFO(ran.out);
    CHECK(ran.status == 0);
    CHECK_FALSE(ran.out.empty());
    if (follows) CHECK(ran.out.find("100.64.0.1") != std::string::npos);
  }
  program.signal(SIGTERM);
  CHECK(program.wait() == 0);
}

}  // namespace flowtally::test
