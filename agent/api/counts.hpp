// This file is what the API counts of itself, for the metrics. All of it is written by many threads.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <string_view>

namespace flowtally::api {

/// Why a client did not get what it wanted, by no fault of the agent.
enum class Refusal : std::uint8_t {
  kTooManyConnections,  ///< one user has kConnectionsPerUserMax
  kBusy,                ///< no place among log readers, queries or followers
  kUnauthorized,        ///< TCP without the token
  kLateRequest,         ///< cut: the request did not come
  kStalled,             ///< cut: the client took nothing
};
inline constexpr std::array<std::string_view, 5> kRefusalNames = {"user_connections", "busy", "unauthorized",
                                                                  "request_time", "stall"};

struct Counts {
  /// Answers by the first digit of their status.
  std::array<std::atomic<std::uint64_t>, 6> answers{};
  std::array<std::atomic<std::uint64_t>, kRefusalNames.size()> refusals{};
  std::atomic<std::uint64_t> records_missing{0};  ///< a reader of the API met a gap
  std::atomic<std::uint64_t> answers_broken{0};   ///< ended by an error of ours in the middle
  std::atomic<std::uint64_t> connections{0};      ///< now

  void refused(Refusal why) noexcept {
    refusals[static_cast<std::size_t>(why)].fetch_add(1, std::memory_order_relaxed);
  }
};

}  // namespace flowtally::api
