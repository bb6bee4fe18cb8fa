// The line in which one writes: editing by grapheme clusters, several lines, history. Pure.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "client/text/safe_text.h"

namespace skerry::client {

class Composer {
 public:
  const std::string& text() const { return text_; }
  std::size_t cursor() const { return cursor_; }  // a byte offset between two clusters
  bool empty() const { return text_.empty(); }

  // What a terminal must not show is not taken. False when it would be longer than a message may be; then nothing
  // changed.
  bool insert(const std::string& typed);
  void set(const std::string& text);
  void clear() { set(""); }
  // Takes the text out, and into the history.
  std::string take();

  void left();
  void right();
  void word_left();
  void word_right();
  void line_begin();
  void line_end();
  void backspace();
  void remove();
  void remove_word_before();
  void remove_to_line_begin();
  void remove_to_line_end();
  // To the line above or below; at the first or last line, through the history.
  void up();
  void down();

  // What is left of the cursor, up to the last space: for completion. Then put something in its place.
  std::string word_before_cursor() const;
  void replace_word_before_cursor(const std::string& replacement);

  // The text broken into lines of at most `width` columns, and where in them the cursor is.
  struct Layout {
    std::vector<SafeText> lines;
    std::size_t cursor_line = 0;
    int cursor_column = 0;
  };
  Layout layout(int width) const;

 private:
  void erase(std::size_t begin, std::size_t end);
  std::size_t previous_cluster(std::size_t at) const;
  std::size_t next_cluster(std::size_t at) const;
  std::size_t begin_of_line(std::size_t at) const;
  std::size_t end_of_line(std::size_t at) const;
  void move_to_line(std::size_t line_begin, int column);
  void recall(std::size_t index);

  std::string text_;  // always as SafeText::multi_line has it
  std::size_t cursor_ = 0;
  std::vector<std::string> history_;  // oldest first
  std::size_t recalled_ = 0;          // history_.size(): the draft
  std::string draft_;
};

}  // namespace skerry::client
