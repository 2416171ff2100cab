// This file lines up columns while rows still come: the widths are those of the first rows, and a later cell
// that is wider only pushes its own row aside. Memory: the first rows.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "cli/human.hpp"

namespace flowtally::cli {

/// Rows by which the widths are chosen.
inline constexpr std::size_t kMeasuredRowsMax = 500;

struct TableColumn {
  std::string title{};
  bool right = false;     ///< numbers go to the right
  std::size_t width = 0;  ///< at least
};

/// Cells are made safe for a terminal. Not thread-safe.
class Table {
 public:
  /// `measured_rows` 0: the columns' own widths hold from the first row on.
  Table(std::vector<TableColumn> columns, bool colour, std::size_t measured_rows = kMeasuredRowsMax);

  /// One cell for each column; appends to `out` what can be written by now.
  void add(const std::vector<std::string>& cells, std::string& out, Mood mood = Mood::kPlain);
  /// Writes what was held back. Rows may follow, in the widths that were found.
  void flush(std::string& out);

 private:
  struct Line {
    std::vector<std::string> cells;
    Mood mood = Mood::kPlain;
  };
  void write(const Line& line, std::string& out) const;
  void measure(const std::vector<std::string>& cells);

  std::vector<TableColumn> columns_;
  bool colour_;
  std::size_t measured_rows_;
  bool begun_ = false;
  std::vector<Line> held_;
};

}  // namespace flowtally::cli
