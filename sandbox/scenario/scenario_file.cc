#include "sandbox/scenario/scenario_file.h"

#include "sandbox/scenario/play_reader_impl.h"
#include "sandbox/scenario/toml_reader.h"

namespace skerry::sandbox {

namespace {

constexpr std::size_t most_acts = 1'000;
constexpr std::size_t most_people = 200;  // each listens all the time
constexpr std::size_t title_bytes = 200;
constexpr std::size_t lesson_bytes = 2'000;

std::string list(const Scenario& scenario, const std::vector<std::size_t>& users) {
  std::string text;
  for (const std::size_t user : users) text += (text.empty() ? "" : ", ") + scenario.world.users[user].id();
  return text;
}

std::string faults_text(const std::vector<Fault>& faults) {
  std::string text;
  for (const Fault& fault : faults) text += (text.empty() ? "" : "; ") + fault_text(fault);
  return text;
}

std::string kinds_text(const std::vector<FaultKind>& kinds) {
  std::string text;
  for (const FaultKind kind : kinds) text += (text.empty() ? "no more " : ", ") + to_text(kind);
  return text.empty() ? "all faults end" : text;
}

}  // namespace

Result<Scenario> parse_scenario(const std::string& text, const std::string& file, std::optional<std::uint64_t> seed) {
  Scenario scenario;
  auto read = read_toml(text, file, [&](Reader& top) {
    if (top.required("title")) top.get("title", scenario.title, title_bytes);
    if (top.required("lesson")) top.get("lesson", scenario.lesson, lesson_bytes);
    top.get("direct", scenario.direct);
    scenario.world = read_world(top, seed);
    if (scenario.world.users.size() > most_people) {
      top.problem("users", "a scenario has at most " + std::to_string(most_people));
    }
    if (scenario.world.users.empty()) {
      top.skip("play");
      return top.problem("users", "a scenario needs people");
    }
    PlayReader play(scenario);
    top.get_tables("play", most_acts, [&play](Reader& act) { play.read(act); });
    if (!play.asserted()) {
      top.problem("play", "expects nothing: add delivered, not_delivered or converged");
    }
  });
  if (!read) return tl::make_unexpected(read.error());
  return scenario;
}

std::string act_text(const Scenario& scenario, const Act& act) {
  const auto id = [&](std::size_t user) { return scenario.world.users[user].id(); };
  const std::string room = scenario.world.rooms.empty() ? "" : scenario.world.rooms[act.room].name;
  const std::string fails = act.fails ? ", and fails" : "";
  switch (act.verb) {
    case Verb::say:
      return id(act.user) + " says '" + act.words.front().text + "' in " + room +
             (act.beside ? ", beside the server" : "") + fails;
    case Verb::chatter:
      return std::to_string(act.words.size()) + " messages in " + room;
    case Verb::join:
      return id(act.user) + " joins " + room + fails;
    case Verb::leave:
      return id(act.user) + " leaves " + room + fails;
    case Verb::invite:
      return id(act.user) + " invites " + id(act.other) + " to " + room + fails;
    case Verb::kick:
      return id(act.user) + " kicks " + id(act.other) + " out of " + room + fails;
    case Verb::ban:
      return id(act.user) + " bans " + id(act.other) + " from " + room + fails;
    case Verb::kill:
      return act.server + " is killed";
    case Verb::start:
      return act.server + " starts again";
    case Verb::block:
      return act.server + " is blocked";
    case Verb::unblock:
      return act.server + " is unblocked";
    case Verb::freeze:
      return act.server + " is frozen";
    case Verb::thaw:
      return act.server + " is thawed";
    case Verb::link:
    case Verb::partition:
    case Verb::clock:
    case Verb::dns:
    case Verb::backoff:
      return faults_text(act.faults);
    case Verb::heal:
      return kinds_text(act.kinds);
    case Verb::delivered:
      return "'" + act.label + "' is heard by " + list(scenario, act.audience);
    case Verb::not_delivered:
      return "'" + act.label + "' is not heard by " + list(scenario, act.audience);
    case Verb::converged:
      return "the servers agree about " + room;
  }
  return "";
}

}  // namespace skerry::sandbox
