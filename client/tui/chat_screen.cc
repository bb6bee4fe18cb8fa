#include "client/tui/chat_screen.h"

#include <algorithm>
#include <utility>

namespace skerry::client {
namespace {

constexpr int wheel_lines = 3;
// A typing notice is good for 20 seconds (sdk/api.cc); it is said again before that.
constexpr std::int64_t typing_again_ms = 12'000;

// How room names are ordered: without regard to ASCII case.
std::string sort_key(const Room& room) {
  std::string out = room.name().str();
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return out;
}

// The first of the last `unread` messages of others: where reading was left.
std::string first_unread(const Room& room, const std::string& own_user_id) {
  std::string out;
  int left = room.unread;
  const auto& items = room.timeline.items();
  for (auto item = items.rbegin(); item != items.rend() && left > 0; ++item) {
    if (item->event.sender == own_user_id || item->event.state_key) continue;
    out = item->event.event_id;
    --left;
  }
  return out;
}

}  // namespace

ChatScreen::ChatScreen(Chat& chat, net::Clock& clock, SafeText server, std::string open_room)
    : chat_(chat), clock_(clock), server_(std::move(server)), wanted_room_(std::move(open_room)) {}

std::vector<const Room*> ChatScreen::sorted_rooms() const {
  std::vector<std::pair<std::string, const Room*>> keyed;
  for (const auto& [id, room] : chat_.rooms()) keyed.emplace_back((room.invited() ? "0" : "1") + sort_key(room), &room);
  std::stable_sort(keyed.begin(), keyed.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<const Room*> out;
  for (const auto& [key, room] : keyed) out.push_back(room);
  return out;
}

const Room* ChatScreen::current_room() const { return chat_.find(current_); }

View ChatScreen::view() const {
  View out;
  out.rooms = sorted_rooms();
  out.current = current_room();
  out.own_user_id = chat_.user_id();
  out.own_name = chat_.own_name();
  out.server = server_;
  out.link = chat_.link();
  out.link_error = chat_.link_error();
  out.first_sync_done = chat_.first_sync_done();
  out.notice = notice_;
  out.panel = panel_;
  if (const auto found = views_.find(current_); found != views_.end()) {
    out.scroll = found->second.scroll;
    out.new_from = found->second.new_from;
    out.composer = &found->second.composer;
  }
  return out;
}

TimelineLayout ChatScreen::layout_of(const Room& room, const Regions& regions) const {
  const auto found = views_.find(current_);
  return {room, chat_.user_id(), found == views_.end() ? "" : found->second.new_from, regions.main_width() - 2};
}

void ChatScreen::refresh(int rows, int columns) {
  rows_ = rows;
  columns_ = columns;
  choose_room();
  if (quit_asked_ && unsent_asked_ > 0 && chat_.unsent() == 0) {  // the reason not to quit has gone
    forget_quitting();
    notice_ = {};
  }
  RoomView& here = current_view();
  const Room* room = current_room();
  if (!room || room->invited()) return;
  const Regions regions = arrange(view(), rows, columns);
  if (layout_of(*room, regions).near_top(here.scroll, regions.timeline_height()) && chat_.link() == Link::online) {
    chat_.load_history(current_);
  }
  if (here.scroll.at_bottom() && !panel_) chat_.mark_read(current_);
}

// Opens the room that was asked for, or some room where the open one is no more.
void ChatScreen::choose_room() {
  if (!current_room()) {
    const auto rooms = sorted_rooms();
    // The wanted room may still be on its way; without one, the first that is joined is a good place to begin.
    const auto first = std::find_if(rooms.begin(), rooms.end(), [](const Room* room) { return !room->invited(); });
    current_.clear();
    if (wanted_room_.empty() || chat_.first_sync_done()) {
      if (first != rooms.end())
        open((*first)->id());
      else if (!rooms.empty())
        open(rooms.front()->id());
    }
  }
  if (!wanted_room_.empty()) {
    for (const auto& [id, room] : chat_.rooms()) {
      const RoomEvent* alias = room.state_event("m.room.canonical_alias");
      const bool fits = id == wanted_room_ || room.name() == SafeText(wanted_room_) ||
                        (alias && alias->text("alias") == wanted_room_);
      if (!fits) continue;
      open(id);
      wanted_room_.clear();
      break;
    }
  }
}

void ChatScreen::open(const std::string& room_id) {
  if (room_id == current_) return;
  views_[current_].new_from.clear();
  current_ = room_id;
  panel_.reset();
  RoomView& here = current_view();
  if (const Room* room = current_room()) here.new_from = first_unread(*room, chat_.user_id());
}

void ChatScreen::on_joined(const std::string& room_id) {
  notice_ = {};
  wanted_room_ = room_id;
}

void ChatScreen::on_key(const Key& key, int rows, int columns) {
  rows_ = rows;
  columns_ = columns;
  if (key.code == KeyCode::quit) {
    quit_ = true;
    return;
  }
  if (key.code == KeyCode::ctrl) return control(key.text.empty() ? ' ' : key.text[0]);
  forget_quitting();
  if (navigate(key) || scroll_key(key)) return;
  if (key.code == KeyCode::enter) return enter();
  if (edit(key)) announce_typing();
}

void ChatScreen::control(char letter) {
  Composer& composer = current_view().composer;
  if (letter == 'q') return ask_to_quit();
  if (letter == 'c') return interrupt();
  forget_quitting();
  switch (letter) {
    case 'n':
      return step_room(+1);
    case 'p':
      return step_room(-1);
    case 'r':
      return chat_.retry_failed(current_);
    case 'a':
      return composer.line_begin();
    case 'e':
      return composer.line_end();
    case 'b':
      return composer.left();
    case 'f':
      return composer.right();
    case 'd':
      return composer.remove();
    case 'w':
      return composer.remove_word_before();
    case 'u':
      return composer.remove_to_line_begin();
    case 'k':
      return composer.remove_to_line_end();
    default:
      return;
  }
}

void ChatScreen::forget_quitting() {
  quit_asked_ = false;
  unsent_asked_ = 0;
}

bool ChatScreen::edit(const Key& key) {
  Composer& composer = current_view().composer;
  switch (key.code) {
    case KeyCode::text:
    case KeyCode::paste:
      notice_ = composer.insert(key.text) ? SafeText() : SafeText("That is longer than a message may be.");
      return true;
    case KeyCode::alt_enter:
      composer.insert("\n");
      return true;
    case KeyCode::backspace:
      composer.backspace();
      return true;
    case KeyCode::remove:
      composer.remove();
      return true;
    case KeyCode::left:
      composer.left();
      return false;
    case KeyCode::right:
      composer.right();
      return false;
    case KeyCode::word_left:
      composer.word_left();
      return false;
    case KeyCode::word_right:
      composer.word_right();
      return false;
    case KeyCode::home:
      composer.line_begin();
      return false;
    case KeyCode::end:
      composer.line_end();
      return false;
    case KeyCode::up:
      composer.up();
      return false;
    case KeyCode::down:
      composer.down();
      return false;
    case KeyCode::alt:
      if (key.is_alt('b')) composer.word_left();
      if (key.is_alt('f')) composer.word_right();
      return false;
    default:
      return false;
  }
}

bool ChatScreen::navigate(const Key& key) {
  switch (key.code) {
    case KeyCode::alt_up:
      step_room(-1);
      return true;
    case KeyCode::alt_down:
      step_room(+1);
      return true;
    case KeyCode::tab:
      if (current_view().composer.empty())
        step_room(+1);
      else
        complete();
      return true;
    case KeyCode::back_tab:
      step_room(-1);
      return true;
    case KeyCode::click:
      click(key);
      return true;
    case KeyCode::alt:
      if (!key.is_alt('a')) return false;
      next_unread_room();
      return true;
    default:
      return false;
  }
}

bool ChatScreen::scroll_key(const Key& key) {
  const int page = std::max(1, arrange(view(), rows_, columns_).timeline_height() - 2);
  switch (key.code) {
    case KeyCode::page_up:
      scroll(page);
      return true;
    case KeyCode::page_down:
      scroll(-page);
      return true;
    case KeyCode::wheel_up:
      scroll(wheel_lines);
      return true;
    case KeyCode::wheel_down:
      scroll(-wheel_lines);
      return true;
    case KeyCode::escape:
      if (panel_)
        panel_.reset();
      else if (!notice_.empty())
        notice_ = {};
      else
        current_view().scroll = {};
      return true;
    default:
      return false;
  }
}

void ChatScreen::scroll(int lines) {
  const Regions regions = arrange(view(), rows_, columns_);
  const int height = regions.timeline_height();
  if (panel_) {
    const int last = std::max(0, static_cast<int>(panel_->lines.size()) + 1 - height);
    panel_->first = std::clamp(panel_->first - lines, 0, last);
    return;
  }
  const Room* room = current_room();
  if (!room || room->invited() || height <= 0) return;
  RoomView& here = current_view();
  const TimelineLayout layout = layout_of(*room, regions);
  here.scroll = layout.moved(here.scroll, lines, height);
  if (lines > 0 && layout.near_top(here.scroll, height)) chat_.load_history(current_, true);
}

void ChatScreen::step_room(int direction) {
  const auto rooms = sorted_rooms();
  if (rooms.empty()) return;
  const auto here = std::find(rooms.begin(), rooms.end(), current_room());
  const auto count = static_cast<std::ptrdiff_t>(rooms.size());
  const std::ptrdiff_t index = here == rooms.end() ? 0 : (here - rooms.begin() + direction + count) % count;
  open(rooms[static_cast<std::size_t>(index)]->id());
}

void ChatScreen::next_unread_room() {
  const auto rooms = sorted_rooms();
  const auto waits = [](const Room* room) { return room->unread > 0 || room->invited(); };
  const auto here = std::find(rooms.begin(), rooms.end(), current_room());
  auto found = here == rooms.end() ? rooms.end() : std::find_if(here + 1, rooms.end(), waits);
  if (found == rooms.end()) found = std::find_if(rooms.begin(), here, waits);
  if (found != rooms.end() && *found != current_room())
    open((*found)->id());
  else
    notice_ = "Nothing unread in other rooms.";
}

void ChatScreen::click(const Key& key) {
  const View now = view();
  const Regions regions = arrange(now, rows_, columns_);
  if (key.column >= regions.list_width || key.row < regions.list_top || key.row >= regions.list_end) return;
  const std::size_t index = first_listed_room(now, regions) + static_cast<std::size_t>(key.row - regions.list_top);
  if (index < now.rooms.size()) open(now.rooms[index]->id());
}

// A command's name, or a member's at the beginning of a word.
void ChatScreen::complete() {
  Composer& composer = current_view().composer;
  const std::string word = composer.word_before_cursor();
  if (word.empty()) return;
  if (word.starts_with('/') && composer.cursor() == word.size()) {
    for (const SlashHelp& command : slash_commands()) {
      if (command.name.starts_with(word.substr(1)))
        return composer.replace_word_before_cursor("/" + std::string(command.name) + " ");
    }
    return;
  }
  const Room* room = current_room();
  if (!room) return;
  const std::string wanted = word.starts_with('@') ? word.substr(1) : word;
  const bool first = composer.cursor() == word.size();
  for (const std::string& user : room->known_members()) {
    const std::string name = room->member_name(user).str();
    if (name.starts_with(wanted) && !word.starts_with('@'))
      return composer.replace_word_before_cursor(name + (first ? ": " : " "));
    if (user.starts_with("@" + wanted)) return composer.replace_word_before_cursor(user + " ");
  }
}

// The first one clears what is written, or closes the page; the second leaves.
void ChatScreen::interrupt() {
  if (quit_asked_) return ask_to_quit();
  Composer& composer = current_view().composer;
  quit_asked_ = true;
  notice_ = "Ctrl-C once more leaves, as Ctrl-Q does.";
  panel_.reset();
  if (composer.empty()) return;
  composer.clear();
  announce_typing();
}

void ChatScreen::ask_to_quit() {
  const int unsent = chat_.unsent();
  if (unsent == 0 || unsent_asked_ > 0) {
    quit_ = true;
    return;
  }
  quit_asked_ = true;
  unsent_asked_ = unsent;
  notice_ = std::to_string(unsent) + (unsent == 1 ? " message is" : " messages are") +
            " not sent yet and would be lost. Ctrl-Q once more leaves all the same.";
}

void ChatScreen::enter() {
  Composer& composer = current_view().composer;
  if (composer.text().find_first_not_of(" \n") == std::string::npos) return composer.clear();
  notice_ = {};
  if (const auto command = parse_slash_command(composer.text())) {
    panel_.reset();
    const std::string room_before = current_;
    views_[room_before].composer.take();
    return run(*command);
  }
  if (!require_joined()) return;
  panel_.reset();
  chat_.send_message(current_, "m.text", message_of(composer.take()));
  current_view().scroll = {};
  current_view().new_from.clear();
  announce_typing();
}

void ChatScreen::announce_typing() {
  const Composer& composer = current_view().composer;
  const bool typing = !composer.empty() && !composer.text().starts_with('/');
  const std::int64_t now = clock_.now_ms();
  const bool said = typing_room_ == current_ && now < typing_until_ms_;
  if (typing && !said) {
    chat_.set_typing(current_, true);
    typing_room_ = current_;
    typing_until_ms_ = now + typing_again_ms;
  } else if (!typing && said) {
    chat_.set_typing(current_, false);
    typing_until_ms_ = 0;
  }
}

bool ChatScreen::require_joined() {
  const Room* room = current_room();
  if (room && !room->invited()) return true;
  notice_ =
      room ? "You are invited here: /join accepts, /leave declines." : "No room is open: /join or /create one first.";
  return false;
}

}  // namespace skerry::client
