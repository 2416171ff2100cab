// This file has what the agent asks of the capturer, and the values of capture as bytes. The capturer does
// not trust the agent: what it reads of it is within limits or refused.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "capture/capture.hpp"
#include "channel/bytes.hpp"
#include "model/generation.hpp"

namespace flowtally::channel {

/// Each is a function of capture::Capture; open begins one and close ends it. Confine comes first and once,
/// while who asks still is whom the operator started.
enum class Command : std::uint8_t {
  kOpen = 1,
  kClose,
  kLook,
  kTake,
  kDrain,
  kAcknowledge,
  kPeek,
  kSockets,
  kDetach,
  kConfine,
};

/// Of one question.
struct Request {
  Command command{};
  capture::CaptureOptions options{};       ///< of kOpen
  std::string bpffs{};                     ///< of kConfine
  std::vector<std::uint16_t> udp_ports{};  ///< of kSockets
  bool marked = false;                     ///< of kSockets
};

inline constexpr std::uint32_t kInterfaceBytesMax = 15;  ///< IFNAMSIZ without its end
inline constexpr std::uint8_t kUnderlaysMax = 64;
inline constexpr std::uint8_t kPortsMax = 64;
inline constexpr std::uint32_t kPathBytesMax = 4096;
inline constexpr std::uint32_t kFlowsMaxMax = 1U << 24U;
inline constexpr std::chrono::milliseconds kLockWaitMax{60'000};

/// Lists beyond the limits are cut.
void write_request(Writer& writer, const Request& request);
/// Nothing: the end of the stream, or what no agent of ours would ask.
[[nodiscard]] std::optional<Request> read_request(Reader& reader);

/// What stands behind each answer: how things are by then.
struct Standing {
  capture::Status status{};
  bool backlog = false;
};

void write_error(Writer& writer, const base::Error& error);
void write_events(Writer& writer, const std::vector<capture::Event>& events);
void write_generation(Writer& writer, const model::Generation& generation);
void write_standing(Writer& writer, const Standing& standing);

/// Of the capturer, which is trusted. Nothing: it has ended.
[[nodiscard]] std::optional<base::Error> read_error(Reader& reader);
[[nodiscard]] std::optional<std::vector<capture::Event>> read_events(Reader& reader);
[[nodiscard]] std::optional<model::Generation> read_generation(Reader& reader);
[[nodiscard]] std::optional<Standing> read_standing(Reader& reader);

}  // namespace flowtally::channel
