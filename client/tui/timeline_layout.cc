#include "client/tui/timeline_layout.h"

#include <algorithm>
#include <set>
#include <utility>

#include "client/sdk/describe.h"
#include "client/text/graphemes.h"
#include "client/text/time_text.h"

namespace skerry::client {
namespace {

using Kind = Description::Kind;

constexpr std::int64_t group_ms = 5 * 60'000;  // messages of one person within it stand under one name
constexpr int time_width = 6;                  // "09:41 "
constexpr int narrow = 44;                     // below, names stand in lines of their own

constexpr std::size_t measured_items = 200;  // whose senders' names the column of names is made for

bool is_speech(Kind kind) { return kind == Kind::message || kind == Kind::notice; }

// As wide as the names of who spoke lately, within reason.
int name_column(const Room& room, const std::string& own_user_id, int width) {
  std::set<std::string> people = {own_user_id};
  const auto& items = room.timeline.items();
  for (std::size_t i = items.size() > measured_items ? items.size() - measured_items : 0; i < items.size(); ++i) {
    if (!items[i].event.state_key) people.insert(items[i].event.sender);
  }
  int widest = 0;
  for (const std::string& user : people) widest = std::max(widest, text_width(room.short_name(user).str()));
  return std::clamp(widest, 3, std::clamp(width / 4, 8, 24));
}

}  // namespace

Ink name_ink(const std::string& user_id, const std::string& own_user_id) {
  if (user_id == own_user_id) return Ink::own_name;
  unsigned hash = 2'166'136'261U;  // FNV-1a: the same colour for a person everywhere
  for (const char c : user_id) hash = (hash ^ static_cast<unsigned char>(c)) * 16'777'619U;
  return static_cast<Ink>(static_cast<unsigned>(Ink::name_0) + (hash >> 8) % static_cast<unsigned>(name_inks));
}

TimelineLayout::TimelineLayout(const Room& room, std::string own_user_id, std::string new_from, int width)
    : room_(room),
      own_user_id_(std::move(own_user_id)),
      new_from_(std::move(new_from)),
      width_(std::max(width, 4)),
      name_width_(width_ < narrow ? 0 : name_column(room, own_user_id_, width_)),
      gutter_(width_ < narrow ? 2 : time_width + name_width_ + 2) {}

std::string TimelineLayout::key(std::size_t entry) const {
  const auto& items = room_.timeline.items();
  if (entry == 0) return "top";
  if (entry <= items.size()) return items[entry - 1].event.event_id;
  return room_.pending[entry - 1 - items.size()].transaction_id;
}

std::vector<Line> TimelineLayout::lines(std::size_t entry) const {
  const std::size_t items = room_.timeline.items().size();
  if (entry == 0) return top_lines();
  return entry <= items ? item_lines(entry - 1) : pending_lines(entry - 1 - items);
}

std::vector<Line> TimelineLayout::top_lines() const {
  if (room_.timeline.complete) return {Line{{{"  The room begins here.", Ink::dim}}}};
  if (room_.loading_history) return {Line{{{"  Loading earlier messages…", Ink::dim}}}};
  return {Line{{{"  ↑ earlier messages", Ink::dim}}}};
}

const TimelineItem* TimelineLayout::shown_before(std::size_t index) const {
  const auto& items = room_.timeline.items();
  while (index > 0) {
    const TimelineItem& item = items[--index];
    if (describe(room_, item).kind != Kind::hidden) return &item;
  }
  return nullptr;
}

Line TimelineLayout::rule(const SafeText& text, Ink ink) const {
  const int left = std::max(2, (width_ - text_width(text.str()) - 2) / 2);
  const int right = std::max(0, width_ - left - text_width(text.str()) - 2);
  SafeText before;
  SafeText after;
  for (int i = 0; i < left; ++i) before += "─";
  for (int i = 0; i < right; ++i) after += "─";
  return {{{before + " ", ink}, {text, ink}, {SafeText(" ") + after, ink}}};
}

Line TimelineLayout::head(const SafeText& time, const SafeText& name, Ink ink) const {
  if (name_width_ == 0) return {{{name, ink}, {SafeText("  ") + time, Ink::dim}}};
  const SafeText shown = fit(name, name_width_);
  const int pad = name_width_ - text_width(shown.str());
  const SafeText clock = time.empty() ? SafeText("      ") : time + " ";
  return {{{clock, Ink::dim},
           {std::string(static_cast<std::size_t>(pad), ' '), Ink::normal},
           {shown, ink},
           {"  ", Ink::normal}}};
}

Line TimelineLayout::indented(const SafeText& text, Ink ink) const {
  return {{{std::string(static_cast<std::size_t>(gutter_), ' '), Ink::normal}, {text, ink}}};
}

// The first line of the text goes beside the head; in narrow windows below it.
void TimelineLayout::add_body(std::vector<Line>& out, const Line& head_line, const SafeText& text, Ink ink) const {
  bool beside = name_width_ > 0;
  if (!beside && !head_line.spans.empty() && !head_line.spans.front().text.empty()) out.push_back(head_line);
  for (const SafeText& line : wrap(text, std::max(2, text_width_left()))) {
    if (beside) {
      out.push_back(head_line);
      out.back().spans.push_back({line, ink});
      beside = false;
    } else {
      out.push_back(indented(line, ink));
    }
  }
}

void TimelineLayout::add_reply(std::vector<Line>& out, const RoomEvent& event) const {
  const std::string target = relation_of(event).reply_to;
  const TimelineItem* item = target.empty() ? nullptr : room_.timeline.find(target);
  if (!item) return;
  const SafeText quote = room_.short_name(item->event.sender) + ": " + SafeText(describe(room_, *item).text.str());
  out.push_back(indented(fit(SafeText("↳ ") + quote, text_width_left()), Ink::dim));
}

std::vector<Line> TimelineLayout::item_lines(std::size_t index) const {
  const TimelineItem& item = room_.timeline.items()[index];
  const Description now = describe(room_, item);
  std::vector<Line> out;
  if (now.kind == Kind::hidden) return out;
  const RoomEvent& event = item.event;
  const std::int64_t time = event.origin_server_ts;
  const TimelineItem* before = shown_before(index);
  if (!before || local_day(before->event.origin_server_ts) != local_day(time))
    out.push_back(rule(day_text(time), Ink::rule));
  if (!new_from_.empty() && event.event_id == new_from_) out.push_back(rule("new", Ink::fresh));
  const bool grouped = out.empty() && before && is_speech(now.kind) && is_speech(describe(room_, *before).kind) &&
                       before->event.sender == event.sender && time - before->event.origin_server_ts < group_ms &&
                       relation_of(event).reply_to.empty();
  const bool same_minute = grouped && clock_text(before->event.origin_server_ts) == clock_text(time);
  const SafeText clock = same_minute ? SafeText() : SafeText(clock_text(time));
  const SafeText name = room_.short_name(event.sender);
  add_reply(out, event);
  if (now.kind == Kind::change) {
    add_body(out, head(clock, "—", Ink::change), now.text, Ink::change);
  } else if (now.kind == Kind::emote) {
    add_body(out, head(clock, "*", name_ink(event.sender, own_user_id_)), name + " " + now.text, Ink::normal);
  } else {
    const Ink ink = now.placeholder || now.kind == Kind::notice ? Ink::dim : Ink::normal;
    add_body(out, head(clock, grouped ? SafeText() : name, name_ink(event.sender, own_user_id_)), now.text, ink);
  }
  SafeText extra;
  if (item.edited_body) extra += "(edited)  ";
  for (const auto& [what, who] : item.reactions) extra += fit(what, 12) + " " + std::to_string(who.size()) + "  ";
  if (!extra.empty()) out.push_back(indented(fit(extra, text_width_left()), Ink::dim));
  return out;
}

std::vector<Line> TimelineLayout::pending_lines(std::size_t index) const {
  const PendingMessage& message = room_.pending[index];
  using State = PendingMessage::State;
  std::vector<Line> out;
  const SafeText name = room_.short_name(own_user_id_);
  const bool emote = message.kind == "m.emote";
  SafeText text = (emote ? name + " " : SafeText()) + SafeText::multi_line(message.body);
  if (message.state == State::queued || message.state == State::sending) text += " …";
  const Ink ink = message.state == State::sent ? Ink::normal : Ink::dim;
  add_body(out, head(clock_text(message.created_ms), emote ? SafeText("*") : name, Ink::own_name), text, ink);
  if (message.state == State::failed) {
    const SafeText why = SafeText("not sent: ") + SafeText(message.error) + " — Ctrl-R tries again";
    for (const SafeText& line : wrap(why, std::max(2, text_width_left()))) out.push_back(indented(line, Ink::error));
  }
  return out;
}

TimelineLayout::Position TimelineLayout::bottom() const {
  const std::size_t last = entries() - 1;
  Position at{last, 0};
  const std::size_t count = lines(last).size();
  if (count > 0) {
    at.line = count - 1;
  } else {
    step_up(at);
  }
  return at;
}

TimelineLayout::Position TimelineLayout::locate(const Scroll& scroll) const {
  if (!scroll.at_bottom()) {
    for (std::size_t entry = entries(); entry-- > 0;) {
      if (key(entry) != scroll.entry) continue;
      const std::size_t count = lines(entry).size();
      if (count > 0) return {entry, std::min(scroll.line, count - 1)};
    }
  }
  return bottom();
}

bool TimelineLayout::step_up(Position& at) const {
  if (at.line > 0) {
    --at.line;
    return true;
  }
  for (std::size_t entry = at.entry; entry-- > 0;) {
    const std::size_t count = lines(entry).size();
    if (count == 0) continue;
    at = {entry, count - 1};
    return true;
  }
  return false;
}

bool TimelineLayout::step_down(Position& at) const {
  if (at.line + 1 < lines(at.entry).size()) {
    ++at.line;
    return true;
  }
  for (std::size_t entry = at.entry + 1; entry < entries(); ++entry) {
    if (lines(entry).empty()) continue;
    at = {entry, 0};
    return true;
  }
  return false;
}

std::vector<Line> TimelineLayout::visible(const Scroll& scroll, int height) const {
  std::vector<Line> out;  // lowest first
  const Position at = locate(scroll);
  for (std::size_t entry = at.entry + 1; entry-- > 0 && static_cast<int>(out.size()) < height;) {
    std::vector<Line> all = lines(entry);
    if (entry == at.entry) all.resize(std::min(all.size(), at.line + 1));
    for (auto line = all.rbegin(); line != all.rend() && static_cast<int>(out.size()) < height; ++line) {
      out.push_back(std::move(*line));
    }
  }
  std::reverse(out.begin(), out.end());
  return out;
}

Scroll TimelineLayout::moved(const Scroll& scroll, int count, int height) const {
  Position at = locate(scroll);
  for (int i = 0; i < count && step_up(at); ++i) {
  }
  for (int i = 0; i < -count && step_down(at); ++i) {
  }
  // Never so far up that lines stay empty.
  Position top = at;
  int above = 1;
  while (above < height && step_up(top)) ++above;
  for (; above < height && step_down(at); ++above) {
  }
  const Position last = bottom();
  if (at.entry == last.entry && at.line == last.line) return {};
  return {key(at.entry), at.line};
}

bool TimelineLayout::near_top(const Scroll& scroll, int height) const {
  Position at = locate(scroll);
  int above = 0;
  while (above < 2 * height && step_up(at)) ++above;
  return above < 2 * height;
}

int TimelineLayout::messages_below(const Scroll& scroll) const {
  const Position at = locate(scroll);
  int count = 0;
  const auto& items = room_.timeline.items();
  for (std::size_t entry = at.entry + 1; entry <= items.size(); ++entry) {
    count += describe(room_, items[entry - 1]).kind != Kind::hidden;
  }
  return count;
}

}  // namespace skerry::client
