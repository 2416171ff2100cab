#include "query/rows.hpp"

#include <iterator>
#include <utility>

#include <fmt/format.h>

#include "record/text.hpp"

namespace flowtally::query {
namespace {

void append_csv_text(std::string_view text, std::string& out) {
  if (text.find_first_of(",\"\r\n") == std::string_view::npos) {
    out += text;
    return;
  }
  out += '"';
  for (const char c : text) {
    if (c == '"') out += '"';
    out += c;
  }
  out += '"';
}

/// A time that is a number by its column is a text here.
std::string time_value(const Value& value) {
  const auto* const ns = std::get_if<std::int64_t>(&value);
  return ns == nullptr ? std::string() : record::time_text(*ns);
}

}  // namespace

std::optional<RowFormat> row_format_of(std::string_view name) noexcept {
  if (name == "json") return RowFormat::kJson;
  if (name == "ndjson") return RowFormat::kNdjson;
  if (name == "csv") return RowFormat::kCsv;
  return std::nullopt;
}

std::vector<std::string> column_names(const std::vector<Column>& columns) {
  std::vector<std::string> names;
  names.reserve(columns.size());
  for (const Column column : columns) names.emplace_back(column_name(column));
  return names;
}

RowWriter::RowWriter(RowFormat format, std::vector<std::string> columns)
    : format_(format), columns_(std::move(columns)) {}

void RowWriter::begin(std::string& out) const {
  if (format_ == RowFormat::kNdjson) return;
  if (format_ == RowFormat::kJson) out += "{\"columns\":[";
  for (std::size_t at = 0; at < columns_.size(); ++at) {
    if (at != 0) out += ',';
    const std::string& name = columns_[at];
    if (format_ == RowFormat::kCsv) {
      append_csv_text(name, out);
    } else {
      record::append_json_string(name, out);
    }
  }
  out += format_ == RowFormat::kCsv ? "\r\n" : "],\"rows\":[";
}

void RowWriter::row(const Row& row, std::string& out) {
  const bool first = !std::exchange(any_, true);
  switch (format_) {
    case RowFormat::kCsv: line(row, out); return;
    case RowFormat::kJson:
      if (!first) out += ",\n";
      object(row, out);
      return;
    case RowFormat::kNdjson: object(row, out); out += '\n';
  }
}

void RowWriter::object(const Row& row, std::string& out) const {
  out += '{';
  for (std::size_t at = 0; at < columns_.size() && at < row.values.size(); ++at) {
    if (at != 0) out += ',';
    record::append_json_string(columns_[at], out);
    out += ':';
    const Value& value = row.values[at];
    if (const auto* const number = std::get_if<std::uint64_t>(&value)) {
      fmt::format_to(std::back_inserter(out), "{}", *number);
    } else if (const auto* const text = std::get_if<std::string>(&value)) {
      record::append_json_string(*text, out);
    } else {
      record::append_json_string(time_value(value), out);
    }
  }
  if (row.other) out += ",\"other\":true";
  out += '}';
}

void RowWriter::line(const Row& row, std::string& out) const {
  for (std::size_t at = 0; at < columns_.size() && at < row.values.size(); ++at) {
    if (at != 0) out += ',';
    const Value& value = row.values[at];
    if (const auto* const number = std::get_if<std::uint64_t>(&value)) {
      fmt::format_to(std::back_inserter(out), "{}", *number);
    } else if (const auto* const text = std::get_if<std::string>(&value)) {
      append_csv_text(*text, out);
    } else {
      out += time_value(value);
    }
  }
  out += "\r\n";
}

void RowWriter::end(const Summary& summary, std::string& out) const {
  if (format_ != RowFormat::kJson) return;
  const Missing& missing = summary.missing;
  const std::string begins =
      summary.begins_ns ? fmt::format(",\"begins\":\"{}\"", record::time_text(*summary.begins_ns)) : "";
  fmt::format_to(std::back_inserter(out),
                 "],\"summary\":{{\"records\":{},\"connections\":{},\"matched\":{},\"rows\":{},\"bytes\":{},"
                 "\"framesRead\":{},\"framesPassed\":{},\"groupsBeyond\":{},\"missing\":{{\"removed\":{},"
                 "\"damaged\":{},\"lost\":{},\"unreadable\":{}}}{}}}}}\n",
                 summary.records, summary.connections, summary.matched, summary.rows, summary.bytes,
                 summary.frames_read, summary.frames_passed, summary.groups_beyond, missing.removed,
                 missing.damaged, missing.lost, missing.unreadable, begins);
}

}  // namespace flowtally::query
