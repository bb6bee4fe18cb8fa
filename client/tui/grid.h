// A screen as cells, before any terminal is involved.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "client/text/safe_text.h"

namespace skerry::client {

// What a piece of text is, for the terminal to choose colours by.
enum class Ink : std::uint8_t {
  normal,
  dim,     // times, topics, hints
  strong,  // titles
  rule,    // lines between the parts of the screen
  own_name,
  name_0,  // others' names: name_0 + a number of the user id, below `name_inks`
  name_1,
  name_2,
  name_3,
  name_4,
  name_5,
  change,  // what happened to the room
  error,
  good,
  fresh,      // 'new' and unread counts
  highlight,  // unread counts that concern us
  selected,   // the open room in the list
  selected_fresh,
  status,  // the line at the bottom
  status_good,
  status_bad,
  field,  // of a form
  field_active,
};
constexpr int name_inks = 6;

struct Cell {
  std::string text = " ";  // one grapheme cluster; empty: the right half of a wide one
  Ink ink = Ink::normal;
  bool plain = true;  // see Cluster::plain
  bool operator==(const Cell&) const = default;
};

class Grid {
 public:
  Grid(int rows, int columns);
  int rows() const { return rows_; }
  int columns() const { return columns_; }
  const Cell& at(int row, int column) const {
    return cells_[static_cast<std::size_t>(row) * static_cast<std::size_t>(columns_) +
                  static_cast<std::size_t>(column)];
  }

  // Writes one line of text, cut where `end_column` (or the grid) ends. The column after it.
  int put(int row, int column, const SafeText& text, Ink ink, int end_column = 1'000'000);
  // Gives [column, end_column) of a row a colour and makes it blank.
  void fill(int row, int column, int end_column, Ink ink, std::string_view cluster = " ");
  // The row as text without spaces at its end, for tests.
  std::string row_text(int row) const;
  bool operator==(const Grid&) const = default;

 private:
  Cell* cell(int row, int column);
  int rows_;
  int columns_;
  std::vector<Cell> cells_;
};

// What is to be shown: the cells, and where the cursor blinks.
struct Frame {
  Grid grid;
  int cursor_row = 0;
  int cursor_column = 0;
  bool cursor_visible = false;
};

}  // namespace skerry::client
