#include "demo/traffic.hpp"

#include <functional>

namespace flowtally::demo {

base::Result<std::vector<TrafficReport>> mixed_traffic(const Path& path, const TrafficMix& mix,
                                                       const TrafficLimits& limits) {
  struct Step {
    std::uint64_t amount;
    std::function<base::Result<TrafficReport>()> run;
  };
  const std::vector<Step> steps{
      {mix.pings, [&] { return ping(path, mix.pings, limits); }},
      {mix.dns_queries, [&] { return dns_queries(path, mix.dns_queries, limits); }},
      {mix.http_gets, [&] { return http_get(path, mix.http_gets, mix.http_body_bytes, limits); }},
      {mix.udp_bursts, [&] { return udp_segments(path, mix.udp_bursts, limits); }},
      {mix.fragmented_datagrams, [&] { return udp_fragments(path, mix.fragmented_datagrams, limits); }},
      {mix.tcp_bytes, [&] { return tcp_bulk(path, mix.tcp_bytes, limits); }},
  };
  std::vector<TrafficReport> reports;
  for (const Step& step : steps) {
    if (step.amount == 0) continue;
    auto report = step.run();
    if (!report) return base::fail(std::move(report.error()));
    reports.push_back(*report);
  }
  return reports;
}

}  // namespace flowtally::demo
