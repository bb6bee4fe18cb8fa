#include "client/tui/screen.h"

#include <algorithm>

#include "client/text/graphemes.h"

namespace skerry::client {
namespace {

constexpr int smallest_rows = 4;
constexpr int smallest_columns = 20;
constexpr int columns_with_list = 60;
constexpr int rows_with_title = 8;
constexpr int most_composer_rows = 6;
constexpr int most_notice_rows = 4;
constexpr int prompt_width = 2;

std::size_t count(int n) { return static_cast<std::size_t>(std::max(n, 0)); }

class Painter {
 public:
  Painter(const View& view, int rows, int columns)
      : view_(view), regions_(arrange(view, rows, columns)), frame_{Grid(rows, columns), 0, 0, false} {}

  Frame run() {
    title();
    list();
    main();
    notice();
    composer();
    status();
    return std::move(frame_);
  }

 private:
  Grid& grid() { return frame_.grid; }

  void title() {
    if (regions_.timeline_top == 0) return;
    const int end = regions_.columns;
    if (regions_.list_width > 0) {
      grid().put(0, 1, "Skerry", Ink::strong);
      grid().fill(1, 0, regions_.list_width, Ink::rule, "─");
      grid().put(0, regions_.list_width, "│", Ink::rule);
      grid().put(1, regions_.list_width, "┼", Ink::rule);
    }
    grid().fill(1, regions_.main_column, end, Ink::rule, "─");
    if (!view_.current) return;
    const Room& room = *view_.current;
    const SafeText people = room.invited() || room.joined_count() == 0 ? SafeText() : people_text(room.joined_count());
    const int people_column = end - text_width(people.str()) - 1;
    int column = grid().put(0, regions_.main_column + 1, room.name(), Ink::strong, people_column - 1);
    const SafeText topic = room.topic();
    if (!topic.empty() && people_column - column > 8) {
      column = grid().put(0, column, "  ", Ink::dim);
      grid().put(0, column, fit(topic, people_column - column - 2), Ink::dim);
    }
    grid().put(0, people_column, people, Ink::dim);
  }

  static SafeText people_text(int joined) {
    return joined == 1 ? SafeText("1 person") : SafeText(std::to_string(joined) + " people");
  }

  void list() {
    const int width = regions_.list_width;
    if (width == 0) return;
    for (int row = regions_.list_top; row < regions_.list_end; ++row) grid().put(row, width, "│", Ink::rule);
    const std::size_t first = first_listed_room(view_, regions_);
    const std::size_t rows = count(regions_.list_end - regions_.list_top);
    for (std::size_t i = 0; i < rows && first + i < view_.rooms.size(); ++i) {
      list_entry(regions_.list_top + static_cast<int>(i), *view_.rooms[first + i]);
    }
    if (first + rows < view_.rooms.size() && rows > 0) {
      grid().fill(regions_.list_end - 1, 0, width, Ink::dim);
      grid().put(regions_.list_end - 1, 1, "↓ " + std::to_string(view_.rooms.size() - first - rows + 1) + " more",
                 Ink::dim, width);
    }
    if (view_.rooms.empty())
      grid().put(regions_.list_top, 1, view_.first_sync_done ? "no rooms yet" : "loading…", Ink::dim, width);
  }

  void list_entry(int row, const Room& room) {
    const int width = regions_.list_width;
    const bool open = &room == view_.current;
    const bool fresh = room.unread > 0 || room.invited();
    const Ink ink = open ? (fresh ? Ink::selected_fresh : Ink::selected) : fresh ? Ink::strong : Ink::normal;
    if (open) grid().fill(row, 0, width, ink);
    SafeText badge;
    if (room.invited())
      badge = "invite";
    else if (room.unread > 0)
      badge = room.unread > 999 ? SafeText("999+") : SafeText(std::to_string(room.unread));
    const int badge_column = width - 1 - text_width(badge.str());
    grid().put(row, 1, fit(room.name(), badge_column - (badge.empty() ? 1 : 2)), ink, badge_column);
    const Ink badge_ink = open ? ink : room.highlights > 0 ? Ink::highlight : Ink::fresh;
    grid().put(row, badge_column, badge, badge_ink, width);
  }

  void draw_line(int row, int column, const Line& line) {
    for (const Span& span : line.spans) column = grid().put(row, column, span.text, span.ink, regions_.columns);
  }

  void main() {
    if (view_.panel) return panel(*view_.panel);
    if (!view_.current) return welcome();
    if (view_.current->invited()) return invitation(*view_.current);
    const int height = regions_.timeline_height();
    const TimelineLayout layout(*view_.current, view_.own_user_id, view_.new_from, regions_.main_width() - 2);
    const std::vector<Line> lines = layout.visible(view_.scroll, height);
    int row = regions_.timeline_end - static_cast<int>(lines.size());
    for (const Line& line : lines) draw_line(row++, regions_.main_column + 1, line);
    if (view_.scroll.at_bottom() || height <= 0) return;
    const int below = layout.messages_below(view_.scroll);
    const SafeText text =
        fit("  ↓ " + std::to_string(below) + " below — Esc goes to the newest  ", regions_.main_width() - 2);
    grid().put(regions_.timeline_end - 1, std::max(regions_.main_column, regions_.columns - text_width(text.str()) - 1),
               text, Ink::selected);
  }

  void paragraph(int row, const SafeText& text, Ink ink) {
    for (const SafeText& line : wrap(text, std::max(2, regions_.main_width() - 4))) {
      if (row >= regions_.timeline_end) return;
      grid().put(row++, regions_.main_column + 2, line, ink);
    }
  }

  void welcome() {
    const int row = regions_.timeline_top + 1;
    if (!view_.first_sync_done) return paragraph(row, "Loading your rooms…", Ink::dim);
    paragraph(row, "You are in no room yet.", Ink::strong);
    paragraph(row + 2,
              SafeText::multi_line("/create NAME           makes a room of your own\n"
                                   "/join #room:server     joins one that you know of\n"
                                   "/help                  shows what else there is"),
              Ink::normal);
    paragraph(row + 6, SafeText("Others reach you as ") + view_.own_user_id, Ink::dim);
  }

  void invitation(const Room& room) {
    const int row = regions_.timeline_top + 1;
    paragraph(row, room.member_name(room.inviter()) + " invites you to " + room.name(), Ink::strong);
    paragraph(row + 2, SafeText("The invitation comes from ") + room.inviter(), Ink::dim);
    paragraph(row + 4, SafeText::multi_line("/join      accepts it\n/leave     declines it"), Ink::normal);
  }

  void panel(const Panel& panel) {
    int row = regions_.timeline_top;
    grid().put(row++, regions_.main_column + 1, panel.title + "  (Esc closes)", Ink::strong);
    for (std::size_t i = count(panel.first); i < panel.lines.size() && row < regions_.timeline_end; ++i) {
      draw_line(row++, regions_.main_column + 1, panel.lines[i]);
    }
  }

  void notice() {
    int row = regions_.notice_top;
    for (const SafeText& line : wrap(view_.notice, std::max(2, regions_.main_width() - 4))) {
      if (row >= regions_.rule_row) break;
      grid().put(row, regions_.main_column + 1, row == regions_.notice_top ? "▸ " : "  ", Ink::fresh);
      grid().put(row++, regions_.main_column + 3, line, Ink::fresh);
    }
    if (regions_.rule_row < 0) return;
    grid().fill(regions_.rule_row, regions_.main_column, regions_.columns, Ink::rule, "─");
    if (regions_.list_width > 0) grid().put(regions_.rule_row, regions_.list_width, "├", Ink::rule);
    const SafeText typing = typing_text();
    if (!typing.empty()) {
      grid().put(regions_.rule_row, regions_.main_column + 1,
                 SafeText(" ") + fit(typing, regions_.main_width() - 6) + " ", Ink::dim);
    }
  }

  SafeText typing_text() const {
    if (!view_.current || view_.current->typing.empty()) return {};
    const auto& who = view_.current->typing;
    const auto name = [this](const std::string& user) { return fit(view_.current->short_name(user), 24); };
    if (who.size() == 1) return name(who[0]) + " is typing…";
    if (who.size() == 2) return name(who[0]) + " and " + name(who[1]) + " are typing…";
    return std::to_string(who.size()) + " people are typing…";
  }

  void composer() {
    const int rows = regions_.composer_end - regions_.composer_top;
    if (!view_.composer || rows <= 0) return;
    const int column = regions_.main_column + 1 + prompt_width;
    grid().put(regions_.composer_top, column - prompt_width, "> ", Ink::dim);
    const Composer::Layout layout = view_.composer->layout(std::max(2, regions_.columns - column - 1));
    const std::size_t first = layout.cursor_line < count(rows) ? 0 : layout.cursor_line + 1 - count(rows);
    for (std::size_t i = 0; i < count(rows) && first + i < layout.lines.size(); ++i) {
      grid().put(regions_.composer_top + static_cast<int>(i), column, layout.lines[first + i], Ink::normal);
    }
    if (view_.composer->empty()) grid().put(regions_.composer_top, column, hint(), Ink::dim, regions_.columns - 1);
    frame_.cursor_row = regions_.composer_top + static_cast<int>(layout.cursor_line - first);
    frame_.cursor_column = std::min(column + layout.cursor_column, regions_.columns - 1);
    frame_.cursor_visible = true;
  }

  SafeText hint() const {
    if (!view_.current) return "/help";
    if (view_.current->invited()) return "/join or /leave";
    if (view_.current->encrypted()) return "encrypted: this client cannot write here";
    return "write here";
  }

  SafeText link_text() const {
    switch (view_.link) {
      case Link::connecting:
        return "connecting…";
      case Link::online:
        return "online";
      case Link::offline:
        return "offline — retrying";
      case Link::signed_out:
        return "signed out by the server";
    }
    return {};
  }

  void status() {
    const int row = regions_.rows - 1;
    if (row < 0) return;
    const int end = regions_.columns;
    grid().fill(row, 0, end, Ink::status);
    const SafeText keys = end >= 50 ? "/help  Ctrl-Q quits " : end >= 30 ? "Ctrl-Q quits " : "";
    const int keys_column = end - text_width(keys.str());
    grid().put(row, keys_column, keys, Ink::status);
    const SafeText link = link_text();
    const Ink ink = view_.link == Link::online       ? Ink::status_good
                    : view_.link == Link::connecting ? Ink::status
                                                     : Ink::status_bad;
    int column = 1;
    if (end < 50) {  // the connection matters more than who one is
      grid().put(row, column, fit(link, keys_column - column - 1), ink);
      return;
    }
    SafeText who(view_.own_user_id);
    if (!(view_.own_name == SafeText(view_.own_user_id)) && !view_.own_name.empty()) who = view_.own_name + "  " + who;
    const int link_width = text_width(link.str());
    column = grid().put(row, column, fit(who, keys_column - link_width - 6), Ink::status);
    column = grid().put(row, column + 2, link, ink, keys_column);
    SafeText more = view_.link == Link::offline || view_.link == Link::signed_out ? view_.link_error : view_.server;
    if (const int others = unread_elsewhere(); regions_.list_width == 0 && others > 0)
      more = std::to_string(others) + " unread elsewhere";
    if (keys_column - column > 8) grid().put(row, column + 2, fit(more, keys_column - column - 4), Ink::status);
  }

  int unread_elsewhere() const {
    int out = 0;
    for (const Room* room : view_.rooms) out += room == view_.current ? 0 : room->unread;
    return out;
  }

  const View& view_;
  Regions regions_;
  Frame frame_;
};

}  // namespace

Regions arrange(const View& view, int rows, int columns) {
  Regions out;
  out.rows = rows;
  out.columns = columns;
  out.list_width = columns >= columns_with_list ? std::clamp(columns / 4, 16, 30) : 0;
  out.main_column = out.list_width > 0 ? out.list_width + 1 : 0;
  const bool titled = rows >= rows_with_title;
  out.timeline_top = titled ? 2 : 0;
  out.list_top = out.timeline_top;
  out.list_end = rows - 1;
  out.composer_end = rows - 1;
  int composer_rows = 1;
  if (view.composer) {
    const int width = std::max(2, columns - out.main_column - prompt_width - 2);
    composer_rows = static_cast<int>(view.composer->layout(width).lines.size());
  }
  composer_rows = std::clamp(composer_rows, 1, std::max(1, std::min(most_composer_rows, rows / 3)));
  out.composer_top = out.composer_end - composer_rows;
  out.timeline_end = out.composer_top;
  out.notice_top = out.timeline_end;
  if (rows < 6) return out;
  out.rule_row = out.composer_top - 1;
  int notice_rows = 0;
  if (!view.notice.empty()) {
    notice_rows = static_cast<int>(wrap(view.notice, std::max(2, out.main_width() - 4)).size());
    notice_rows = std::clamp(notice_rows, 1, std::min(most_notice_rows, rows / 4));
  }
  out.notice_top = out.rule_row - notice_rows;
  out.timeline_end = out.notice_top;
  return out;
}

std::size_t first_listed_room(const View& view, const Regions& regions) {
  const std::size_t rows = count(regions.list_end - regions.list_top);
  const auto open = std::find(view.rooms.begin(), view.rooms.end(), view.current);
  if (open == view.rooms.end() || rows < 3) return 0;
  const auto index = static_cast<std::size_t>(open - view.rooms.begin());
  if (view.rooms.size() <= rows || index + 2 < rows) return 0;
  return std::min(index + 2 - rows, view.rooms.size() - rows);
}

Frame render(const View& view, int rows, int columns) {
  if (rows >= smallest_rows && columns >= smallest_columns) return Painter(view, rows, columns).run();
  Frame out{Grid(rows, columns), 0, 0, false};
  out.grid.put(0, 0, "too small", Ink::normal);
  return out;
}

}  // namespace skerry::client
