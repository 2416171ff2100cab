// Goal: versions with different ABIs can follow each other, in either direction, under traffic and whenever
// they are killed, and each packet is in exactly one record. Method: a second build of the whole program, in
// which keys and totals are longer and the ABI's number is one more.
#include <random>
#include <string>
#include <thread>

#include "crash/run/host.hpp"

namespace flowtally::test {
namespace {

constexpr const char* kThis = nullptr;  // the program as it is shipped
constexpr const char* kNext = FLOWTALLY_NEXT_ABI;

void check(const Host& host, std::uint32_t written) {
  const Counted counted = host.journal();
  check_no_hole(counted);
  CHECK(counted.all == written);
  CHECK(counted.totals.rx_packets == written);
}

}  // namespace

TEST_CASE("an upgrade and a downgrade under traffic lose nothing", "[crash]") {
  enter_fresh_namespace();
  Host host;
  Program first(host.run_arguments());
  first.wait_for_output("counting tailscale0");
  Writer writer(host.tun(), 0);
  const std::uint32_t begun = writer.next() + 20000;
  while (writer.next() < begun) std::this_thread::yield();
  first.signal(SIGTERM);
  CHECK(first.wait() == 0);
  for (const char* const version : {kNext, kNext, kThis, kNext, kThis, kThis}) {
    Program next(host.run_arguments(), {}, version);
    next.wait_for_output("as it was counted all the time");
    const std::uint32_t enough = writer.next() + 20000;
    while (writer.next() < enough) std::this_thread::yield();
    next.signal(SIGTERM);
    CHECK(next.wait() == 0);
    CHECK(next.err().find("does not add up") == std::string::npos);
  }
  const std::uint32_t written = writer.stop();
  host.run_to_a_good_end();
  check(host, written);
}

TEST_CASE("killed at random instants of an upgrade or a downgrade, nothing is lost or doubled", "[crash]") {
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
  std::uniform_int_distribution<std::uint32_t> life_packets(0, 80'000);
  std::bernoulli_distribution is_next(0.5);
  for (int round = 0; round < 25; ++round) {
    Program program(host.run_arguments(), {}, is_next(random) ? kNext : kThis);
    const std::uint32_t last = writer.next() + life_packets(random);
    while (writer.next() < last) std::this_thread::yield();
    program.signal(SIGKILL);
    CHECK(program.wait() == 128 + SIGKILL);
  }
  const std::uint32_t written = writer.stop();
  host.run_to_a_good_end();
  check(host, written);
}

}  // namespace flowtally::test
