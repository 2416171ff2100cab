// Goal: what is written at one end is read at the other, and what no agent would ask is refused.
#include "channel/values.hpp"

#include <string>

#include "support/catch.hpp"

namespace flowtally::test {
namespace {

using channel::Command;
using channel::MemoryReader;
using channel::MemoryWriter;
using channel::Request;

Request open_request() {
  return {.command = Command::kOpen,
          .options = {.interface = "tailscale0",
                      .flows_max = 77,
                      .exclude = false,
                      .mode = capture::AttachMode::kClsact,
                      .take_off_drops = false,
                      .underlay = {.enabled = true, .interfaces = {"eth0", "eth1"}},
                      .bpffs = "/sys/fs/bpf",
                      .fresh = true,
                      .lock_wait = std::chrono::milliseconds(5000)}};
}

std::optional<Request> over(const Request& request) {
  MemoryWriter writer;
  channel::write_request(writer, request);
  MemoryReader reader(writer.bytes());
  auto read = channel::read_request(reader);
  if (read) CHECK(reader.left() == 0);
  return read;
}

}  // namespace

TEST_CASE("a request is read as it was written", "[unit]") {
  const auto opened = over(open_request());
  REQUIRE(opened);
  const capture::CaptureOptions wanted = open_request().options;
  const capture::CaptureOptions& options = opened->options;
  CHECK(options.interface == wanted.interface);
  CHECK(options.flows_max == wanted.flows_max);
  CHECK(options.exclude == wanted.exclude);
  CHECK(options.mode == wanted.mode);
  CHECK(options.take_off_drops == wanted.take_off_drops);
  CHECK(options.underlay.enabled == wanted.underlay.enabled);
  CHECK(options.underlay.interfaces == wanted.underlay.interfaces);
  CHECK(options.bpffs == wanted.bpffs);
  CHECK(options.fresh == wanted.fresh);
  CHECK(options.lock_wait == wanted.lock_wait);

  const auto sockets = over({.command = Command::kSockets, .udp_ports = {41641, 1}, .marked = true});
  REQUIRE(sockets);
  CHECK(sockets->udp_ports == std::vector<std::uint16_t>{41641, 1});
  CHECK(sockets->marked);
  const auto confined = over({.command = Command::kConfine, .bpffs = "/bpf"});
  REQUIRE(confined);
  CHECK(confined->bpffs == "/bpf");
  CHECK_FALSE(over({.command = Command::kConfine, .bpffs = "bpf"}));
  for (const Command command : {Command::kClose, Command::kLook, Command::kTake, Command::kDrain,
                                Command::kAcknowledge, Command::kPeek, Command::kDetach}) {
    CHECK(over({.command = command}).value().command == command);
  }
}

TEST_CASE("a request beyond its limits is refused", "[unit]") {
  const auto refused = [](auto change) {
    Request request = open_request();
    change(request.options);
    return !over(request).has_value();
  };
  CHECK(refused([](auto& options) { options.interface = ""; }));
  CHECK(refused([](auto& options) { options.interface = "a-name-of-16-byte"; }));
  CHECK(refused([](auto& options) { options.interface = "../x"; }));
  CHECK(refused([](auto& options) { options.interface = ".."; }));
  CHECK(refused([](auto& options) { options.interface = std::string("a\0b", 3); }));
  CHECK(refused([](auto& options) { options.flows_max = 0; }));
  CHECK(refused([](auto& options) { options.flows_max = channel::kFlowsMaxMax + 1; }));
  CHECK(refused([](auto& options) { options.mode = static_cast<capture::AttachMode>(3); }));
  CHECK(refused([](auto& options) { options.underlay.interfaces = {"a/b"}; }));
  CHECK(refused([](auto& options) { options.bpffs = "relative"; }));
  CHECK(refused([](auto& options) { options.bpffs = "/" + std::string(channel::kPathBytesMax, 'x'); }));
  CHECK(refused([](auto& options) { options.lock_wait = channel::kLockWaitMax * 2; }));
  CHECK_FALSE(refused([](auto& options) { options.bpffs.clear(); }));
}

TEST_CASE("no beginning of a request is one, and no other command", "[unit]") {
  MemoryWriter writer;
  channel::write_request(writer, open_request());
  const std::span<const std::byte> bytes(writer.bytes());
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    MemoryReader reader(bytes.first(size));
    CHECK_FALSE(channel::read_request(reader));
  }
  for (const int command : {0, 10, 255}) {
    const auto byte = static_cast<std::byte>(command);
    MemoryReader reader(std::span(&byte, 1));
    CHECK_FALSE(channel::read_request(reader));
  }
}

TEST_CASE("an error keeps its words, its code and its advice once", "[unit]") {
  for (const bool advised : {false, true}) {
    base::Error error = base::Error::from_errno(EPERM, "load").during("open");
    if (advised) error = std::move(error).advise("Run as root");
    MemoryWriter writer;
    channel::write_error(writer, error);
    MemoryReader reader(writer.bytes());
    const auto read = channel::read_error(reader);
    REQUIRE(read);
    CHECK(read->text() == error.text());
    CHECK(read->code() == error.code());
    CHECK(read->remedy() == error.remedy());
  }
}

TEST_CASE("a generation, events and the standing are read as they were written", "[unit]") {
  model::Generation generation{
      .epoch = 7, .start = {.boot_ns = 1, .wall_ns = 2}, .end = {.boot_ns = 3, .wall_ns = 4}};
  for (std::uint16_t port = 0; port < 1000; ++port) {
    auto& entry = generation.flows4.emplace_back();
    entry.key.local_port = port;
    entry.counters.tx_packets = port + 1U;
  }
  generation.flows6.resize(3);
  generation.coarse.resize(2);
  generation.rest.push_back({.key = 17, .counters = {.tx_packets = 9}});
  generation.physical.resize(1);
  generation.totals.hook.rx_bytes = 1'000'000'000'000;
  generation.totals.device_dropped = 5;
  generation.underlay.counted = true;
  MemoryWriter writer;
  channel::write_generation(writer, generation);
  channel::write_events(writer, {{.kind = capture::Event::Kind::kGone, .text = "gone"}});
  channel::write_standing(writer, {.status = {.attached = true,
                                              .attached_by = "TCX",
                                              .ifindex = 3,
                                              .failure = "none",
                                              .epoch = 8,
                                              .capacity = {.flows4 = 1024},
                                              .gaps = 2,
                                              .uncounted_ns = 4},
                                   .backlog = true});
  MemoryReader reader(writer.bytes());
  const auto read = channel::read_generation(reader);
  REQUIRE(read);
  CHECK(read->epoch == 7);
  CHECK(read->start == generation.start);
  CHECK(read->end == generation.end);
  REQUIRE(read->flows4.size() == 1000);
  CHECK(read->flows4[999].key.local_port == 999);
  CHECK(read->flows4[999].counters.tx_packets == 1000);
  CHECK(read->flows6.size() == 3);
  CHECK(read->coarse.size() == 2);
  CHECK(read->rest.at(0).counters.tx_packets == 9);
  CHECK(read->physical.size() == 1);
  CHECK(read->totals.hook.rx_bytes == 1'000'000'000'000);
  CHECK(read->totals.device_dropped == 5);
  CHECK(read->underlay == generation.underlay);
  const auto events = channel::read_events(reader);
  REQUIRE(events);
  CHECK(events->at(0).kind == capture::Event::Kind::kGone);
  CHECK(events->at(0).text == "gone");
  const auto standing = channel::read_standing(reader);
  REQUIRE(standing);
  CHECK(standing->status.attached);
  CHECK(standing->status.attached_by == "TCX");
  CHECK(standing->status.ifindex == 3);
  CHECK(standing->status.failure == "none");
  CHECK(standing->status.epoch == 8);
  CHECK(standing->status.capacity.flows4 == 1024);
  CHECK(standing->status.gaps == 2);
  CHECK(standing->status.uncounted_ns == 4);
  CHECK(standing->backlog);
  CHECK(reader.left() == 0);
}

}  // namespace flowtally::test
