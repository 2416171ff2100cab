// Goal: whatever an agent that was taken over sends, the capturer reads a request within its limits or none.
// Method: libFuzzer on the bytes of a channel; what was read is written and read again.
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/check.hpp"
#include "channel/values.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace flowtally;
  channel::MemoryReader reader(std::as_bytes(std::span(data, size)));
  while (const auto request = channel::read_request(reader)) {
    const capture::CaptureOptions& options = request->options;
    if (request->command == channel::Command::kOpen) {
      FLOWTALLY_CHECK(!options.interface.empty() && options.interface.size() <= channel::kInterfaceBytesMax);
      FLOWTALLY_CHECK(options.interface.find('/') == std::string::npos);
      FLOWTALLY_CHECK(options.flows_max >= 1 && options.flows_max <= channel::kFlowsMaxMax);
      FLOWTALLY_CHECK(options.underlay.interfaces.size() <= channel::kUnderlaysMax);
      FLOWTALLY_CHECK(options.bpffs.empty() || options.bpffs.front() == '/');
      FLOWTALLY_CHECK(options.lock_wait <= channel::kLockWaitMax);
    }
    FLOWTALLY_CHECK(request->bpffs.empty() || request->bpffs.front() == '/');
    FLOWTALLY_CHECK(request->udp_ports.size() <= channel::kPortsMax);
    channel::MemoryWriter writer;
    channel::write_request(writer, *request);
    channel::MemoryReader again(writer.bytes());
    const auto read = channel::read_request(again);
    FLOWTALLY_CHECK(read.has_value() && again.left() == 0);
    FLOWTALLY_CHECK(read->command == request->command && read->udp_ports == request->udp_ports);
    FLOWTALLY_CHECK(read->bpffs == request->bpffs);
    FLOWTALLY_CHECK(read->options.interface == options.interface && read->options.bpffs == options.bpffs);
  }
  return 0;
}
