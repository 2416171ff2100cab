#include "cli/table.hpp"

#include <algorithm>
#include <utility>

namespace flowtally::cli {

Table::Table(std::vector<TableColumn> columns, bool colour, std::size_t measured_rows)
    : columns_(std::move(columns)), colour_(colour), measured_rows_(measured_rows) {
  for (TableColumn& column : columns_) column.width = std::max(column.width, width_of(column.title));
}

void Table::measure(const std::vector<std::string>& cells) {
  for (std::size_t at = 0; at < columns_.size() && at < cells.size(); ++at)
    columns_[at].width = std::max(columns_[at].width, width_of(cells[at]));
}

void Table::add(const std::vector<std::string>& cells, std::string& out, Mood mood) {
  Line line{.cells = {}, .mood = mood};
  line.cells.reserve(cells.size());
  for (const std::string& cell : cells) line.cells.push_back(printable(cell));
  if (begun_ || measured_rows_ == 0) {
    if (!begun_) flush(out);
    write(line, out);
    return;
  }
  measure(line.cells);
  held_.push_back(std::move(line));
  if (held_.size() == measured_rows_) flush(out);
}

void Table::flush(std::string& out) {
  if (!begun_) {
    begun_ = true;
    Line titles{.cells = {}, .mood = Mood::kHeading};
    for (const TableColumn& column : columns_) titles.cells.push_back(column.title);
    write(titles, out);
  }
  for (const Line& line : held_) write(line, out);
  held_.clear();
  held_.shrink_to_fit();
}

void Table::write(const Line& line, std::string& out) const {
  std::string text;
  std::size_t owed = 0;  // spaces, written only in front of something, so that no line ends with them
  for (std::size_t at = 0; at < columns_.size() && at < line.cells.size(); ++at) {
    const std::string& cell = line.cells[at];
    const std::size_t room = columns_[at].width - std::min(columns_[at].width, width_of(cell));
    if (at != 0) owed += 2;
    if (columns_[at].right) owed += room;
    if (!cell.empty()) text.append(std::exchange(owed, 0), ' ').append(cell);
    if (!columns_[at].right) owed += room;
  }
  out += coloured(text, line.mood, colour_);
  out += '\n';
}

}  // namespace flowtally::cli
