#include "client/tui/sign_in_form.h"

#include <algorithm>

#include "client/text/graphemes.h"

namespace skerry::client {
namespace {

constexpr int box_width = 56;
constexpr int label_width = 11;
constexpr std::size_t max_field_bytes = 512;
const std::array<const char*, 3> labels = {"Server", "User name", "Password"};
const std::array<const char*, 3> hints = {"example.org or https://...", "alice", ""};

}  // namespace

SignInForm::SignInForm(const std::string& server) {
  fields_[0].set(server);
  active_ = server.empty() ? 0 : 1;
}

bool SignInForm::on_key(const Key& key) {
  if (key.code == KeyCode::quit || key.is_ctrl('q') || key.is_ctrl('c')) {
    quit_ = true;
    return false;
  }
  if (waiting_) return false;
  if (key.is_ctrl('t')) {
    switch_mode();
    return false;
  }
  switch (key.code) {
    case KeyCode::tab:
    case KeyCode::down:
      move(+1);
      return false;
    case KeyCode::back_tab:
    case KeyCode::up:
      move(-1);
      return false;
    case KeyCode::enter:
      return submit();
    default:
      edit(fields_[active_], key);
      return false;
  }
}

void SignInForm::edit(Composer& field, const Key& key) {
  switch (key.code) {
    case KeyCode::text:
    case KeyCode::paste: {
      const std::string line = key.text.substr(0, key.text.find_first_of("\r\n"));
      if (field.text().size() + line.size() <= max_field_bytes) field.insert(line);
      message_ = {};
      return;
    }
    case KeyCode::backspace:
      return field.backspace();
    case KeyCode::remove:
      return field.remove();
    case KeyCode::left:
      return field.left();
    case KeyCode::right:
      return field.right();
    case KeyCode::home:
      return field.line_begin();
    case KeyCode::end:
      return field.line_end();
    default:
      if (key.is_ctrl('u')) field.clear();
  }
}

void SignInForm::switch_mode() {
  mode_ = mode_ == Mode::sign_in ? Mode::sign_up : Mode::sign_in;
  message_ = {};
}

void SignInForm::move(int direction) {
  active_ = (active_ + fields + static_cast<std::size_t>(direction + static_cast<int>(fields))) % fields;
}

bool SignInForm::submit() {
  // A whole user id says its server itself.
  const bool server_known = !server().empty() || (mode_ == Mode::sign_in && user().starts_with('@'));
  for (std::size_t i = 0; i < fields; ++i) {
    if (!fields_[i].empty() || (i == 0 && server_known)) continue;
    if (active_ == i) message_ = SafeText(labels[i]) + " is missing.";
    active_ = i;
    return false;
  }
  waiting_ = true;
  message_ = {};
  return true;
}

void SignInForm::finish(const SafeText& error) {
  waiting_ = false;
  message_ = error;
}

void SignInForm::draw_field(Frame& frame, int row, int column, int width, std::size_t index) const {
  const Composer& field = fields_[index];
  const bool active = index == active_ && !waiting_;
  const Ink ink = active ? Ink::field_active : Ink::field;
  frame.grid.put(row, column, labels[index], active ? Ink::strong : Ink::normal);
  const int begin = column + label_width;
  const int end = column + width;
  frame.grid.fill(row, begin, end, ink);
  std::string shown = field.text();
  std::size_t cursor = field.cursor();
  if (index == 2) {  // a star for each character
    cursor = clusters(std::string_view(shown).substr(0, cursor)).size();
    shown = std::string(clusters(shown).size(), '*');
  }
  // What is left of the cursor stays in sight.
  const std::string before = shown.substr(0, cursor);
  std::size_t from = 0;
  for (const Cluster& cluster : clusters(before)) {
    if (text_width(std::string_view(before).substr(from)) <= end - begin - 2) break;
    from = cluster.begin + cluster.length;
  }
  frame.grid.put(row, begin, SafeText(shown.substr(from)), ink, end);
  if (shown.empty() && !active) frame.grid.put(row, begin, hints[index], Ink::field, end);
  if (active) {
    frame.cursor_row = row;
    frame.cursor_column = begin + text_width(std::string_view(before).substr(from));
    frame.cursor_visible = true;
  }
}

Frame SignInForm::render(int rows, int columns) const {
  Frame out{Grid(rows, columns), 0, 0, false};
  const int width = std::min(box_width, columns - 2);
  if (width < label_width + 8 || rows < 6) {
    out.grid.put(0, 0, "too small", Ink::normal);
    return out;
  }
  const int column = (columns - width) / 2;
  int row = std::max(0, (rows - 14) / 2);
  const bool roomy = rows >= 14;
  const bool up = mode_ == Mode::sign_up;
  out.grid.put(row, column, up ? "Skerry — make an account" : "Skerry — sign in", Ink::strong);
  row += roomy ? 2 : 1;
  for (std::size_t i = 0; i < fields; ++i) {
    draw_field(out, row, column, width, i);
    row += roomy ? 2 : 1;
  }
  SafeText text = message_;
  Ink ink = Ink::error;
  if (waiting_) {
    text = up ? "Making the account…" : "Signing in…";
    ink = Ink::good;
  } else if (message_.empty()) {
    text = up ? "The server is sent this user name and this password, and nothing else: no phone, no email." : "";
    ink = Ink::dim;
  }
  for (const SafeText& line : wrap(text, width)) {
    if (row < rows - 1) out.grid.put(row++, column, line, ink);
  }
  row = std::max(row + (roomy ? 1 : 0), roomy ? (rows - 14) / 2 + 11 : row);
  const SafeText keys = up ? "Enter registers   Tab next field   Ctrl-T sign in   Ctrl-Q quits"
                           : "Enter signs in   Tab next field   Ctrl-T register   Ctrl-Q quits";
  for (const SafeText& line : wrap(keys, width)) {
    if (row < rows) out.grid.put(row++, column, line, Ink::dim);
  }
  return out;
}

}  // namespace skerry::client
