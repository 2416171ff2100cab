#include "sink/http_profile.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include <fmt/format.h>
#include <simdjson.h>

namespace flowtally::sink {
namespace {

using Body = model::HttpSettings::Body;

/// Axiom: {"ingested":N,"failed":N,"failures":[{"timestamp":…,"error":…}]}. It does not say which.
void judge_axiom(const HttpAnswer& answer, std::size_t count, Outcome& outcome) {
  if (outcome.verdict != Verdict::kDelivered) return;
  simdjson::dom::parser parser;
  simdjson::dom::element document;
  std::uint64_t failed = 0;
  if (parser.parse(simdjson::padded_string(answer.body)).get(document) != simdjson::SUCCESS ||
      document["failed"].get(failed) != simdjson::SUCCESS || failed == 0) {
    return;
  }
  std::string_view error;
  if (document["failures"].at(0)["error"].get(error) != simdjson::SUCCESS) error = "no reason was given";
  outcome.verdict = count == 1 ? Verdict::kRefused : Verdict::kBisect;
  outcome.reason = fmt::format("{} of {} failed: {}", failed, count, error);
}

/// The number in "Code: 27. DB::Exception: …".
std::optional<int> clickhouse_code(std::string_view body) {
  constexpr std::string_view kCode = "Code: ";
  const std::size_t at = body.find(kCode);
  int code = 0;
  if (at == std::string_view::npos) return std::nullopt;
  const std::string_view rest = body.substr(at + kCode.size());
  if (std::from_chars(rest.data(), rest.data() + rest.size(), code).ec != std::errc()) return std::nullopt;
  return code;
}

/// ClickHouse: older servers answer 500 to everything that went wrong; the code is what tells.
void judge_clickhouse(const HttpAnswer& answer, std::size_t, Outcome& outcome) {
  if (outcome.verdict == Verdict::kDelivered || answer.status == 0) return;
  const auto code = clickhouse_code(answer.body);
  if (!code) return;
  constexpr auto kOfTheData = std::to_array<int>({6, 26, 27, 38, 41, 53, 69, 70, 72, 117});
  constexpr auto kOfTheSettings =
      std::to_array<int>({16, 36, 46, 47, 60, 62, 73, 81, 115, 192, 193, 194, 291, 492, 497, 516});
  if (std::ranges::find(kOfTheData, *code) != kOfTheData.end()) {
    outcome.verdict = Verdict::kBisect;
  } else if (std::ranges::find(kOfTheSettings, *code) != kOfTheSettings.end()) {
    outcome.verdict = Verdict::kMisconfigured;
  } else {
    outcome.verdict = Verdict::kRetry;
  }
}

constexpr std::uint64_t operator""_MB(unsigned long long count) { return count * 1'000'000; }

constexpr auto kProfiles = std::to_array<HttpProfile>({
    {},
    {.name = "datadog",
     .path = "/api/v2/logs",
     .token_header = "DD-API-KEY: ",
     .body = Body::kArray,
     .content_type = "application/json",
     .items_max = 1000,
     .bytes_max = 4_MB,
     .item_bytes_max = 1_MB,
     .zstd = false},
    {.name = "axiom", .judge = judge_axiom},
    {.name = "cribl", .token_header = "Authorization: ", .content_type = "application/json"},
    {.name = "panther",
     .content_type = "application/json",
     .bytes_max = 900'000,
     .envelope = true,
     .zstd = false},
    {.name = "logstash", .body = Body::kArray, .content_type = "application/json", .zstd = false},
    {.name = "vector", .content_type = "application/x-ndjson"},
    // in_http: NDJSON has to be called JSON, and a body of 4,000,000 bytes is too much.
    {.name = "fluentbit", .content_type = "application/json", .bytes_max = 3'500'000, .zstd = false},
    // Rows of more than 256 KiB are dropped in silence unless the server is told otherwise.
    {.name = "victorialogs",
     .path = "/insert/jsonline",
     .bytes_max = 4_MB,
     .item_bytes_max = 250'000,
     .zstd = false},
    {.name = "clickhouse", .items_max = 100'000, .bytes_max = 32_MB, .judge = judge_clickhouse},
});

}  // namespace

const HttpProfile* http_profile(std::string_view name) noexcept {
  const auto* const found = std::ranges::find(kProfiles, name, &HttpProfile::name);
  return found == kProfiles.end() ? nullptr : found;
}

}  // namespace flowtally::sink
