#include "client/tui/terminal.h"

#include <array>
#include <cerrno>
#include <clocale>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <cwchar>
#include <langinfo.h>
#include <poll.h>
#include <string>
#include <sys/ioctl.h>
#include <unistd.h>

#define NCURSES_NOMACROS  // no macros called move, clear or erase
#include <curses.h>

namespace skerry::client {
namespace {

// Keys that terminfo does not name, with the sequences that today's terminals send.
enum ExtraKey {
  key_alt_up = KEY_MAX + 1,
  key_alt_down,
  key_word_left,
  key_word_right,
  key_paste_begin,
  key_paste_end,
};

constexpr std::size_t max_paste_bytes = 65'536;

struct Look {
  int color = -1;  // of 256
  int basic = -1;  // of 8
  bool bold = false;
  bool dim = false;
  int back = -1;
  int basic_back = -1;
  bool reverse = false;
};

Look look(Ink ink) {
  switch (ink) {
    case Ink::normal:
      return {};
    case Ink::dim:
      return {245, -1, false, false, -1, -1, false};
    case Ink::strong:
      return {-1, -1, true, false, -1, -1, false};
    case Ink::rule:
      return {239, -1, false, false, -1, -1, false};
    case Ink::own_name:
      return {71, COLOR_GREEN, true, false, -1, -1, false};
    case Ink::name_0:
      return {74, COLOR_CYAN, true, false, -1, -1, false};
    case Ink::name_1:
      return {179, COLOR_YELLOW, true, false, -1, -1, false};
    case Ink::name_2:
      return {170, COLOR_MAGENTA, true, false, -1, -1, false};
    case Ink::name_3:
      return {111, COLOR_BLUE, true, false, -1, -1, false};
    case Ink::name_4:
      return {173, COLOR_RED, true, false, -1, -1, false};
    case Ink::name_5:
      return {80, COLOR_CYAN, false, false, -1, -1, false};
    case Ink::change:
      return {243, -1, false, true, -1, -1, false};
    case Ink::error:
      return {203, COLOR_RED, false, false, -1, -1, false};
    case Ink::good:
      return {71, COLOR_GREEN, false, false, -1, -1, false};
    case Ink::fresh:
      return {179, COLOR_YELLOW, true, false, -1, -1, false};
    case Ink::highlight:
      return {203, COLOR_RED, true, false, -1, -1, false};
    case Ink::selected:
      return {231, COLOR_WHITE, false, false, 24, COLOR_BLUE, true};
    case Ink::selected_fresh:
      return {229, COLOR_WHITE, true, false, 24, COLOR_BLUE, true};
    case Ink::status:
      return {250, COLOR_WHITE, false, false, 236, COLOR_BLUE, true};
    case Ink::status_good:
      return {114, COLOR_GREEN, false, false, 236, COLOR_BLUE, true};
    case Ink::status_bad:
      return {222, COLOR_YELLOW, true, false, 236, COLOR_BLUE, true};
    case Ink::field:
      return {245, COLOR_WHITE, false, false, 236, COLOR_BLUE, true};
    case Ink::field_active:
      return {231, COLOR_WHITE, false, false, 24, COLOR_BLUE, true};
  }
  return {};
}

// A capability of this terminal as text; empty when it has none.
std::string capability(const char* name) {
  const char* text = tigetstr(name);
  return text && text != reinterpret_cast<const char*>(-1) ? text : "";
}

std::string with_number(const std::string& text, int number) {
  if (text.empty()) return {};
  const char* out = tiparm(text.c_str(), number);
  return out ? out : "";
}

void write_all(const std::string& bytes) {
  std::size_t at = 0;
  while (at < bytes.size()) {
    const ssize_t written = ::write(STDOUT_FILENO, bytes.data() + at, bytes.size() - at);
    if (written > 0) {
      at += static_cast<std::size_t>(written);
    } else if (errno == EAGAIN) {
      pollfd wait{STDOUT_FILENO, POLLOUT, 0};
      poll(&wait, 1, 1'000);
    } else if (errno != EINTR) {
      return;  // the terminal has gone; SIGHUP ends the program
    }
  }
}

std::string encode(wint_t character) {
  std::array<char, 16> buffer{};
  std::mbstate_t state{};
  const std::size_t length = std::wcrtomb(buffer.data(), static_cast<wchar_t>(character), &state);
  return length == static_cast<std::size_t>(-1) ? std::string() : std::string(buffer.data(), length);
}

}  // namespace

struct Terminal::Impl {
  SCREEN* screen = nullptr;
  WINDOW* keys = nullptr;  // a pad: reading from it draws nothing
  int colors = 0;
  std::array<std::string, 32> ink{};  // the sequence that switches to each ink
  std::string move, clear, hide_cursor, show_cursor;

  std::string sequence(Ink which) const {
    const Look l = look(which);
    std::string out = capability("sgr0");
    if (colors >= 256) {
      if (l.color >= 0) out += with_number(capability("setaf"), l.color);
      if (l.back >= 0) out += with_number(capability("setab"), l.back);
    } else if (colors >= 8) {
      if (l.basic >= 0) out += with_number(capability("setaf"), l.basic);
      if (l.basic_back >= 0) out += with_number(capability("setab"), l.basic_back);
    } else if (l.reverse) {
      out += capability("rev");
    }
    if (l.bold) out += capability("bold");
    if (l.dim && colors < 256) out += capability("dim");
    return out;
  }

  void prepare() {
    colors = tigetnum("colors");
    move = capability("cup");
    clear = capability("clear");
    hide_cursor = capability("civis");
    show_cursor = capability("cnorm");
    for (std::size_t i = 0; i <= static_cast<std::size_t>(Ink::field_active); ++i)
      ink[i] = sequence(static_cast<Ink>(i));
  }

  std::string move_to(int row, int column) const {
    const char* out = tiparm(move.c_str(), row, column);
    return out ? out : "";
  }

  std::optional<wint_t> next(bool& is_code) const {
    wint_t character = 0;
    const int result = wget_wch(keys, &character);
    if (result == ERR) return std::nullopt;
    is_code = result == KEY_CODE_YES;
    return character;
  }

  Key paste() const;
  Key mouse() const;
  Key code(wint_t character) const;
  Key character(wint_t character) const;
};

Terminal::Terminal() : impl_(std::make_unique<Impl>()) {}

Result<std::unique_ptr<Terminal>> Terminal::open() {
  const char* kind = std::getenv("TERM");
  if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)) {
    return fail(ErrorCode::invalid_param,
                "the chat screen needs a terminal; for scripts there are commands, see --help");
  }
  if (!kind || !*kind || std::strcmp(kind, "dumb") == 0) {
    return fail(ErrorCode::invalid_param, "the chat screen needs a terminal that can place its cursor (TERM is '" +
                                              std::string(kind ? kind : "") +
                                              "'); for scripts there are commands, see --help");
  }
  std::setlocale(LC_ALL, "");
  // Without a locale, as in many containers, the terminal most likely speaks UTF-8 all the same.
  if (std::strcmp(nl_langinfo(CODESET), "UTF-8") != 0) std::setlocale(LC_CTYPE, "C.UTF-8");
  std::unique_ptr<Terminal> out(new Terminal());
  Impl& impl = *out->impl_;
  impl.screen = newterm(nullptr, stdout, stdin);
  if (!impl.screen)
    return fail(ErrorCode::invalid_param, "no terminal of the kind '" + std::string(kind) + "' is known here");
  if (capability("cup").empty()) {
    return fail(ErrorCode::invalid_param, "a terminal of the kind '" + std::string(kind) + "' cannot place its cursor");
  }
  raw();
  noecho();
  nonl();
  set_escdelay(25);
  impl.keys = newpad(1, 1);
  keypad(impl.keys, TRUE);
  nodelay(impl.keys, TRUE);
  for (const char* prefix : {"\033[1;3", "\033[1;9", "\033\033["}) {
    define_key((std::string(prefix) + "A").c_str(), key_alt_up);
    define_key((std::string(prefix) + "B").c_str(), key_alt_down);
    define_key((std::string(prefix) + "C").c_str(), key_word_right);
    define_key((std::string(prefix) + "D").c_str(), key_word_left);
  }
  define_key("\033[1;5C", key_word_right);
  define_key("\033[1;5D", key_word_left);
  define_key("\033[200~", key_paste_begin);
  define_key("\033[201~", key_paste_end);
  mousemask(BUTTON1_PRESSED | BUTTON1_CLICKED | BUTTON4_PRESSED | BUTTON5_PRESSED, nullptr);
  mouseinterval(0);
  refresh();  // curses enters the full-screen mode with its first write
  impl.prepare();
  write_all("\033[?2004h");
  out->measure();
  return out;
}

Terminal::~Terminal() {
  if (!impl_->screen) return;
  write_all("\033[?2004l" + capability("sgr0") + impl_->show_cursor);
  if (impl_->keys) delwin(impl_->keys);
  endwin();
  delscreen(impl_->screen);
}

void Terminal::measure() {
  winsize size{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0 && size.ws_col > 0) {
    rows_ = size.ws_row;
    columns_ = size.ws_col;
  } else {
    rows_ = LINES;
    columns_ = COLS;
  }
  forget_screen();
}

void Terminal::suspend() {
  write_all("\033[?2004l" + impl_->show_cursor);
  kill(0, SIGTSTP);  // curses gives the terminal back, stops, and takes it again
  write_all("\033[?2004h");
  measure();
}

Key Terminal::Impl::paste() const {
  Key out{KeyCode::paste, "", 0, 0};
  // The end may come some moments later, over a slow line.
  for (int quiet = 0; quiet < 50;) {
    bool is_code = false;
    const auto character = next(is_code);
    if (!character) {
      pollfd wait{STDIN_FILENO, POLLIN, 0};
      poll(&wait, 1, 20);
      ++quiet;
      continue;
    }
    quiet = 0;
    if (is_code && *character == key_paste_end) break;
    if (is_code || out.text.size() > max_paste_bytes) continue;
    out.text += *character == '\r' ? "\n" : encode(*character);
  }
  return out;
}

Key Terminal::Impl::mouse() const {
  MEVENT event{};
  if (getmouse(&event) != OK) return {};
  if (event.bstate & BUTTON4_PRESSED) return {KeyCode::wheel_up, "", 0, 0};
  if (event.bstate & BUTTON5_PRESSED) return {KeyCode::wheel_down, "", 0, 0};
  if (event.bstate & (BUTTON1_PRESSED | BUTTON1_CLICKED)) return {KeyCode::click, "", event.y, event.x};
  return {};
}

Key Terminal::Impl::code(wint_t character) const {
  const auto key = [](KeyCode which) { return Key{which, "", 0, 0}; };
  switch (static_cast<int>(character)) {
    case KEY_UP:
      return key(KeyCode::up);
    case KEY_DOWN:
      return key(KeyCode::down);
    case KEY_LEFT:
      return key(KeyCode::left);
    case KEY_RIGHT:
      return key(KeyCode::right);
    case KEY_HOME:
      return key(KeyCode::home);
    case KEY_END:
      return key(KeyCode::end);
    case KEY_PPAGE:
      return key(KeyCode::page_up);
    case KEY_NPAGE:
      return key(KeyCode::page_down);
    case KEY_BACKSPACE:
      return key(KeyCode::backspace);
    case KEY_DC:
      return key(KeyCode::remove);
    case KEY_BTAB:
      return key(KeyCode::back_tab);
    case KEY_ENTER:
      return key(KeyCode::enter);
    case KEY_MOUSE:
      return mouse();
    case KEY_RESIZE:
      return key(KeyCode::resize);
    case key_alt_up:
      return key(KeyCode::alt_up);
    case key_alt_down:
      return key(KeyCode::alt_down);
    case key_word_left:
      return key(KeyCode::word_left);
    case key_word_right:
      return key(KeyCode::word_right);
    case key_paste_begin:
      return paste();
    default:
      return {};
  }
}

Key Terminal::Impl::character(wint_t character) const {
  switch (character) {
    case '\r':
      return {KeyCode::enter, "", 0, 0};
    case '\n':
      return {KeyCode::alt_enter, "", 0, 0};  // Ctrl-J
    case '\t':
      return {KeyCode::tab, "", 0, 0};
    case 0x7F:
    case 0x08:
      return {KeyCode::backspace, "", 0, 0};
    default:
      break;
  }
  if (character == 0x1B) {
    bool is_code = false;
    const auto more = next(is_code);
    if (!more || is_code) return {KeyCode::escape, "", 0, 0};
    if (*more == '\r' || *more == '\n') return {KeyCode::alt_enter, "", 0, 0};
    return *more == 0x1B ? Key{KeyCode::escape, "", 0, 0} : Key{KeyCode::alt, encode(*more), 0, 0};
  }
  if (character < 0x20) return {KeyCode::ctrl, std::string(1, static_cast<char>(character + 'a' - 1)), 0, 0};
  return {KeyCode::text, encode(character), 0, 0};
}

std::optional<Key> Terminal::read_key() {
  bool is_code = false;
  const auto first = impl_->next(is_code);
  if (!first) return std::nullopt;
  return is_code ? impl_->code(*first) : impl_->character(*first);
}

void Terminal::draw(const Frame& frame) {
  const Grid& grid = frame.grid;
  const bool all = !shown_ || shown_->rows() != grid.rows() || shown_->columns() != grid.columns();
  std::string out = impl_->hide_cursor;
  if (all) out += impl_->ink[0] + impl_->clear;
  for (int row = 0; row < grid.rows(); ++row) {
    int first = 0;
    int last = grid.columns() - 1;
    if (!all) {
      while (first <= last && grid.at(row, first) == shown_->at(row, first)) ++first;
      while (last >= first && grid.at(row, last) == shown_->at(row, last)) --last;
    }
    if (first > last) continue;
    // Never begin in the middle of a wide character, of the new row or of the old one.
    while (first > 0 && (grid.at(row, first).text.empty() || (!all && shown_->at(row, first).text.empty()))) --first;
    out += impl_->move_to(row, first);
    std::optional<Ink> ink;
    for (int column = first; column <= last; ++column) {
      const Cell& cell = grid.at(row, column);
      if (cell.text.empty()) continue;
      if (ink != cell.ink) out += impl_->ink[static_cast<std::size_t>(*(ink = cell.ink))];
      const bool wide = column + 1 < grid.columns() && grid.at(row, column + 1).text.empty();
      if (!cell.plain)
        out += (wide ? "  " : " ") + impl_->move_to(row, column);  // whatever it does not cover stays blank
      out += cell.text;
      if (!cell.plain && column + (wide ? 2 : 1) < grid.columns()) out += impl_->move_to(row, column + (wide ? 2 : 1));
    }
  }
  out += impl_->ink[0];
  if (frame.cursor_visible) out += impl_->move_to(frame.cursor_row, frame.cursor_column) + impl_->show_cursor;
  write_all(out);
  shown_ = grid;
}

}  // namespace skerry::client
