// Goal: what counts outlives the agent. Whatever instant it is killed at, the next one gives each packet in
// exactly one generation, if it asks those that keep records which generations they have.
// Method: children are capturers that kill themselves at one step of a drain, while the test goes on sending;
// what a child would have written down stands in memory that both share.
#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include <fmt/format.h>
#include <net/if.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.hpp"
#include "capture/clsact.hpp"
#include "capture/kernel_check.hpp"
#include "capture/leftovers.hpp"
#include "flow/window_maker.hpp"
#include "net/capture/node.hpp"
#include "net/capture/underlay_net.hpp"
#include "support/catch.hpp"
#include "support/packet_builder.hpp"
#include "support/private_bpffs.hpp"

namespace flowtally::test {
namespace {

support::Bytes datagram(std::uint16_t port) {
  return support::packet().ipv4("100.64.0.2", "100.64.0.1").udp(53, port).payload(60).bytes();
}

std::vector<capture::AttachMode> modes_of_this_kernel() {
  constexpr capture::KernelVersion kTcxSince{.major = 6, .minor = 6};
  if (capture::running_kernel() < kTcxSince) return {capture::AttachMode::kClsact};
  return {capture::AttachMode::kTcx, capture::AttachMode::kClsact};
}

/// A bare TUN, and how many packets to which port were written into it.
class Sender {
 public:
  void send(std::uint16_t port, std::uint64_t packets = 1) {
    for (std::uint64_t packet = 0; packet < packets; ++packet) REQUIRE(tun_.write(datagram(port)) == 0);
    sent_[port] += packets;
  }
  [[nodiscard]] const std::map<std::uint16_t, std::uint64_t>& sent() const noexcept { return sent_; }
  [[nodiscard]] std::uint64_t total() const {
    std::uint64_t sum = 0;
    for (const auto& [port, packets] : sent_) sum += packets;
    return sum;
  }

 private:
  TestTun tun_{TestTun::Headers::kBare};
  std::map<std::uint16_t, std::uint64_t> sent_;
};

std::map<std::uint16_t, std::uint64_t> by_port(const model::Window& window) {
  std::map<std::uint16_t, std::uint64_t> ports;
  for (const model::Flow& flow : window.flows) {
    if (flow.counters.rx_packets > 0) ports[flow.local.port] += flow.counters.rx_packets;
  }
  return ports;
}

/// What is written down of windows, in memory that children share: it survives them as a journal would.
struct Journal {
  static constexpr std::size_t kPorts = 4096;
  std::uint64_t last_epoch;
  std::uint64_t total;  ///< packets, those without a flow of their own included
  std::uint64_t packets[kPorts];

  void append(const model::Window& window) {
    FLOWTALLY_CHECK(window.epoch > last_epoch && window.conserved());
    for (const auto& [port, count] : by_port(window)) packets[port] += count;
    total += window.totals.hook.rx_packets;
    last_epoch = window.epoch;
  }
};

class SharedJournal {
 public:
  SharedJournal()
      : journal_(static_cast<Journal*>(
            ::mmap(nullptr, sizeof(Journal), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0))) {}
  ~SharedJournal() { ::munmap(journal_, sizeof(Journal)); }
  SharedJournal(const SharedJournal&) = delete;
  SharedJournal& operator=(const SharedJournal&) = delete;
  [[nodiscard]] Journal& operator*() const noexcept { return *journal_; }
  [[nodiscard]] Journal* operator->() const noexcept { return journal_; }

 private:
  Journal* journal_;
};

/// What an agent does at each interval: what is written down already is only cleared.
void drain_into(capture::Capturer& capturer, Journal& journal) {
  const auto generation = capturer.drain();
  FLOWTALLY_CHECK(generation.has_value());
  if ((*generation)->epoch > journal.last_epoch) journal.append(flow::make_window(**generation));
  FLOWTALLY_CHECK(capturer.acknowledge().has_value());
}

/// Runs `body` in a child, which it must end with a SIGKILL to itself.
void in_killed_child(const std::function<void()>& body) {
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    body();
    ::_exit(1);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(WIFSIGNALED(status));
  REQUIRE(WTERMSIG(status) == SIGKILL);
}

[[noreturn]] void die() {
  ::kill(::getpid(), SIGKILL);
  std::abort();
}

/// For children: no assertions, no output.
std::unique_ptr<capture::Capturer> must_open(const capture::CaptureOptions& options) {
  auto capturer = capture::Capturer::open(options);
  FLOWTALLY_CHECK(capturer.has_value());
  static_cast<void>((*capturer)->look_at_interface());
  FLOWTALLY_CHECK((*capturer)->status().attached);
  return std::move(*capturer);
}

}  // namespace

TEST_CASE("what passes while no agent is there is in the next one's first window", "[net]") {
  for (const auto mode : modes_of_this_kernel()) {
    enter_fresh_namespace();
    const PrivateBpffs bpffs;
    Sender sender;
    const capture::CaptureOptions options{.mode = mode, .bpffs = bpffs.path()};
    std::uint64_t epoch = 0;
    {
      const auto capturer = start_capture(options);
      CHECK_FALSE(capturer->status().adopted);
      sender.send(1, 10);
      CHECK(by_port(drain(*capturer)) == sender.sent());
      sender.send(2, 20);
      epoch = capturer->status().epoch;
    }
    sender.send(3, 30);
    const auto capturer = start_capture(options);
    CHECK(capturer->status().adopted);
    CHECK(capturer->status().epoch == epoch);
    sender.send(4, 40);
    const model::Window window = drain(*capturer);
    CHECK(window.epoch == epoch);
    CHECK(by_port(window) == std::map<std::uint16_t, std::uint64_t>{{2, 20}, {3, 30}, {4, 40}});
    CHECK(drain(*capturer).idle());
  }
}

TEST_CASE("killed at any step of a drain, each packet is in exactly one window of the next agent", "[net]") {
  // Each step is where the child kills itself; the packets sent before, in between and after are told apart
  // by their ports.
  enum Step { kOpened, kDrained, kWritten, kCleared, kSecondDrained, kSteps };
  for (const auto mode : modes_of_this_kernel()) {
    enter_fresh_namespace();
    const PrivateBpffs bpffs;
    Sender sender;
    const SharedJournal journal;
    const capture::CaptureOptions options{.mode = mode, .bpffs = bpffs.path()};
    in_killed_child([&] {
      const auto capturer = must_open(options);
      die();
    });
    std::uint16_t port = 1;
    for (int round = 0; round < 4; ++round) {
      for (int step = kOpened; step < kSteps; ++step) {
        sender.send(port++, 3);
        in_killed_child([&] {
          const auto capturer = must_open(options);
          if (step == kOpened) die();
          const auto generation = capturer->drain();
          FLOWTALLY_CHECK(generation.has_value());
          if (step == kDrained) die();
          if ((*generation)->epoch > journal->last_epoch) journal->append(flow::make_window(**generation));
          if (step == kWritten) die();
          FLOWTALLY_CHECK(capturer->acknowledge().has_value());
          if (step == kCleared) die();
          FLOWTALLY_CHECK(capturer->drain().has_value());
          die();
        });
        sender.send(port++, 2);
      }
    }
    const auto capturer = start_capture(options);
    CHECK(capturer->status().adopted);
    while (capturer->has_backlog()) drain_into(*capturer, *journal);
    drain_into(*capturer, *journal);
    std::map<std::uint16_t, std::uint64_t> counted;
    for (std::uint16_t at = 1; at < Journal::kPorts; ++at) {
      if (journal->packets[at] > 0) counted[at] = journal->packets[at];
    }
    CHECK(counted == sender.sent());
  }
}

TEST_CASE("killed while it clears or enlarges a table, the next agent finds the maps that are in place",
          "[net]") {
  enter_fresh_namespace();
  const PrivateBpffs bpffs;
  Sender sender;
  const SharedJournal journal;
  const capture::CaptureOptions options{.flows_max = 16384, .bpffs = bpffs.path()};
  in_killed_child([&] {
    const auto capturer = must_open(options);
    die();
  });
  // Enough flows that tables are made anew, larger; a kill some microseconds into the clearing.
  for (int delay_us = 0; delay_us < 4000; delay_us += 250) {
    for (std::uint16_t port = 1; port < 3000; ++port) sender.send(port);
    in_killed_child([&] {
      const auto capturer = must_open(options);
      const auto generation = capturer->drain();
      FLOWTALLY_CHECK(generation.has_value());
      if ((*generation)->epoch > journal->last_epoch) journal->append(flow::make_window(**generation));
      const pid_t killed = ::getpid();
      const pid_t killer = ::fork();
      if (killer == 0) {
        // It outlives the other by a moment, and must not hold the lock then.
        ::close_range(3, ~0U, 0);
        const auto end = std::chrono::steady_clock::now() + std::chrono::microseconds(delay_us);
        while (std::chrono::steady_clock::now() < end) continue;
        ::kill(killed, SIGKILL);
        ::_exit(0);
      }
      FLOWTALLY_CHECK(capturer->acknowledge().has_value());
      for (;;) ::pause();
    });
  }
  const auto capturer = start_capture(options);
  while (capturer->has_backlog()) drain_into(*capturer, *journal);
  drain_into(*capturer, *journal);
  CHECK(journal->total == sender.total());
}

TEST_CASE(
    "a device that went while no agent was there gives what it had counted, and its successor is counted",
    "[net]") {
  for (const auto mode : modes_of_this_kernel()) {
    enter_fresh_namespace();
    const PrivateBpffs bpffs;
    const capture::CaptureOptions options{.mode = mode, .bpffs = bpffs.path()};
    {
      Sender sender;
      const auto capturer = start_capture(options);
      sender.send(1, 10);
    }
    Sender sender;
    sender.send(2, 5);  // nobody counts these
    const auto capturer = start_capture(options);
    sender.send(3, 7);
    CHECK(by_port(drain(*capturer)) == std::map<std::uint16_t, std::uint64_t>{{1, 10}, {3, 7}});
  }
}

TEST_CASE("an underlay that is not counted any more loses the programs that an earlier run left on it",
          "[net]") {
  for (const auto mode : modes_of_this_kernel()) {
    const Wire wire;
    wire.give_addresses();
    const PrivateBpffs bpffs;
    const Sender sender;
    capture::CaptureOptions options{
        .mode = mode, .underlay = {.enabled = true, .interfaces = {"under0"}}, .bpffs = bpffs.path()};
    const auto run = [&options] {
      auto capturer = capture::Capturer::open(options);
      REQUIRE(capturer);
      static_cast<void>(look(**capturer));
    };
    const unsigned device = ::if_nametoindex("under0");
    const auto filters = [device] {
      const auto index = static_cast<capture::IfIndex>(device);
      return capture::bpf_filters(index, capture::Direction::kTx)->size() +
             capture::bpf_filters(index, capture::Direction::kRx)->size();
    };
    const std::size_t ours = mode == capture::AttachMode::kClsact ? 2 : 0;
    run();
    CHECK(filters() == ours);
    run();
    CHECK(filters() == ours);
    options.underlay.enabled = false;
    run();
    CHECK(filters() == 0);
    // What is under abiN is maps, which wait to be drained.
    for (const auto& pin : std::filesystem::recursive_directory_iterator(bpffs.folder())) {
      INFO(pin.path().string());
      const bool map = pin.path().string().find("/abi") != std::string::npos;
      CHECK((map || !pin.path().filename().string().starts_with("under")));
    }
  }
}

TEST_CASE("what is detached and drained leaves no pin; what was not drained waits for the next run",
          "[net]") {
  enter_fresh_namespace();
  const PrivateBpffs bpffs;
  const capture::CaptureOptions options{.bpffs = bpffs.path()};
  Sender sender;
  {
    const auto capturer = start_capture(options);
    sender.send(1, 10);
    capturer->detach();
  }
  {
    const auto capturer = start_capture(options);
    CHECK(by_port(drain(*capturer)) == sender.sent());
    capturer->detach();
    CHECK(drain(*capturer).idle());
  }
  CHECK(bpffs.entries() == 0);
}

TEST_CASE("one agent at a time has the pins; a fresh start and the removal of leftovers leave nothing behind",
          "[net]") {
  for (const auto mode : modes_of_this_kernel()) {
    enter_fresh_namespace();
    const PrivateBpffs bpffs;
    Sender sender;
    const auto before = programs_loaded();
    capture::CaptureOptions options{.mode = mode, .bpffs = bpffs.path()};
    {
      const auto capturer = start_capture(options);
      const auto second = capture::Capturer::open(options);
      REQUIRE_FALSE(second);
      CHECK(second.error().code() == base::ErrorCode::kResource);
      CHECK(capture::remove_leftovers(bpffs.path()).error().code() == base::ErrorCode::kResource);
      sender.send(1, 10);
    }
    {
      options.fresh = true;
      const auto capturer = start_capture(options);
      CHECK_FALSE(capturer->status().adopted);
      sender.send(2, 5);
      CHECK(by_port(drain(*capturer)) == std::map<std::uint16_t, std::uint64_t>{{2, 5}});
    }
    const auto removed = capture::remove_leftovers(bpffs.path());
    REQUIRE(removed);
    CHECK(removed->pins.size() == 1);
    CHECK(removed->filters == (mode == capture::AttachMode::kClsact ? 2 : 0));
    CHECK(bpffs.entries() == 0);
    CHECK(new_programs_go(before));
  }
}

TEST_CASE("maps of several versions are drained in the order of their numbers, whoever counted last",
          "[net]") {
  // Maps of the same ABI, set aside as those of another version are: what reads them does not know the
  // difference.
  for (const auto mode : modes_of_this_kernel()) {
    enter_fresh_namespace();
    const PrivateBpffs bpffs;
    Sender sender;
    const capture::CaptureOptions options{.mode = mode, .bpffs = bpffs.path()};
    const auto count_and_leave = [&](std::uint16_t port, bool retire) {
      const auto capturer = start_capture(options);
      sender.send(port, 10);
      if (retire) REQUIRE(capturer->drain());
      sender.send(static_cast<std::uint16_t>(port + 1), 5);
    };
    const auto maps_folder = [&] {
      for (const auto& entry : std::filesystem::recursive_directory_iterator(bpffs.folder())) {
        const std::string name = entry.path().filename().string();
        if (name.starts_with("abi") && name.find("closed") == std::string::npos) return entry.path();
      }
      return std::filesystem::path{};
    };
    count_and_leave(1, true);
    const std::filesystem::path own = maps_folder();
    REQUIRE_FALSE(own.empty());
    const std::filesystem::path first = bpffs.path() + "/first";  // where nobody looks for it
    std::filesystem::rename(own, first);
    count_and_leave(3, true);
    // The first counts on beside the second, which is above it and was never told that it is over.
    std::filesystem::rename(own, own.string() + "-second");
    std::filesystem::rename(first, own);

    const SharedJournal journal;
    {
      const auto capturer = start_capture(options);
      sender.send(5, 10);
      CHECK(capturer->has_backlog());
      for (int turn = 0; turn < 2; ++turn) drain_into(*capturer, *journal);
      REQUIRE(capturer->drain());  // and not acknowledged: the next one gives it again
      sender.send(6, 10);
    }
    // What was taken over has been set aside, so that nobody goes on counting in it.
    int aside = 0;
    for (const auto& entry : std::filesystem::directory_iterator(own.parent_path())) {
      aside += entry.path().filename().string().find("-closed-") != std::string::npos ? 1 : 0;
    }
    CHECK(aside == 1);
    {
      const auto capturer = start_capture(options);
      sender.send(7, 10);
      while (capturer->has_backlog()) drain_into(*capturer, *journal);
      drain_into(*capturer, *journal);
      for (const auto& [port, packets] : sender.sent()) {
        INFO(port);
        CHECK(journal->packets[port] == packets);
      }
      CHECK(journal->total == sender.total());
      capturer->detach();
      drain_into(*capturer, *journal);
    }
    CHECK(bpffs.entries() == 0);
  }
}

TEST_CASE("pins can be opened by their owner only", "[net]") {
  enter_fresh_namespace();
  const PrivateBpffs bpffs;
  Sender sender;
  const auto capturer = start_capture({.bpffs = bpffs.path()});
  for (const auto& entry : std::filesystem::recursive_directory_iterator(bpffs.folder())) {
    if (!entry.is_directory()) continue;
    CHECK((entry.status().permissions() & std::filesystem::perms::mask) == std::filesystem::perms::owner_all);
  }
}

/// A folder of somebody else's with a file in it, which is to stay as it is.
class Victim {
 public:
  Victim() {
    char path[] = "/tmp/flowtally-victim-XXXXXX";
    REQUIRE(::mkdtemp(path) != nullptr);
    path_ = path;
    std::ofstream(path_ / "precious") << "x";
    std::filesystem::permissions(path_, kOpen);
  }
  ~Victim() { std::filesystem::remove_all(path_); }
  Victim(const Victim&) = delete;
  Victim& operator=(const Victim&) = delete;
  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }
  [[nodiscard]] bool untouched() const {
    const auto mode = std::filesystem::status(path_).permissions() & std::filesystem::perms::mask;
    return std::filesystem::exists(path_ / "precious") && mode == kOpen;
  }

 private:
  static constexpr auto kOpen = static_cast<std::filesystem::perms>(0755);
  std::filesystem::path path_;
};

/// Neither a start, fresh or not, nor the removal of leftovers does anything with what is there.
void check_refused(const PrivateBpffs& bpffs) {
  for (const bool fresh : {false, true}) {
    const auto opened = capture::Capturer::open({.bpffs = bpffs.path(), .fresh = fresh});
    REQUIRE_FALSE(opened);
    CHECK(opened.error().code() == base::ErrorCode::kPermission);
    CHECK(opened.error().text().find("mode=0700") != std::string::npos);
  }
  const auto removed = capture::remove_leftovers(bpffs.path());
  REQUIRE_FALSE(removed);
  CHECK(removed.error().code() == base::ErrorCode::kPermission);
}

TEST_CASE(
    "what another put where pins belong is neither followed nor taken: a BPF file system is open to all",
    "[net]") {
  enter_fresh_namespace();
  const PrivateBpffs bpffs;
  const Victim victim;
  const std::filesystem::path folder = bpffs.folder();

  std::filesystem::create_directory_symlink(victim.path(), folder);
  check_refused(bpffs);
  CHECK(victim.untouched());
  std::filesystem::remove(folder);

  constexpr uid_t kNobody = 65534;
  std::filesystem::create_directory(folder);
  REQUIRE(::chown(folder.c_str(), kNobody, kNobody) == 0);
  check_refused(bpffs);
  REQUIRE(::chown(folder.c_str(), 0, 0) == 0);

  // Of this namespace and device, and of any: the first is what a run opens, all are what a removal opens.
  struct stat netns{};
  REQUIRE(::stat("/proc/thread-self/ns/net", &netns) == 0);
  const std::filesystem::path link = folder / fmt::format("{}-tailscale0", netns.st_ino);
  std::filesystem::create_directory_symlink(victim.path(), link);
  check_refused(bpffs);
  CHECK(victim.untouched());
  std::filesystem::remove(link);

  // In a directory of ours what is no pin is removed as what it is: the link, not what it leads to.
  const Sender device;
  {
    const auto capturer = start_capture({.bpffs = bpffs.path()});
  }
  REQUIRE(std::filesystem::is_directory(link));
  std::filesystem::create_directory_symlink(victim.path(), link / "more");
  CHECK(capture::remove_leftovers(bpffs.path()));
  CHECK(victim.untouched());
  CHECK(bpffs.entries() == 0);
}

}  // namespace flowtally::test
