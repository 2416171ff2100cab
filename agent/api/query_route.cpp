#include "api/query_route.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "api/pushed_body.hpp"
#include "base/clock.hpp"
#include "query/query.hpp"
#include "query/rows.hpp"

namespace flowtally::api {
namespace {

using base::Error;
using base::ErrorCode;
using base::fail;

/// Rows are handed over when they are so much text.
constexpr std::size_t kHandOverBytes = std::size_t{32} << 10U;

struct Question {
  query::Query query{};
  query::RowFormat format = query::RowFormat::kJson;
};

std::string_view content_type_of(query::RowFormat format) noexcept {
  switch (format) {
    case query::RowFormat::kNdjson: return "application/x-ndjson";
    case query::RowFormat::kCsv: return "text/csv; charset=utf-8";
    case query::RowFormat::kJson: break;
  }
  return "application/json";
}

/// A name that is not known is an error here, because without a misspelt `filter` the answer would look
/// right.
base::Result<Question> question_of(const Parameters& parameters) {
  query::QueryText text;
  std::string format = "json";
  const std::pair<std::string_view, std::string*> known[] = {
      {"filter", &text.filter},     {"since", &text.since}, {"start", &text.start}, {"end", &text.end},
      {"group_by", &text.group_by}, {"sort", &text.sort},   {"limit", &text.limit}, {"format", &format}};
  for (const auto& [name, value] : parameters.all()) {
    const auto* const found = std::ranges::find(known, name, [](const auto& one) { return one.first; });
    if (found == std::end(known)) {
      return fail(Error(ErrorCode::kInvalidArgument, fmt::format("there is no parameter {}", name))
                      .advise("Give filter, since, start, end, group_by, sort, limit or format"));
    }
    *found->second = value;
  }
  Question question;
  const auto row_format = query::row_format_of(format);
  if (!row_format) {
    return fail(Error(ErrorCode::kInvalidArgument, fmt::format("there is no format {}", format))
                    .advise("Give json, ndjson or csv"));
  }
  question.format = *row_format;
  auto query = query::parse_query(text, base::now().wall_ns);
  if (!query) return fail(std::move(query.error()));
  question.query = std::move(*query);
  return question;
}

/// Runs on the body's thread.
base::Status write_rows(const Question& question, const std::string& directory, Counts& counts,
                        const Emit& emit, const std::stop_token& stop) {
  query::RowWriter writer(question.format, query::column_names(query::columns_of(question.query)));
  std::string text;
  writer.begin(text);
  const auto take = [&](const query::Row& row) {
    writer.row(row, text);
    return text.size() < kHandOverBytes || emit(std::exchange(text, {}));
  };
  query::Summary summary;
  if (!directory.empty()) {
    auto ran = query::run_query(question.query, directory, {.threads = kQueryThreads, .stop = stop}, take);
    if (!ran) return fail(std::move(ran.error()));
    summary = *ran;
  }
  counts.records_missing += summary.missing.all();
  if (stop.stop_requested()) return {};
  writer.end(summary, text);
  if (!text.empty()) static_cast<void>(emit(text));
  return {};
}

}  // namespace

Answer answer_query(Service& service, const Request& request) {
  auto question = question_of(request.target.parameters);
  if (!question) return error_answer(question.error());
  Answer answer;
  answer.content_type = content_type_of(question->format);
  if (request.head()) return answer;
  Slot slot = service.queries.take(service.limits.slot_wait);
  if (!slot) {
    service.counts.refused(Refusal::kBusy);
    return busy_answer(
        fmt::format("{} queries are being answered already; try again", service.limits.queries));
  }
  auto body = pushed_body(
      {.writer =
           [question = std::move(*question), directory = service.source.journal_directory(LogType::kNetwork),
            &counts = service.counts](const Emit& emit, const std::stop_token& stop) {
             return write_rows(question, directory, counts, emit, stop);
           },
       .abandoned = request.abandoned,
       .slot = std::move(slot)});
  if (!body) return error_answer(body.error());
  answer.body = std::move(*body);
  return answer;
}

}  // namespace flowtally::api
