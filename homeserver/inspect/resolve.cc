#include "homeserver/inspect/resolve.h"

#include <nlohmann/json.hpp>

#include "homeserver/inspect/graph.h"
#include "homeserver/inspect/replay.h"

namespace skerry::homeserver::inspect {

namespace {

// What is printed: the state, and how it came about.
struct Outcome {
  StateMap state;
  std::vector<Resolution> resolutions;
  std::optional<Replay> history;
};

Result<const RoomRules*> rules_of(const std::string& version) {
  if (const RoomRules* rules = find_room_rules(version)) return rules;
  std::string known;
  for (const RoomRules* rules : all_room_rules()) known += " " + std::string(rules->version);
  return fail(ErrorCode::invalid_param, "there is no room version '" + version + "' here; there are:" + known);
}

Result<Outcome> resolve_states(const RoomRules& rules, const EventsById& events,
                               const std::vector<std::string>& files) {
  std::vector<StatePtr> forks;
  for (const std::string& file : files) {
    auto state = read_state(file, events);
    if (!state) return tl::make_unexpected(state.error());
    forks.push_back(std::move(*state));
  }
  if (auto complete = check_auth_events_are_there(events); !complete) return tl::make_unexpected(complete.error());
  const EventLookup lookup = [&events](const EventId& id) -> EventPtr {
    const auto found = events.find(id);
    return found == events.end() ? nullptr : found->second;
  };
  Outcome outcome;
  ResolutionTrace trace;
  auto resolved = resolve_state(
      rules, forks, lookup, [](const EventId&) { return false; }, &trace);
  if (const auto* missing = std::get_if<Missing>(&resolved)) {
    return fail(ErrorCode::invalid_param, "the auth event " + missing->ids.front().str() + " is absent");
  }
  outcome.state = std::get<StateMap>(std::move(resolved));
  outcome.resolutions.push_back({"", std::move(trace)});
  return outcome;
}

Result<Outcome> resolve_history(const RoomRules& rules, const EventsById& events) {
  auto history = replay(rules, events);
  if (!history) return tl::make_unexpected(history.error());
  Outcome outcome{history->state, std::move(history->resolutions), std::nullopt};
  outcome.history = std::move(*history);
  return outcome;
}

// -- as JSON
Json ids_json(const std::vector<EventId>& ids) {
  Json list = Json::array();
  for (const EventId& id : ids) list.push_back(id.str());
  return list;
}

Json check_json(const ResolutionTrace::Check& check) {
  Json entry = {{"event_id", check.event.str()}};
  if (const auto* refused = std::get_if<Refused>(&check.verdict)) {
    entry.update({{"verdict", "refused"}, {"rule", refused->rule}, {"reason", refused->reason}});
  } else if (const auto* missing = std::get_if<Missing>(&check.verdict)) {
    entry.update({{"verdict", "missing"}, {"missing", ids_json(missing->ids)}});
  } else {
    entry["verdict"] = "allowed";
  }
  return entry;
}

Json resolution_json(const Resolution& resolution) {
  const ResolutionTrace& trace = resolution.trace;
  Json checks = Json::array();
  for (const auto& check : trace.checks) checks.push_back(check_json(check));
  Json json = {{"conflicted", ids_json(trace.conflicted)},
               {"auth_difference", ids_json(trace.auth_difference)},
               {"conflicted_subgraph", ids_json(trace.subgraph)},
               {"power_ordering", ids_json(trace.power_ordering)},
               {"mainline", ids_json(trace.mainline)},
               {"mainline_ordering", ids_json(trace.mainline_ordering)},
               {"checks", std::move(checks)}};
  if (!resolution.at.empty()) json["before"] = resolution.at;
  return json;
}

// The last resolution's members; with a history, every other one and the events' verdicts as well.
Json explain_json(const Outcome& outcome) {
  const bool at_end = !outcome.resolutions.empty() && outcome.resolutions.back().at.empty();
  Json json = resolution_json(at_end ? outcome.resolutions.back() : Resolution());
  if (!outcome.history) return json;
  Json earlier = Json::array();
  for (const Resolution& resolution : outcome.resolutions) {
    if (!resolution.at.empty()) earlier.push_back(resolution_json(resolution));
  }
  Json events = Json::array();
  for (const EventPtr& event : outcome.history->order) {
    const Judgement& judgement = outcome.history->verdicts.at(event->id());
    Json entry = {{"event_id", event->id().str()}, {"verdict", verdict_word(judgement.verdict)}};
    if (!judgement.rule.empty()) entry.update({{"rule", judgement.rule}, {"reason", judgement.reason}});
    events.push_back(std::move(entry));
  }
  json["resolutions_before"] = std::move(earlier);
  json["events"] = std::move(events);
  json["extremities"] = ids_json(outcome.history->extremities);
  return json;
}

void print_json(const Outcome& outcome, bool explain, std::ostream& out) {
  Json state = Json::object();
  for (const auto& [key, id] : outcome.state) state[key.type + "|" + key.state_key] = id.str();
  out << dump(explain ? Json{{"state", std::move(state)}, {"explain", explain_json(outcome)}} : state) << "\n";
}

// -- for people
void print_ids(const char* title, const std::vector<EventId>& ids, std::ostream& out) {
  out << "  " << title << (ids.empty() ? ": none\n" : ":\n");
  for (const EventId& id : ids) out << "    " << id.str() << "\n";
}

void print_resolution(const Resolution& resolution, std::ostream& out) {
  const ResolutionTrace& trace = resolution.trace;
  out << (resolution.at.empty() ? "Resolution" : "Resolution before " + resolution.at) << "\n";
  print_ids("conflicted state set", trace.conflicted, out);
  if (trace.conflicted.empty()) return;
  print_ids("auth difference", trace.auth_difference, out);
  if (!trace.subgraph.empty()) print_ids("conflicted state subgraph", trace.subgraph, out);
  print_ids("reverse topological power ordering", trace.power_ordering, out);
  print_ids("mainline, newest first", trace.mainline, out);
  print_ids("mainline ordering", trace.mainline_ordering, out);
  out << "  authorization\n";
  for (const auto& check : trace.checks) {
    out << "    " << check.event.str();
    if (const auto* refused = std::get_if<Refused>(&check.verdict)) {
      out << "  refused by rule " << refused->rule << ": " << refused->reason << "\n";
    } else {
      out << (std::holds_alternative<Allowed>(check.verdict) ? "  allowed\n" : "  an event is absent\n");
    }
  }
}

void print_text(const Outcome& outcome, bool explain, std::ostream& out) {
  if (explain && outcome.history) {
    out << "Events, in order\n";
    for (const EventPtr& event : outcome.history->order) {
      const Judgement& judgement = outcome.history->verdicts.at(event->id());
      out << "  " << event->id().str() << "  " << verdict_word(judgement.verdict);
      if (!judgement.rule.empty()) out << " by rule " << judgement.rule << ": " << judgement.reason;
      out << "\n";
    }
    print_ids("forward extremities", outcome.history->extremities, out);
  }
  if (explain) {
    for (const Resolution& resolution : outcome.resolutions) print_resolution(resolution, out);
    out << "State\n";
  }
  for (const auto& [key, id] : outcome.state) {
    out << (explain ? "  " : "") << key.type << " '" << key.state_key << "'  " << id.str() << "\n";
  }
}

}  // namespace

Result<void> resolve(const ResolveOptions& options, std::ostream& out) {
  const auto rules = rules_of(options.room_version);
  if (!rules) return tl::make_unexpected(rules.error());
  const auto events = read_events(options.event_files);
  if (!events) return tl::make_unexpected(events.error());
  const auto outcome = options.state_files.empty() ? resolve_history(**rules, *events)
                                                   : resolve_states(**rules, *events, options.state_files);
  if (!outcome) return tl::make_unexpected(outcome.error());
  options.json ? print_json(*outcome, options.explain, out) : print_text(*outcome, options.explain, out);
  return {};
}

}  // namespace skerry::homeserver::inspect
