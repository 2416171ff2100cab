// This file makes batches as the delivery engine does, out of texts.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "sink/batch.hpp"

namespace flowtally::test {

inline constexpr std::int64_t kSecondNs = 1'000'000'000;
/// 2026-11-22T23:29:06.069506592Z
inline constexpr std::int64_t kBatchTimeNs = 1'795'390'146'069'506'592;

/// Each text is the one item of a record; the first record has the number `first`.
inline sink::Batch batch_of(const std::vector<std::string>& texts, journal::Sequence first = 1) {
  sink::Batch batch{.node_id = "nLab01CNTRL", .first = first, .next = first + texts.size()};
  for (const std::string& text : texts) {
    const auto number = static_cast<std::int64_t>(batch.items.size());
    batch.items.push_back({.at = batch.text.size(),
                           .size = text.size(),
                           .sequence = first + batch.items.size(),
                           .time_ns = kBatchTimeNs + number * kSecondNs,
                           .logged_ns = kBatchTimeNs + (number + 5) * kSecondNs,
                           .record = {first + batch.items.size(), 7}});
    batch.text += text;
  }
  return batch;
}

/// Records as agents write them, all different, of two connections, each with another txBytes.
inline std::string record_text(std::size_t number) {
  return fmt::format(
      R"({{"logged":"2026-11-22T23:29:11Z","nodeId":"nLab01CNTRL",)"
      R"("start":"2026-11-22T23:29:{0:02}.069506592Z",)"
      R"("end":"2026-11-22T23:29:{1:02}.069506592Z","virtualTraffic":[{{"proto":6,"src":"100.64.0.1:{2}",)"
      R"("dst":"100.64.0.2:8000","txPkts":20,"txBytes":{3},"rxPkts":249,"rxBytes":5000000000}}],)"
      R"("exitTraffic":[{{"src":"100.64.0.1:0","txPkts":1,"txBytes":{5}}}],)"
      R"("accounting":{{"bootId":"5f0c3b1e-8b7e-4a53-9f0e-6d4f6a1c2b3d","epoch":{4},"part":1,"parts":1,)"
      R"("totals":{{"txPkts":21,"txBytes":{6},"rxPkts":249,"rxBytes":5000000000}}}}}})",
      number % 50, number % 50 + 5, 1024 + number % 60'000, 1000 + number, number + 1, 2'000'000 + number,
      2'001'000 + 2 * number);
}

inline std::vector<std::string> record_texts(std::size_t count, std::size_t first = 0) {
  std::vector<std::string> texts;
  texts.reserve(count);
  for (std::size_t number = first; number < first + count; ++number) texts.push_back(record_text(number));
  return texts;
}

}  // namespace flowtally::test
