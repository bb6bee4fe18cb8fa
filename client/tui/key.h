// A key press, or what else a terminal reports.
#pragma once

#include <string>

namespace skerry::client {

enum class KeyCode {
  text,   // `text` holds what was typed
  paste,  // `text` holds what was pasted, line breaks included
  enter,
  alt_enter,
  tab,
  back_tab,
  backspace,
  remove,
  left,
  right,
  up,
  down,
  home,
  end,
  page_up,
  page_down,
  word_left,
  word_right,
  alt_up,
  alt_down,
  escape,
  ctrl,  // with the letter in `text`, lower case
  alt,   // with the character in `text`
  wheel_up,
  wheel_down,
  click,  // at `row`, `column`
  resize,
  quit,  // the program was asked to end (SIGTERM, SIGHUP)
  unknown,
};

struct Key {
  KeyCode code = KeyCode::unknown;
  std::string text;
  int row = 0;
  int column = 0;
  bool is_ctrl(char letter) const { return code == KeyCode::ctrl && text.size() == 1 && text[0] == letter; }
  bool is_alt(char letter) const { return code == KeyCode::alt && text.size() == 1 && text[0] == letter; }
};

}  // namespace skerry::client
