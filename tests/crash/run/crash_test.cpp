// Goal: whatever instant the program is killed at, after a restart each packet is in exactly one record of
// the journal, and no record is there twice. Method: traffic goes on all the time while the program is
// killed, at each place of its loop and at random, and started again. At the end the traffic stops, one more
// run writes what is left, and the journal must hold packets 0 to the last one written, each once.
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>
#include <thread>

#include "crash/run/host.hpp"
#include "net/capture/node.hpp"
#include "net/run/numbered_traffic.hpp"
#include "support/catch.hpp"
#include "support/process.hpp"

namespace flowtally::test {
namespace {

/// Long enough for many rounds; CI takes the short time.
std::chrono::seconds random_kills_for() {
  const char* const wanted = std::getenv("FLOWTALLY_CRASH_SECONDS");
  int seconds = 15;
  if (wanted != nullptr) std::from_chars(wanted, wanted + std::strlen(wanted), seconds);
  return std::chrono::seconds(seconds);
}

}  // namespace

TEST_CASE("killed at each place of its loop under traffic, each packet is in exactly one record", "[crash]") {
  enter_fresh_namespace();
  Host host;
  {
    Program first(host.run_arguments(), {}, FLOWTALLY_MORTAL);
    first.wait_for_output("counting tailscale0");
    first.signal(SIGKILL);
    CHECK(first.wait() == 128 + SIGKILL);
  }
  Writer writer(host.tun(), 0);
  for (int round = 0; round < 2; ++round) {
    for (const char* const where : {"drained", "append", "appended", "clear", "cleared", "drained:2",
                                    "append:3", "appended:2", "clear:3", "cleared:2"}) {
      INFO(where);
      Program program(host.run_arguments(), {std::string("FLOWTALLY_KILL_AT=") + where}, FLOWTALLY_MORTAL);
      CHECK(program.wait() == 128 + SIGKILL);
    }
  }
  const std::uint32_t written = writer.stop();
  host.run_to_a_good_end();
  const Counted counted = host.journal();
  check_no_hole(counted);
  CHECK(counted.all == written);
}

TEST_CASE("killed at random instants under traffic, each packet is in exactly one record", "[crash]") {
  enter_fresh_namespace();
  Host host;
  {
    Program first(host.run_arguments());
    first.wait_for_output("counting tailscale0");
    first.signal(SIGKILL);
    CHECK(first.wait() == 128 + SIGKILL);
  }
  Writer writer(host.tun(), 0);
  std::mt19937 random(std::random_device{}());
  std::uniform_int_distribution<std::uint32_t> life_packets(0, 150'000);  // up to a second or so
  const auto end = std::chrono::steady_clock::now() + random_kills_for();
  int kills = 0;
  // On a slow machine the time is over after few.
  for (; kills < 6 || std::chrono::steady_clock::now() < end; ++kills) {
    Program program(host.run_arguments());
    const std::uint32_t last = writer.next() + life_packets(random);
    while (writer.next() < last) std::this_thread::yield();
    program.signal(SIGKILL);
    CHECK(program.wait() == 128 + SIGKILL);
  }
  const std::uint32_t written = writer.stop();
  host.run_to_a_good_end();
  const Counted counted = host.journal();
  INFO(kills << " kills, " << written << " packets, " << counted.records << " records");
  check_no_hole(counted);
  CHECK(counted.all == written);
}

TEST_CASE("stopped and started again under traffic nothing is missing; detach leaves nothing", "[crash]") {
  enter_fresh_namespace();
  Host host;
  {
    Program first(host.run_arguments());
    first.wait_for_output("counting tailscale0");
    Writer writer(host.tun(), 0);
    for (int round = 0; round < 3; ++round) {
      if (round == 0) {
        first.signal(SIGTERM);
        CHECK(first.wait() == 0);
      }
      Program next(host.run_arguments());
      next.wait_for_output("as it was counted all the time");
      next.signal(SIGTERM);
      CHECK(next.wait() == 0);
    }
    const std::uint32_t written = writer.stop();
    host.run_to_a_good_end();
    const Counted counted = host.journal();
    check_no_hole(counted);
    CHECK(counted.all == written);
  }
  CHECK(host.bpffs().entries() > 0);
  Program detach({"detach", "--bpffs", host.bpffs().path()});
  CHECK(detach.wait() == 0);
  CHECK(detach.out().find("removed ") != std::string::npos);
  CHECK(host.bpffs().entries() == 0);
}

}  // namespace flowtally::test
