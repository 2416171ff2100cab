#include "channel/values.hpp"

#include <algorithm>
#include <utility>

namespace flowtally::channel {
namespace {

using capture::AttachMode;

void write_flag(Writer& writer, bool flag) { writer.value(static_cast<std::uint8_t>(flag ? 1 : 0)); }

void write_options(Writer& writer, const capture::CaptureOptions& options) {
  writer.text(options.interface);
  writer.value(options.flows_max);
  write_flag(writer, options.exclude);
  writer.value(static_cast<std::uint8_t>(options.mode));
  write_flag(writer, options.take_off_drops);
  write_flag(writer, options.underlay.enabled);
  const std::size_t devices = std::min<std::size_t>(options.underlay.interfaces.size(), kUnderlaysMax);
  writer.value(static_cast<std::uint8_t>(devices));
  for (std::size_t at = 0; at < devices; ++at) writer.text(options.underlay.interfaces[at]);
  writer.text(options.bpffs);
  write_flag(writer, options.fresh);
  writer.value(static_cast<std::uint32_t>(options.lock_wait.count()));
}

bool is_device_name(const std::string& name) {
  return !name.empty() && name != "." && name != ".." && name.find('/') == std::string::npos;
}

bool read_bpffs(Reader& reader, std::string& path) {
  return reader.text(path, kPathBytesMax) && (path.empty() || path.front() == '/');
}

bool read_options(Reader& reader, capture::CaptureOptions& options) {
  std::uint8_t mode = 0;
  std::uint8_t devices = 0;
  std::uint32_t wait_ms = 0;
  if (!reader.text(options.interface, kInterfaceBytesMax) || !is_device_name(options.interface)) return false;
  if (!reader.value(options.flows_max) || options.flows_max == 0 || options.flows_max > kFlowsMaxMax)
    return false;
  if (!reader.flag(options.exclude) || !reader.value(mode) ||
      mode > static_cast<std::uint8_t>(AttachMode::kClsact))
    return false;
  options.mode = static_cast<AttachMode>(mode);
  if (!reader.flag(options.take_off_drops) || !reader.flag(options.underlay.enabled)) return false;
  if (!reader.value(devices) || devices > kUnderlaysMax) return false;
  for (std::uint8_t at = 0; at < devices; ++at) {
    std::string& name = options.underlay.interfaces.emplace_back();
    if (!reader.text(name, kInterfaceBytesMax) || !is_device_name(name)) return false;
  }
  if (!read_bpffs(reader, options.bpffs) || !reader.flag(options.fresh)) return false;
  if (!reader.value(wait_ms) || wait_ms > kLockWaitMax.count()) return false;
  options.lock_wait = std::chrono::milliseconds(wait_ms);
  return true;
}

bool read_sockets(Reader& reader, Request& request) {
  std::uint8_t ports = 0;
  if (!reader.flag(request.marked) || !reader.value(ports) || ports > kPortsMax) return false;
  request.udp_ports.resize(ports);
  for (std::uint16_t& port : request.udp_ports) {
    if (!reader.value(port)) return false;
  }
  return true;
}

}  // namespace

void write_request(Writer& writer, const Request& request) {
  writer.value(static_cast<std::uint8_t>(request.command));
  if (request.command == Command::kOpen) write_options(writer, request.options);
  if (request.command == Command::kConfine) writer.text(request.bpffs);
  if (request.command == Command::kSockets) {
    write_flag(writer, request.marked);
    const std::size_t ports = std::min<std::size_t>(request.udp_ports.size(), kPortsMax);
    writer.value(static_cast<std::uint8_t>(ports));
    for (std::size_t at = 0; at < ports; ++at) writer.value(request.udp_ports[at]);
  }
}

std::optional<Request> read_request(Reader& reader) {
  Request request;
  std::uint8_t command = 0;
  if (!reader.value(command) || command < static_cast<std::uint8_t>(Command::kOpen) ||
      command > static_cast<std::uint8_t>(Command::kConfine))
    return std::nullopt;
  request.command = static_cast<Command>(command);
  if (request.command == Command::kOpen && !read_options(reader, request.options)) return std::nullopt;
  if (request.command == Command::kConfine && !read_bpffs(reader, request.bpffs)) return std::nullopt;
  if (request.command == Command::kSockets && !read_sockets(reader, request)) return std::nullopt;
  return request;
}

void write_error(Writer& writer, const base::Error& error) {
  writer.value(error.code());
  // The remedy goes by itself, so that nobody at the other end says it twice.
  std::string text = error.text();
  const std::string& remedy = error.remedy();
  if (!remedy.empty()) text.resize(text.size() - remedy.size() - 3);  // ". " in front of it, "." behind it
  writer.text(text);
  writer.text(remedy);
}

std::optional<base::Error> read_error(Reader& reader) {
  base::ErrorCode code{};
  std::string text;
  std::string remedy;
  if (!reader.value(code) || !reader.text(text) || !reader.text(remedy)) return std::nullopt;
  base::Error error(code, std::move(text));
  if (!remedy.empty()) error = std::move(error).advise(std::move(remedy));
  return error;
}

void write_events(Writer& writer, const std::vector<capture::Event>& events) {
  writer.value(static_cast<std::uint32_t>(events.size()));
  for (const capture::Event& event : events) {
    writer.value(event.kind);
    writer.text(event.text);
  }
}

std::optional<std::vector<capture::Event>> read_events(Reader& reader) {
  std::uint32_t size = 0;
  if (!reader.value(size)) return std::nullopt;
  std::vector<capture::Event> events;
  for (std::uint32_t at = 0; at < size; ++at) {
    capture::Event& event = events.emplace_back();
    if (!reader.value(event.kind) || !reader.text(event.text)) return std::nullopt;
  }
  return events;
}

void write_generation(Writer& writer, const model::Generation& generation) {
  writer.value(generation.epoch);
  writer.value(generation.start);
  writer.value(generation.end);
  writer.list(generation.flows4);
  writer.list(generation.flows6);
  writer.list(generation.coarse);
  writer.list(generation.rest);
  writer.value(generation.totals);
  writer.list(generation.physical);
  writer.value(generation.underlay);
}

std::optional<model::Generation> read_generation(Reader& reader) {
  std::optional<model::Generation> read(std::in_place);
  const bool whole = reader.value(read->epoch) && reader.value(read->start) && reader.value(read->end) &&
                     reader.list(read->flows4) && reader.list(read->flows6) && reader.list(read->coarse) &&
                     reader.list(read->rest) && reader.value(read->totals) && reader.list(read->physical) &&
                     reader.value(read->underlay);
  if (!whole) read.reset();
  return read;
}

void write_standing(Writer& writer, const Standing& standing) {
  const capture::Status& status = standing.status;
  write_flag(writer, status.attached);
  write_flag(writer, status.adopted);
  writer.text(status.attached_by);
  writer.value(status.ifindex);
  writer.value(status.attached_since);
  writer.text(status.failure);
  writer.value(status.epoch);
  writer.value(status.capacity);
  write_flag(writer, status.drops_taken_off);
  writer.value(status.gaps);
  writer.value(status.uncounted_ns);
  write_flag(writer, standing.backlog);
}

std::optional<Standing> read_standing(Reader& reader) {
  Standing standing;
  capture::Status& status = standing.status;
  const bool whole =
      reader.flag(status.attached) && reader.flag(status.adopted) && reader.text(status.attached_by) &&
      reader.value(status.ifindex) && reader.value(status.attached_since) && reader.text(status.failure) &&
      reader.value(status.epoch) && reader.value(status.capacity) && reader.flag(status.drops_taken_off) &&
      reader.value(status.gaps) && reader.value(status.uncounted_ns) && reader.flag(standing.backlog);
  if (!whole) return std::nullopt;
  return standing;
}

}  // namespace flowtally::channel
