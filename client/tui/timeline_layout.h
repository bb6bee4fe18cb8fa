// A room's timeline as lines of a given width, and moving through them. Pure.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "client/sdk/room.h"
#include "client/tui/grid.h"

namespace skerry::client {

struct Span {
  SafeText text;
  Ink ink = Ink::normal;
};

struct Line {
  std::vector<Span> spans;
};

// Which line is the lowest on the screen. At the bottom: whatever comes is shown.
struct Scroll {
  std::string entry;  // an event id or a transaction id; empty: the bottom
  std::size_t line = 0;
  bool at_bottom() const { return entry.empty(); }
};

// Entry 0 says what is above; then the timeline's items; then own messages on their way.
class TimelineLayout {
 public:
  // REQUIRES: room outlives it and does not change. `new_from` is the event before which 'new' is drawn; it may be
  // empty.
  TimelineLayout(const Room& room, std::string own_user_id, std::string new_from, int width);

  // The lines to be seen with `scroll`, at most `height`, the lowest last.
  std::vector<Line> visible(const Scroll& scroll, int height) const;
  // `scroll` moved by so many lines, upwards when positive; never above the first line.
  Scroll moved(const Scroll& scroll, int lines, int height) const;
  // Whether there are fewer than `height` lines above what is shown: time to load earlier messages.
  bool near_top(const Scroll& scroll, int height) const;
  // How many messages of others are below.
  int messages_below(const Scroll& scroll) const;

 private:
  struct Position {
    std::size_t entry = 0;
    std::size_t line = 0;
  };

  std::size_t entries() const { return 1 + room_.timeline.items().size() + room_.pending.size(); }
  std::string key(std::size_t entry) const;
  std::vector<Line> lines(std::size_t entry) const;
  Position locate(const Scroll& scroll) const;
  bool step_up(Position& at) const;
  bool step_down(Position& at) const;
  Position bottom() const;

  std::vector<Line> top_lines() const;
  std::vector<Line> item_lines(std::size_t index) const;
  std::vector<Line> pending_lines(std::size_t index) const;
  const TimelineItem* shown_before(std::size_t index) const;
  Line rule(const SafeText& text, Ink ink) const;
  void add_body(std::vector<Line>& out, const Line& head, const SafeText& text, Ink ink) const;
  Line head(const SafeText& time, const SafeText& name, Ink name_ink) const;
  Line indented(const SafeText& text, Ink ink) const;
  void add_reply(std::vector<Line>& out, const RoomEvent& event) const;
  int text_width_left() const { return width_ - gutter_; }

  const Room& room_;
  std::string own_user_id_;
  std::string new_from_;
  int width_;
  int name_width_;
  int gutter_;  // columns before the text
};

// The colour of a person's name.
Ink name_ink(const std::string& user_id, const std::string& own_user_id);

}  // namespace skerry::client
