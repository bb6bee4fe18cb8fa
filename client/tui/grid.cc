#include "client/tui/grid.h"

#include <algorithm>

#include "client/text/graphemes.h"

namespace skerry::client {

Grid::Grid(int rows, int columns)
    : rows_(std::max(rows, 0)),
      columns_(std::max(columns, 0)),
      cells_(static_cast<std::size_t>(rows_) * static_cast<std::size_t>(columns_)) {}

Cell* Grid::cell(int row, int column) {
  if (row < 0 || row >= rows_ || column < 0 || column >= columns_) return nullptr;
  return &cells_[static_cast<std::size_t>(row) * static_cast<std::size_t>(columns_) + static_cast<std::size_t>(column)];
}

int Grid::put(int row, int column, const SafeText& text, Ink ink, int end_column) {
  const int end = std::min(end_column, columns_);
  for (const Cluster& cluster : clusters(text.str())) {
    if (cluster.width == 0) continue;
    if (column + cluster.width > end) {
      if (column < end) fill(row, column, end, ink);  // half of a wide character fits nowhere
      return std::max(column, end);
    }
    if (Cell* head = cell(row, column)) *head = {text.str().substr(cluster.begin, cluster.length), ink, cluster.plain};
    if (cluster.width == 2) {
      if (Cell* tail = cell(row, column + 1)) *tail = {"", ink, true};
    }
    column += cluster.width;
  }
  return column;
}

void Grid::fill(int row, int column, int end_column, Ink ink, std::string_view cluster) {
  for (int at = column; at < std::min(end_column, columns_); ++at) {
    if (Cell* each = cell(row, at)) *each = {std::string(cluster), ink, true};
  }
}

std::string Grid::row_text(int row) const {
  std::string out;
  for (int column = 0; column < columns_; ++column) out += at(row, column).text;
  out.erase(out.find_last_not_of(' ') + 1);
  return out;
}

}  // namespace skerry::client
