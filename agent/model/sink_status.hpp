// This file is how one stream is doing: one sink's reading of one journal. For the status, the metrics and
// `flowtally stream status`. Values, no I/O; sums are since the start of this process.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/clock.hpp"
#include "model/sink_settings.hpp"

namespace flowtally::model {

enum class SinkState : std::uint8_t {
  kIdle,           ///< everything is delivered
  kSending,        ///< there is more
  kRetrying,       ///< the receiver does not take it now; tried again, with growing pauses
  kMisconfigured,  ///< the receiver refuses us: a wrong token, path or right; everything is kept, tried
                   ///< slowly
  kStopped,
};

struct SinkStatus {
  std::string sink{};
  std::string kind{};
  LogType log_type = LogType::kNetwork;
  SinkState state = SinkState::kIdle;
  std::uint64_t next = 1;            ///< number of the record that comes next: all before are acknowledged
  std::uint64_t behind_records = 0;  ///< in the journal and not acknowledged
  std::uint64_t records = 0;         ///< acknowledged
  std::uint64_t items = 0;           ///< acknowledged: connections, or records
  std::uint64_t bytes = 0;           ///< of bodies that were acknowledged, before compression
  std::uint64_t bytes_sent = 0;      ///< as they were sent, with what had to be sent again
  std::uint64_t body_bytes_max = 0;  ///< of the largest request
  std::uint64_t requests = 0;
  std::uint64_t retries = 0;
  std::uint64_t refused_items = 0;       ///< for good; in the dead-letter file
  std::uint64_t repeated_items = 0;      ///< the receiver had them already
  std::uint64_t unreadable_records = 0;  ///< lines that are no records; in the dead-letter file
  std::uint64_t filtered_items = 0;
  std::uint64_t lost_records =
      0;  ///< gone before they were delivered: by retention, damage or with their file
  std::optional<base::Moment> delivered_at{};      ///< latest acknowledgement
  std::optional<std::int64_t> delivered_end_ns{};  ///< end of the latest window that was acknowledged
  std::optional<base::Moment> failing_since{};
  double bytes_per_second = 0;  ///< these four: over the last minute or so
  double items_per_second = 0;
  double requests_per_second = 0;
  double retries_per_second = 0;
  std::string failure{};  ///< of the latest try that failed, also after it went on
};

}  // namespace flowtally::model
