// This file makes real traffic between two network namespaces: sockets at both ends, driven from the calling
// thread, so that every generator is bounded, ends with everything delivered, and can say exactly what it
// did. No generator sends ahead of its receiver by more than one burst, so no queue overflows.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <stop_token>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "demo/net_namespace.hpp"
#include "model/address.hpp"

namespace flowtally::demo {

/// Who talks to whom; the client is at `from`. Both addresses are of one family.
struct Path {
  const NetNamespace& from_space;
  model::Address from;
  const NetNamespace& to_space;
  model::Address to;
};

/// When a generator gives up.
struct TrafficLimits {
  std::chrono::milliseconds deadline{10000};
  std::stop_token stop{};
};

/// What one generator did. Bytes are payload.
struct TrafficReport {
  std::string_view what;  ///< "ping", "TCP bulk"…; static
  model::Address::Family family = model::Address::Family::kNone;
  std::uint64_t sent = 0;      ///< requests, connections or datagrams of the client
  std::uint64_t answered = 0;  ///< answers to them; 0 where none are meant to come
  std::uint64_t bytes_sent = 0;
  std::uint64_t bytes_received = 0;  ///< by the client as answers, or by the server where there are none
};

// Each fails, and says at what step, if anything is lost, wrong, late or stopped.

/// ICMP or ICMPv6 echo requests, one after the other; the other kernel answers.
[[nodiscard]] base::Result<TrafficReport> ping(const Path& path, std::size_t count,
                                               const TrafficLimits& limits);

/// One TCP connection that carries `bytes` from the client to the server, compared byte for byte.
[[nodiscard]] base::Result<TrafficReport> tcp_bulk(const Path& path, std::uint64_t bytes,
                                                   const TrafficLimits& limits);

/// HTTP/1.1 GETs to port 80, a connection each; the answer's body has `body_bytes` (at most 32 KiB) bytes.
[[nodiscard]] base::Result<TrafficReport> http_get(const Path& path, std::size_t count,
                                                   std::size_t body_bytes, const TrafficLimits& limits);

/// DNS queries over UDP to port 53, each answered with one address.
[[nodiscard]] base::Result<TrafficReport> dns_queries(const Path& path, std::size_t count,
                                                      const TrafficLimits& limits);

/// `count` bursts of ten datagrams of 1200 bytes, the last one shorter, each burst handed to the kernel as
/// one (UDP_SEGMENT).
[[nodiscard]] base::Result<TrafficReport> udp_segments(const Path& path, std::size_t count,
                                                       const TrafficLimits& limits);

/// Datagrams of 3000 bytes, which leave as IP fragments.
[[nodiscard]] base::Result<TrafficReport> udp_fragments(const Path& path, std::size_t count,
                                                        const TrafficLimits& limits);

/// How much of each in mixed_traffic(); zero leaves one out.
struct TrafficMix {
  std::size_t pings = 5;
  std::size_t dns_queries = 10;
  std::size_t http_gets = 5;
  std::size_t http_body_bytes = 20000;
  std::size_t udp_bursts = 10;
  std::size_t fragmented_datagrams = 5;
  std::uint64_t tcp_bytes = 10'000'000;
};

/// One after the other; the limits are those of each. Stops at the first failure.
[[nodiscard]] base::Result<std::vector<TrafficReport>> mixed_traffic(const Path& path, const TrafficMix& mix,
                                                                     const TrafficLimits& limits);

}  // namespace flowtally::demo
