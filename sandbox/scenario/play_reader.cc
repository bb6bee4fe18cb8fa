#include <algorithm>
#include <array>

#include "sandbox/scenario/play_reader_impl.h"
#include "sandbox/world/names.h"

namespace skerry::sandbox {

namespace {

constexpr std::size_t word_bytes = 4'000;
constexpr std::int64_t most_chatter = 1'000;
constexpr std::int64_t usual_within_ms = 10'000;
constexpr std::int64_t usual_during_ms = 1'000;

constexpr std::array verbs = {
    std::pair{"say", Verb::say},
    std::pair{"chatter", Verb::chatter},
    std::pair{"join", Verb::join},
    std::pair{"leave", Verb::leave},
    std::pair{"invite", Verb::invite},
    std::pair{"kick", Verb::kick},
    std::pair{"ban", Verb::ban},
    std::pair{"kill", Verb::kill},
    std::pair{"start", Verb::start},
    std::pair{"block", Verb::block},
    std::pair{"unblock", Verb::unblock},
    std::pair{"freeze", Verb::freeze},
    std::pair{"thaw", Verb::thaw},
    std::pair{"link", Verb::link},
    std::pair{"partition", Verb::partition},
    std::pair{"clock", Verb::clock},
    std::pair{"dns", Verb::dns},
    std::pair{"backoff", Verb::backoff},
    std::pair{"heal", Verb::heal},
    std::pair{"delivered", Verb::delivered},
    std::pair{"converged", Verb::converged},
    std::pair{"not_delivered", Verb::not_delivered},
};

std::string verb_names() {
  std::string text;
  for (const auto& [name, verb] : verbs) text += (text.empty() ? "" : ", ") + std::string(name);
  return text;
}

}  // namespace

const char* verb_text(Verb verb) {
  for (const auto& [text, each] : verbs) {
    if (each == verb) return text;
  }
  return "";
}

PlayReader::PlayReader(Scenario& scenario)
    : scenario_(scenario), world_(scenario.world), decisions_(scenario.world.seed) {
  for (const WorldRoom& room : world_.rooms) {
    members_.emplace_back(room.members.begin(), room.members.end());
    members_.back().insert(room.creator);
  }
}

void PlayReader::read(Reader& table) {
  Act act;
  act.line = table.line();
  std::vector<Verb> found;
  for (const auto& [name, verb] : verbs) {
    if (table.has(name)) found.push_back(verb);
  }
  if (found.size() != 1) {
    return table.problem_at(act.line, "an act", "does one thing of: " + verb_names());
  }
  act.verb = found.front();
  act.at_ms = now_ms_;
  table.get_time("at", act.at_ms);
  if (act.at_ms < now_ms_) table.problem("at", "time runs backwards: the act before this one is later");
  now_ms_ = std::max(now_ms_, act.at_ms);
  switch (act.verb) {
    case Verb::say:
    case Verb::chatter:
      read_talk(table, act);
      break;
    case Verb::join:
    case Verb::leave:
    case Verb::invite:
    case Verb::kick:
    case Verb::ban:
      read_member(table, act);
      break;
    case Verb::kill:
    case Verb::start:
    case Verb::block:
    case Verb::unblock:
    case Verb::freeze:
    case Verb::thaw:
    case Verb::link:
    case Verb::partition:
    case Verb::clock:
    case Verb::dns:
    case Verb::backoff:
    case Verb::heal:
      read_server(table, act);
      break;
    case Verb::delivered:
    case Verb::not_delivered:
    case Verb::converged:
      read_assertion(table, act);
      break;
  }
  scenario_.play.push_back(std::move(act));
}

void PlayReader::read_talk(Reader& table, Act& act) {
  const auto where = room(table, "in");
  if (where) act.room = *where;
  table.get("as", act.label, typed_name_bytes);
  if (act.verb == Verb::say) {
    read_say(table, act, where.has_value());
  } else if (where) {
    read_chatter(table, act);
  }
  if (act.label.empty() || !where) return;
  Label label{act.room, {}};
  for (const WorldMessage& message : act.words) label.speakers.insert(message.user);
  if (act.fails) {
    table.problem("as", "what fails is not said, and cannot be expected anywhere");
  } else if (!labels_.emplace(act.label, label).second) {
    table.problem("as", "there is a " + act.label + " above already");
  }
}

void PlayReader::read_say(Reader& table, Act& act, bool known) {
  std::string text;
  table.get("say", text, word_bytes);
  table.get("beside", act.beside);
  table.get("fails", act.fails);
  if (act.beside && scenario_.direct) table.problem("beside", "in a direct sandbox there is no gateway to go past");
  const auto who = user(table, "by");
  if (!who) return;
  act.user = *who;
  act.words = {{*who, text}};
  if (act.fails || !known) return;
  if (members_[act.room].count(*who) == 0) {
    table.problem("by", world_.users[*who].id() + " is not in " + world_.rooms[act.room].name + " at this time");
  }
  must_reach(table, "by", act);
}

// Who can speak is known here, so who does is decided here.
void PlayReader::read_chatter(Reader& table, Act& act) {
  std::int64_t count = 0;
  table.get("chatter", count, 1, most_chatter);
  if (count == 0) return;  // it is no such number
  std::vector<std::size_t> speakers;
  for (const std::size_t member : members_[act.room]) {
    if (cut_off(member, false).empty()) speakers.push_back(member);
  }
  if (speakers.empty()) return table.problem("in", "nobody there can speak at this time");
  std::map<std::size_t, std::size_t> turns;
  for (std::int64_t i = 0; i < count; ++i) {
    const std::size_t speaker = speakers[decisions_.below(speakers.size())];
    act.words.push_back({speaker, make_text(decisions_)});
    ++turns[speaker];
  }
  std::string decided = "line " + std::to_string(act.line) + ": chatter by";
  for (const auto& [speaker, times] : turns) {
    decided +=
        (speaker == turns.begin()->first ? " " : ", ") + world_.users[speaker].id() + " " + std::to_string(times);
  }
  scenario_.decisions.push_back(decided + "; the first: '" + act.words.front().text + "'");
}

void PlayReader::read_member(Reader& table, Act& act) {
  table.get("fails", act.fails);
  const auto where = room(table, "in");
  const auto whom = user(table, verb_text(act.verb));
  const bool alone = act.verb == Verb::join || act.verb == Verb::leave;
  const auto who = alone ? whom : user(table, "by");
  if (!where || !whom || !who) return;
  act.room = *where;
  act.user = *who;
  act.other = *whom;
  if (act.fails) return;
  must_reach(table, alone ? verb_text(act.verb) : "by", act);
  follow_member(table, act);
}

void PlayReader::follow_member(Reader& table, const Act& act) {
  auto& members = members_[act.room];
  const std::string& name = world_.rooms[act.room].name;
  const bool in = members.count(act.other) > 0;
  const std::string whom = world_.users[act.other].id();
  if (act.verb == Verb::join || act.verb == Verb::invite) {
    if (in) table.problem(verb_text(act.verb), whom + " is in " + name + " already at this time");
  } else if (!in && act.verb != Verb::ban) {
    table.problem(verb_text(act.verb), whom + " is not in " + name + " at this time");
  }
  if (act.user != act.other && members.count(act.user) == 0) {
    table.problem("by", world_.users[act.user].id() + " is not in " + name + " at this time");
  }
  if (act.verb == Verb::join) members.insert(act.other);
  if (act.verb == Verb::leave || act.verb == Verb::kick || act.verb == Verb::ban) members.erase(act.other);
}

void PlayReader::read_assertion(Reader& table, Act& act) {
  asserted_ = true;
  const bool never = act.verb == Verb::not_delivered;
  act.time_ms = never ? usual_during_ms : usual_within_ms;
  table.get_time(never ? "during" : "within", act.time_ms);
  if (act.verb == Verb::converged) {
    const auto where = room(table, "converged");
    if (!where) return;
    act.room = *where;
    return read_among(table, act);
  }
  table.get(verb_text(act.verb), act.label, typed_name_bytes);
  const auto label = labels_.find(act.label);
  if (label == labels_.end()) {
    (void)table.get_list("to");
    return table.problem(verb_text(act.verb), "nothing was said as \"" + act.label + "\" before this line");
  }
  act.room = label->second.room;
  read_audience(table, act, label->second.speakers);
}

// Those of `to`, or all members but those who spoke.
void PlayReader::read_audience(Reader& table, Act& act, const std::set<std::size_t>& speakers) {
  for (const Entry& entry : table.get_list("to")) {
    std::string problem;
    const auto found = find_users(world_, entry.text, false, problem);
    if (found.empty()) table.problem_at(entry.line, "to", problem);
    act.audience.insert(act.audience.end(), found.begin(), found.end());
  }
  if (!table.has("to")) {
    for (const std::size_t member : members_[act.room]) {
      if (speakers.count(member) == 0 || speakers.size() > 1) act.audience.push_back(member);
    }
    if (act.audience.empty()) table.problem(verb_text(act.verb), "nobody else is in the room at this time");
  }
  if (act.verb == Verb::not_delivered) return;
  for (const std::size_t listener : act.audience) {
    if (const auto cut = cut_off(listener, false); !cut.empty()) {
      table.problem(table.has("to") ? "to" : verb_text(act.verb),
                    world_.users[listener].id() + " can hear nothing at this time: " + cut);
    }
    if (members_[act.room].count(listener) == 0) {
      table.problem("to", world_.users[listener].id() + " is not in " + world_.rooms[act.room].name + " at this time");
    }
  }
}

void PlayReader::read_among(Reader& table, Act& act) {
  std::set<std::string> wanted;
  for (const Entry& entry : table.get_list("among")) {
    auto found = find_server(world_.servers, entry.text);
    if (!found) {
      table.problem_at(entry.line, "among", found.error().text);
    } else {
      wanted.insert(std::move(*found));
    }
  }
  std::set<std::string> seen;
  for (const std::size_t member : members_[act.room]) {
    const std::string& server = world_.users[member].server;
    if (table.has("among") && wanted.count(server) == 0) continue;
    if (!seen.insert(server).second) continue;
    act.audience.push_back(member);
    if (const auto cut = cut_off(member, false); !cut.empty()) {
      table.problem(table.has("among") ? "among" : "converged", "it cannot be asked at this time: " + cut);
    }
  }
  for (const std::string& server : wanted) {
    if (seen.count(server) == 0) table.problem("among", "nobody of " + server + " is in the room at this time");
  }
  if (act.audience.size() < 2) table.problem("converged", "takes members on at least two servers");
}

std::optional<std::size_t> PlayReader::user(Reader& table, const char* key) {
  std::string typed;
  if (!table.required(key)) return std::nullopt;
  table.get(key, typed, typed_name_bytes);
  std::string problem;
  const auto found = find_users(world_, typed, true, problem);
  if (!found.empty()) return found.front();
  table.problem(key, problem);
  return std::nullopt;
}

std::optional<std::size_t> PlayReader::room(Reader& table, const char* key) {
  std::string typed;
  if (!table.required(key)) return std::nullopt;
  table.get(key, typed, typed_name_bytes);
  auto found = find_room(world_, typed);
  if (!found) table.problem(key, "there is no room " + typed);
  return found;
}

std::string PlayReader::cut_off(std::size_t user, bool beside) const {
  const std::string& server = world_.users[user].server;
  if (killed_.count(server) > 0 || faults_.find("freeze " + server)) return server + condition(server);
  if (beside || faults_.reaches(clients_party, server)) return "";
  return server + (faults_.find("block " + server) ? condition(server) : " is cut from clients");
}

void PlayReader::must_reach(Reader& table, const char* key, const Act& act) {
  const auto cut = cut_off(act.user, act.beside);
  if (cut.empty()) return;
  table.problem(key,
                world_.users[act.user].id() + " reaches nobody at this time: " + cut + " (fails = true expects that)");
}

}  // namespace skerry::sandbox
