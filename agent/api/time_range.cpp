#include "api/time_range.hpp"

#include <string>

#include <fmt/format.h>

#include "record/parse.hpp"

namespace flowtally::api {
namespace {

using base::Error;
using base::ErrorCode;
using base::fail;

/// "2026-11-23T04:59:20 05:30": where the sign of an offset stands, counted from the end.
constexpr std::size_t kSignFromEnd = 6;
/// The longest time that parse_time() takes is shorter.
constexpr std::size_t kTimeBytesMax = 64;

base::Result<std::int64_t> time_of(const Parameters& parameters, std::string_view name) {
  const auto text = parameters.find(name);
  if (!text || text->empty()) {
    return fail(Error(ErrorCode::kInvalidArgument, fmt::format("the parameter {} is missing", name))
                    .advise("Give a time such as 2026-11-23T04:59:20Z"));
  }
  const auto time = parse_instant(*text);
  if (!time) {
    return fail(
        Error(ErrorCode::kInvalidArgument, fmt::format("the parameter {} is no time of RFC 3339", name))
            .advise("Give one such as 2026-11-23T04:59:20Z"));
  }
  return *time;
}

}  // namespace

std::optional<std::int64_t> parse_instant(std::string_view text) {
  if (text.size() > kTimeBytesMax) return std::nullopt;
  std::string escaped(text);
  if (escaped.size() > kSignFromEnd && escaped[escaped.size() - kSignFromEnd] == ' ') {
    escaped[escaped.size() - kSignFromEnd] = '+';
  }
  return record::parse_time(escaped);
}

base::Result<TimeRange> parse_range(const Parameters& parameters) {
  auto start = time_of(parameters, "start");
  if (!start) return fail(std::move(start.error()));
  auto end = time_of(parameters, "end");
  if (!end) return fail(std::move(end.error()));
  if (*end < *start) return fail(Error(ErrorCode::kInvalidArgument, "the end is before the start"));
  return TimeRange{.start_ns = *start, .end_ns = *end};
}

}  // namespace flowtally::api
