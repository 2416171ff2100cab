// This file is what Splunk's HTTP Event Collector says, and what that means. Pure.
//
// Source: "Troubleshoot HTTP Event Collector" and "About HTTP Event Collector Indexer Acknowledgment",
// docs.splunk.com.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "sink/http_sender.hpp"
#include "sink/receiver.hpp"

namespace flowtally::sink {

struct HecAnswer {
  std::optional<int> code{};
  std::optional<std::uint64_t> invalid_event{};  ///< which event of the body, from 0
  std::optional<std::uint64_t> ack_id{};
  std::string text{};
};

[[nodiscard]] HecAnswer read_hec_answer(const HttpAnswer& answer);

/// Where the number of the bad event is told, those before it are in and those behind it were not looked at.
[[nodiscard]] Outcome hec_outcome(const HttpAnswer& answer, const HecAnswer& read, std::size_t count);

/// Of `{"acks":{"3":true}}`.
[[nodiscard]] bool is_acknowledged(std::string_view body, std::uint64_t id);

}  // namespace flowtally::sink
