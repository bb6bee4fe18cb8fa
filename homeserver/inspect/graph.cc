#include "homeserver/inspect/graph.h"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "homeserver/inspect/lanes.h"

namespace skerry::homeserver::inspect {

namespace {

constexpr std::size_t columns = 80;
constexpr std::size_t shown_lanes = 10;
constexpr std::size_t short_id = 9;  // of 44 characters: `$` and 48 bits

std::string shortened(const std::string& text, std::size_t size) {
  return text.size() <= size ? text : text.substr(0, size - 3) + "...";
}

char mark_of(const storage::StoredEvent& stored) {
  if (stored.judgement.verdict == Verdict::rejected) return 'x';
  if (stored.judgement.verdict == Verdict::soft_failed) return '~';
  return stored.outlier ? 'o' : '*';
}

// -- text
std::string lanes_text(const Row& row, char own) {
  std::string text;
  const auto put = [&text](std::size_t lane, char mark) {
    if (lane >= shown_lanes) return;
    if (text.size() < 2 * lane + 1) text.resize(2 * lane + 1, ' ');
    text[2 * lane] = mark;
  };
  for (const std::size_t lane : row.passing) put(lane, '|');
  put(row.lane, own);
  return text;
}

// The slanted strokes between a row and the next: lanes that end in, or begin at, the event's.
std::string strokes_text(const Row& row, const std::vector<std::size_t>& others, char rightwards, char leftwards) {
  std::string text = lanes_text(row, '|');
  for (const std::size_t lane : others) {
    if (lane >= shown_lanes) continue;
    const std::size_t at = lane > row.lane ? 2 * lane - 1 : 2 * lane + 1;
    if (text.size() < at + 1) text.resize(at + 1, ' ');
    for (std::size_t i = 2 * std::min(lane, row.lane) + 1; i < 2 * std::max(lane, row.lane); ++i) {
      if (i < text.size() && text[i] == ' ' && i != at) text[i] = '_';
    }
    text[at] = lane > row.lane ? rightwards : leftwards;
  }
  return text;
}

void print_text(const RoomGraph& graph, std::ostream& out) {
  std::vector<EventPtr> events;
  for (const auto& stored : graph.events) events.push_back(stored.event);
  out << graph.info.room.str() << "\nversion " << graph.info.version << ", " << graph.events.size() << " events";
  if (graph.left_out > 0) out << " shown of " << graph.events.size() + graph.left_out;
  out << ", newest first\n* accepted   ~ soft-failed   x rejected   o known without its place\n"
      << "HEAD: a forward extremity   [state]: stands in the current state\n\n";
  for (const Row& row : lay_out(events)) {
    const storage::StoredEvent& stored = graph.events[row.event];
    if (!row.joining.empty()) out << strokes_text(row, row.joining, '/', '\\') << "\n";
    std::string line = lanes_text(row, mark_of(stored));
    line += "  " + stored.event->id().str().substr(0, short_id) + " ";
    if (graph.is_extremity(stored.event->id())) line += "HEAD ";
    if (graph.is_current(*stored.event)) line += "[state] ";
    line += std::string(stored.event->sender().localpart()) + "  " + summary(*stored.event);
    if (!stored.judgement.rule.empty()) line += "  by rule " + stored.judgement.rule;
    out << shortened(line, columns) << "\n";
    if (!row.leaving.empty()) out << strokes_text(row, row.leaving, '\\', '/') << "\n";
  }
}

// -- DOT
std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  }
  return out + '"';
}

const char* colour_of(const storage::StoredEvent& stored) {
  if (stored.judgement.verdict == Verdict::rejected) return "#c0392b";
  if (stored.judgement.verdict == Verdict::soft_failed) return "#d68910";
  return stored.outlier ? "#909497" : "#1f618d";
}

void print_dot(const RoomGraph& graph, std::ostream& out) {
  out << "digraph room {\n  rankdir=BT;\n  node [shape=box, fontname=\"sans-serif\"];\n";
  for (const auto& stored : graph.events) {
    const std::string id = stored.event->id().str();
    out << "  " << quoted(id) << " [label=" << quoted(id.substr(0, short_id) + " " + summary(*stored.event))
        << ", color=\"" << colour_of(stored) << "\"" << (graph.is_current(*stored.event) ? ", style=bold" : "")
        << (graph.is_extremity(stored.event->id()) ? ", peripheries=2" : "") << "];\n";
    for (const EventId& prev : stored.event->prev_events()) {
      out << "  " << quoted(id) << " -> " << quoted(prev.str()) << ";\n";
    }
  }
  out << "}\n";
}

// -- SVG
std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '&':
        out += "&amp;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        if (static_cast<unsigned char>(c) >= 0x20) out += c;
    }
  }
  return out;
}

void print_svg(const RoomGraph& graph, std::ostream& out) {
  constexpr std::size_t row_height = 22, lane_width = 18, margin = 20;
  std::vector<EventPtr> events;
  for (const auto& stored : graph.events) events.push_back(stored.event);
  const std::vector<Row> rows = lay_out(events);
  struct Place {
    std::size_t x, y;
  };
  std::unordered_map<EventId, Place> places;
  std::size_t widest = 0;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    places[events[rows[i].event]->id()] = {margin + rows[i].lane * lane_width, margin + i * row_height};
    widest = std::max(widest, rows[i].lane);
  }
  const std::size_t text_x = margin + (widest + 1) * lane_width;
  out << R"(<svg xmlns="http://www.w3.org/2000/svg" width=")" << text_x + 760 << R"(" height=")"
      << 2 * margin + rows.size() * row_height << R"(" font-family="monospace" font-size="12">)"
      << "\n"
      << R"(<rect width="100%" height="100%" fill="white"/>)"
      << "\n";
  for (const EventPtr& event : events) {
    const Place from = places[event->id()];
    for (const EventId& prev : event->prev_events()) {
      const auto to = places.find(prev);
      if (to == places.end()) continue;
      out << "<path d=\"M" << from.x << " " << from.y << " C" << from.x << " " << from.y + row_height << " "
          << to->second.x << " " << to->second.y - row_height << " " << to->second.x << " " << to->second.y
          << "\" fill=\"none\" stroke=\"#aeb6bf\"/>\n";
    }
  }
  for (const auto& stored : graph.events) {
    const Place at = places[stored.event->id()];
    const bool is_head = graph.is_extremity(stored.event->id());
    out << "<circle cx=\"" << at.x << "\" cy=\"" << at.y << "\" r=\"5\" fill=\"" << colour_of(stored) << "\""
        << (is_head ? " stroke=\"black\" stroke-width=\"2\"" : "") << "/>\n<text x=\"" << text_x << "\" y=\""
        << at.y + 4 << "\"" << (graph.is_current(*stored.event) ? " font-weight=\"bold\"" : "") << ">"
        << escaped(stored.event->id().str().substr(0, short_id) + (is_head ? " HEAD " : " ") +
                   stored.event->sender().str() + "  " + summary(*stored.event))
        << (stored.judgement.rule.empty() ? "" : escaped("  by rule " + stored.judgement.rule)) << "</text>\n";
  }
  out << "</svg>\n";
}

// -- JSON
void print_json(const RoomGraph& graph, std::ostream& out) {
  const auto ids = [](const std::vector<EventId>& list) {
    Json json = Json::array();
    for (const EventId& id : list) json.push_back(id.str());
    return json;
  };
  Json events = Json::array();
  for (const auto& stored : graph.events) {
    const Event& event = *stored.event;
    Json entry = {{"event_id", event.id().str()},
                  {"type", event.type()},
                  {"sender", event.sender().str()},
                  {"depth", event.depth()},
                  {"origin_server_ts", event.origin_server_ts_ms()},
                  {"prev_events", ids(event.prev_events())},
                  {"auth_events", ids(event.auth_events())},
                  {"verdict", verdict_word(stored.judgement.verdict)},
                  {"outlier", stored.outlier},
                  {"extremity", graph.is_extremity(event.id())},
                  {"in_current_state", graph.is_current(event)}};
    if (event.state_key()) entry["state_key"] = *event.state_key();
    if (!stored.judgement.rule.empty()) {
      entry.update({{"rule", stored.judgement.rule}, {"reason", stored.judgement.reason}});
    }
    events.push_back(std::move(entry));
  }
  out << dump({{"room_id", graph.info.room.str()},
               {"room_version", graph.info.version},
               {"extremities", ids(graph.head.heads)},
               {"left_out", graph.left_out},
               {"events", std::move(events)}})
      << "\n";
}

}  // namespace

bool RoomGraph::is_extremity(const EventId& id) const {
  return std::find(head.heads.begin(), head.heads.end(), id) != head.heads.end();
}

bool RoomGraph::is_current(const Event& event) const {
  if (!event.is_state()) return false;
  const auto entry = current_state.find({event.type(), *event.state_key()});
  return entry != current_state.end() && entry->second == event.id();
}

Result<RoomGraph> load_graph(storage::Inspection& database, const RoomId& room, const std::optional<EventId>& around,
                             std::size_t most) {
  auto info = database.room(room);
  if (!info) return tl::make_unexpected(info.error());
  if (!*info) return fail(ErrorCode::not_found, "this server knows no room " + room.str());
  RoomGraph graph;
  graph.info = std::move(**info);
  auto head = database.head(room);
  if (!head) return tl::make_unexpected(head.error());
  if (*head) graph.head = std::move(**head);
  auto state = database.state(graph.head.current_state);
  if (!state) return tl::make_unexpected(state.error());
  graph.current_state = std::move(*state);
  auto events = database.events(room);
  if (!events) return tl::make_unexpected(events.error());
  std::size_t first = events->size() - std::min(events->size(), most);
  if (around) {
    const auto middle =
        std::find_if(events->begin(), events->end(), [&](const auto& stored) { return stored.event->id() == *around; });
    if (middle == events->end()) return fail(ErrorCode::not_found, "this server has no event " + around->str());
    const auto index = static_cast<std::size_t>(middle - events->begin());
    first = std::min(first, index - std::min(index, most / 2));
  }
  const std::size_t count = std::min(most, events->size() - first);
  graph.left_out = events->size() - count;
  const auto begin = events->begin() + static_cast<std::ptrdiff_t>(first);
  graph.events.assign(std::make_move_iterator(begin),
                      std::make_move_iterator(begin + static_cast<std::ptrdiff_t>(count)));
  return graph;
}

void print_graph(const RoomGraph& graph, GraphFormat format, std::ostream& out) {
  switch (format) {
    case GraphFormat::text:
      return print_text(graph, out);
    case GraphFormat::dot:
      return print_dot(graph, out);
    case GraphFormat::svg:
      return print_svg(graph, out);
    case GraphFormat::json:
      return print_json(graph, out);
  }
}

std::string summary(const Event& event) {
  std::string text = event.type();
  if (event.state_key() && !event.state_key()->empty()) text += " " + *event.state_key();
  if (!event.membership().empty()) text += " " + std::string(event.membership());
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';  // nothing of others acts on a terminal
  }
  return text;
}

const char* verdict_word(Verdict verdict) {
  switch (verdict) {
    case Verdict::accepted:
      return "accepted";
    case Verdict::soft_failed:
      return "soft-failed";
    case Verdict::rejected:
      return "rejected";
    case Verdict::dropped:
      return "dropped";
  }
  return "";
}

}  // namespace skerry::homeserver::inspect
