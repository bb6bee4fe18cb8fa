// The chat screen drawn: from what is known to a grid of cells. Pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "client/sdk/room.h"
#include "client/sdk/sync_loop.h"
#include "client/text/safe_text.h"
#include "client/tui/composer.h"
#include "client/tui/grid.h"
#include "client/tui/timeline_layout.h"

namespace skerry::client {

// A page in place of the timeline: help, members.
struct Panel {
  SafeText title;
  std::vector<Line> lines;
  int first = 0;  // the line at its top
};

struct View {
  std::vector<const Room*> rooms;  // in the order of the list
  const Room* current = nullptr;   // null: none is open
  std::string own_user_id;
  SafeText own_name;
  SafeText server;  // the homeserver's URL
  Link link = Link::connecting;
  SafeText link_error;
  bool first_sync_done = false;
  Scroll scroll;
  std::string new_from;
  const Composer* composer = nullptr;
  SafeText notice;
  std::optional<Panel> panel;
};

// Where the parts are, in cells. Parts that find no room have no size.
struct Regions {
  int rows = 0;
  int columns = 0;
  int list_width = 0;   // columns [0, list_width), then a rule
  int main_column = 0;  // where the right side begins
  int list_top = 0;     // rows [list_top, list_end)
  int list_end = 0;
  int timeline_top = 0;  // rows [timeline_top, timeline_end)
  int timeline_end = 0;
  int notice_top = 0;    // rows [notice_top, rule_row)
  int rule_row = -1;     // above the composer; -1: none
  int composer_top = 0;  // rows [composer_top, composer_end)
  int composer_end = 0;
  int main_width() const { return columns - main_column; }
  int timeline_height() const { return timeline_end - timeline_top; }
};
Regions arrange(const View& view, int rows, int columns);

// The first room of the list that is drawn, so that the open one is in sight.
std::size_t first_listed_room(const View& view, const Regions& regions);

Frame render(const View& view, int rows, int columns);

}  // namespace skerry::client
