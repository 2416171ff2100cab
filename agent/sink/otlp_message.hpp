// This file writes OpenTelemetry's ExportLogsServiceRequest in protobuf and reads the answer to it: the eight
// messages that logs need, without a protobuf library. Pure.
//
// Source: opentelemetry/proto/{collector/logs,logs,common,resource}/v1 of opentelemetry-proto 1.x; a test
// holds the bytes against that package.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "sink/batch.hpp"

namespace flowtally::sink {

struct OtlpForm {
  model::ItemFormat format = model::ItemFormat::kRecord;
  bool counters_as_text = false;
  std::string host_name{};
  std::string agent_version{};
};

/// One request with items [first, first + count). An item of the format kOtel becomes a log record with its
/// members as attributes; any other has its text as the body.
[[nodiscard]] std::string otlp_request(const Batch& batch, std::size_t first, std::size_t count,
                                       const OtlpForm& form);

struct OtlpAnswer {
  std::int64_t rejected = 0;  ///< never to be sent again
  std::string message{};
};

/// Of an ExportLogsServiceResponse; an empty body is one without fields. kCorrupt: it is something else.
[[nodiscard]] base::Result<OtlpAnswer> read_otlp_answer(std::string_view body);

}  // namespace flowtally::sink
