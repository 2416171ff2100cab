// This file writes the answer to a query: as a table for people, or in the forms for programs
// (query/rows.hpp). A row at a time, in bounded memory.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/json.hpp"
#include "cli/table.hpp"
#include "query/query.hpp"
#include "query/rows.hpp"

namespace flowtally::cli {

enum class Format : std::uint8_t { kTable, kJson, kNdjson, kCsv };

/// "table", "json", "ndjson", "csv".
[[nodiscard]] std::optional<Format> format_of(std::string_view name) noexcept;

/// A column by name, because a newer agent may have more of them than this program knows.
struct AnswerColumn {
  std::string name{};
  query::ValueKind kind = query::ValueKind::kText;
  std::size_t width = 0;  ///< in a table, at least
};
[[nodiscard]] std::vector<AnswerColumn> answer_columns(const std::vector<query::Column>& columns);
/// Of `{"columns":["src",…],…}`.
[[nodiscard]] std::vector<AnswerColumn> answer_columns(const JsonDocument& head);
/// Of `{"src":"…","bytes":1,…}`. Reads into `document`, to keep its buffers.
[[nodiscard]] base::Result<query::Row> answer_row(std::string_view element,
                                                  const std::vector<AnswerColumn>& columns,
                                                  JsonDocument& document);
/// Of `{…,"summary":{…}}`.
[[nodiscard]] query::Summary answer_summary(const JsonDocument& frame);

struct AnswerStyle {
  Format format = Format::kTable;
  bool connections = false;  ///< a table leaves out what each row of connections has in common
  bool colour = false;
  query::ZoneOffset zone{};  ///< of times in a table; in other forms they are UTC
  std::size_t measured_rows = kMeasuredRowsMax;
};

class AnswerWriter {
 public:
  AnswerWriter(std::vector<AnswerColumn> columns, AnswerStyle style);

  void begin(std::string& out) const;
  void row(const query::Row& row, std::string& out);
  void end(const query::Summary& summary, std::string& out);

 private:
  void table_line(const query::Row& row, std::string& out);

  std::vector<AnswerColumn> columns_;
  AnswerStyle style_;
  std::vector<std::size_t> shown_;  ///< columns of the table
  Table table_;
  std::optional<query::RowWriter> rows_{};  ///< none: a table
};

/// "9 records are missing: 3 removed by retention, 6 damaged"; empty where none is.
[[nodiscard]] std::string missing_text(const query::Missing& missing);

}  // namespace flowtally::cli
