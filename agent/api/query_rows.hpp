// This file writes the rows of a query's answer as text: JSON, NDJSON or CSV.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "query/query.hpp"

namespace flowtally::api {

enum class RowFormat : std::uint8_t {
  kJson,    ///< {"columns":[…],"rows":[{…},…],"summary":{…}}
  kNdjson,  ///< an object on each line
  kCsv,     ///< RFC 4180, with a line of names
};

/// "json", "ndjson", "csv".
[[nodiscard]] std::optional<RowFormat> row_format_of(std::string_view name) noexcept;
[[nodiscard]] std::string_view content_type_of(RowFormat format) noexcept;

/// Writes one answer, row by row.
class RowWriter {
 public:
  RowWriter(RowFormat format, std::vector<query::Column> columns);

  /// Each appends; begin() once before the rows, end() once behind them.
  void begin(std::string& out) const;
  void row(const query::Row& row, std::string& out);
  void end(const query::Summary& summary, std::string& out) const;

 private:
  void object(const query::Row& row, std::string& out) const;
  void line(const query::Row& row, std::string& out) const;

  RowFormat format_;
  std::vector<query::Column> columns_;
  bool any_ = false;
};

}  // namespace flowtally::api
