// This file writes the rows of a query's answer as text for programs: JSON, NDJSON or CSV, the forms of
// docs/formats/api.md. The API and the command line both write with it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "query/query.hpp"

namespace flowtally::query {

enum class RowFormat : std::uint8_t {
  kJson,    ///< {"columns":[…],"rows":[{…},…],"summary":{…}}
  kNdjson,  ///< an object on each line
  kCsv,     ///< RFC 4180, with a line of names
};

/// "json", "ndjson", "csv".
[[nodiscard]] std::optional<RowFormat> row_format_of(std::string_view name) noexcept;

/// The names of the columns, in order.
[[nodiscard]] std::vector<std::string> column_names(const std::vector<Column>& columns);

/// Writes one answer, row by row. Columns are names here, because a newer agent may have more of them than
/// the program that shows its answer.
class RowWriter {
 public:
  RowWriter(RowFormat format, std::vector<std::string> columns);

  /// Each appends; begin() once before the rows, end() once behind them.
  void begin(std::string& out) const;
  void row(const Row& row, std::string& out);
  void end(const Summary& summary, std::string& out) const;

 private:
  void object(const Row& row, std::string& out) const;
  void line(const Row& row, std::string& out) const;

  RowFormat format_;
  std::vector<std::string> columns_;
  bool any_ = false;
};

}  // namespace flowtally::query
