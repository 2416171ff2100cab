#include "cli/answer.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

#include "record/parse.hpp"
#include "record/text.hpp"

namespace flowtally::cli {
namespace {

using query::ValueKind;

constexpr std::array<std::string_view, 4> kFormats = {"table", "json", "ndjson", "csv"};

/// Titles of a table; others are the column's name.
constexpr std::pair<std::string_view, std::string_view> kTitles[] = {
    {"txPkts", "TX PKTS"},   {"txBytes", "TX BYTES"},     {"rxPkts", "RX PKTS"},
    {"rxBytes", "RX BYTES"}, {"firstSeen", "FIRST SEEN"}, {"lastSeen", "LAST SEEN"}};

std::string title_of(std::string_view name) {
  for (const auto& [known, title] : kTitles) {
    if (known == name) return std::string(title);
  }
  std::string title(name);
  std::ranges::transform(title, title.begin(),
                         [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; });
  return title;
}

/// Windows are short and all of one node.
bool left_out(std::string_view name) { return name == "end" || name == "node"; }

std::vector<std::size_t> shown_columns(const std::vector<AnswerColumn>& columns, bool connections) {
  std::vector<std::size_t> shown;
  for (std::size_t at = 0; at < columns.size(); ++at) {
    if (!connections || !left_out(columns[at].name)) shown.push_back(at);
  }
  return shown;
}

std::vector<TableColumn> table_columns(const std::vector<AnswerColumn>& columns,
                                       const std::vector<std::size_t>& shown) {
  std::vector<TableColumn> table;
  for (const std::size_t at : shown) {
    const ValueKind kind = columns[at].kind;
    table.push_back({.title = title_of(columns[at].name),
                     .right = kind == ValueKind::kNumber || kind == ValueKind::kBytes,
                     .width = columns[at].width});
  }
  return table;
}

/// A column of a newer agent is what its values are.
query::Value value_of(const JsonField& field, ValueKind kind) {
  if (field.kind == JsonField::Kind::kNumber) return field.number;
  if (kind == ValueKind::kTime) {
    if (const auto time = record::parse_time(field.text)) return *time;
  }
  return field.text;
}

/// None: a table.
std::optional<query::RowFormat> row_format(Format format) noexcept {
  switch (format) {
    case Format::kJson: return query::RowFormat::kJson;
    case Format::kNdjson: return query::RowFormat::kNdjson;
    case Format::kCsv: return query::RowFormat::kCsv;
    case Format::kTable: break;
  }
  return std::nullopt;
}

std::vector<std::string> names_of(const std::vector<AnswerColumn>& columns) {
  std::vector<std::string> names;
  names.reserve(columns.size());
  for (const AnswerColumn& column : columns) names.push_back(column.name);
  return names;
}

}  // namespace

std::optional<Format> format_of(std::string_view name) noexcept {
  const auto* const found = std::ranges::find(kFormats, name);
  if (found == kFormats.end()) return std::nullopt;
  return static_cast<Format>(found - kFormats.begin());
}

std::vector<AnswerColumn> answer_columns(const std::vector<query::Column>& columns) {
  std::vector<AnswerColumn> answer;
  answer.reserve(columns.size());
  for (const query::Column column : columns)
    answer.push_back({.name = std::string(query::column_name(column)), .kind = query::value_kind(column)});
  return answer;
}

std::vector<AnswerColumn> answer_columns(const JsonDocument& head) {
  std::vector<AnswerColumn> answer;
  for (std::string& name : head.texts("/columns")) {
    const auto known = query::column_of(name);
    answer.push_back({.name = std::move(name), .kind = known ? query::value_kind(*known) : ValueKind::kText});
  }
  return answer;
}

base::Result<query::Row> answer_row(std::string_view element, const std::vector<AnswerColumn>& columns,
                                    JsonDocument& document) {
  if (auto read = document.read(element); !read) return base::fail(std::move(read.error()));
  query::Row row;
  row.values.resize(columns.size());
  for (const JsonField& field : document.fields("")) {
    const auto column = std::ranges::find(columns, field.name, &AnswerColumn::name);
    if (column == columns.end()) continue;
    row.values[static_cast<std::size_t>(column - columns.begin())] = value_of(field, column->kind);
  }
  row.other = document.flag("/other");
  return row;
}

query::Summary answer_summary(const JsonDocument& frame) {
  query::Summary summary;
  summary.records = frame.number("/summary/records");
  summary.connections = frame.number("/summary/connections");
  summary.matched = frame.number("/summary/matched");
  summary.rows = frame.number("/summary/rows");
  summary.groups_beyond = frame.number("/summary/groupsBeyond");
  summary.bytes = frame.number("/summary/bytes");
  summary.frames_read = frame.number("/summary/framesRead");
  summary.frames_passed = frame.number("/summary/framesPassed");
  summary.missing = {.removed = frame.number("/summary/missing/removed"),
                     .damaged = frame.number("/summary/missing/damaged"),
                     .lost = frame.number("/summary/missing/lost"),
                     .unreadable = frame.number("/summary/missing/unreadable")};
  summary.begins_ns = record::parse_time(frame.text("/summary/begins"));
  return summary;
}

AnswerWriter::AnswerWriter(std::vector<AnswerColumn> columns, AnswerStyle style)
    : columns_(std::move(columns)),
      style_(std::move(style)),
      shown_(shown_columns(columns_, style_.connections)),
      table_(table_columns(columns_, shown_), style_.colour, style_.measured_rows) {
  if (const auto format = row_format(style_.format)) rows_.emplace(*format, names_of(columns_));
}

void AnswerWriter::begin(std::string& out) const {
  if (rows_) rows_->begin(out);
}

void AnswerWriter::row(const query::Row& row, std::string& out) {
  if (rows_) {
    rows_->row(row, out);
  } else {
    table_line(row, out);
  }
}

void AnswerWriter::table_line(const query::Row& row, std::string& out) {
  std::vector<std::string> cells;
  for (const std::size_t at : shown_) {
    if (at >= row.values.size()) break;
    const query::Value& value = row.values[at];
    std::string cell;
    if (const auto* const number = std::get_if<std::uint64_t>(&value)) {
      // Ports are names for people, not amounts: no commas in them.
      const std::string& name = columns_[at].name;
      const bool port = name == "port" || name == "sport" || name == "dport";
      cell = columns_[at].kind == ValueKind::kBytes ? bytes_text(*number)
             : port                                 ? fmt::format("{}", *number)
                                                    : count_text(*number);
    } else if (const auto* const time = std::get_if<std::int64_t>(&value)) {
      cell = local_time_text(*time, style_.zone);
    } else {
      cell = std::get<std::string>(value);
      if (cell.empty()) cell = row.other && cells.empty() ? "(others)" : "-";
    }
    cells.push_back(std::move(cell));
  }
  table_.add(cells, out);
}

void AnswerWriter::end(const query::Summary& summary, std::string& out) {
  if (rows_) {
    rows_->end(summary, out);
  } else {
    table_.flush(out);
  }
}

std::string missing_text(const query::Missing& missing) {
  if (missing.all() == 0) return {};
  std::string parts;
  const std::pair<std::uint64_t, std::string_view> kinds[] = {
      {missing.removed, "removed by retention meanwhile"},
      {missing.damaged, "damaged"},
      {missing.lost, "gone with their file"},
      {missing.unreadable, "unreadable"}};
  for (const auto& [count, kind] : kinds) {
    if (count == 0) continue;
    parts += fmt::format("{}{} {}", parts.empty() ? "" : ", ", count_text(count), kind);
  }
  return fmt::format("{} missing: {}", count_text(missing.all(), "record is", "records are"), parts);
}

}  // namespace flowtally::cli
