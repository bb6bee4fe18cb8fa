// The terminal: modes, keys, cells. The one place that knows curses, used for what it knows about terminals (terminfo,
// key sequences, modes). Cells are written by this class itself, because terminals disagree with curses, and with each
// other, about how wide emoji are: after every such cluster the cursor is placed anew.
#pragma once

#include <memory>
#include <optional>

#include "client/tui/grid.h"
#include "client/tui/key.h"
#include "core/result.h"

namespace skerry::client {

// One at a time, on one thread.
class Terminal {
 public:
  // Takes the terminal over. Errors: invalid_param with a sentence, when there is none that could show a screen.
  static Result<std::unique_ptr<Terminal>> open();
  // Gives it back as it was.
  ~Terminal();
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  int rows() const { return rows_; }
  int columns() const { return columns_; }
  void measure();  // after SIGWINCH
  // Nothing when no whole key is there. Never waits but for the rest of an escape sequence.
  std::optional<Key> read_key();
  // Writes what differs from the frame before.
  void draw(const Frame& frame);
  void forget_screen() { shown_.reset(); }  // draw everything next time
  // Gives the terminal to the shell until the program is continued.
  void suspend();

 private:
  Terminal();
  struct Impl;
  std::unique_ptr<Impl> impl_;
  std::optional<Grid> shown_;
  int rows_ = 24;
  int columns_ = 80;
};

}  // namespace skerry::client
