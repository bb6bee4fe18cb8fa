#include "tests/simulator/script.h"

#include <algorithm>
#include <map>
#include <sstream>
#include <utility>

#include "core/room_rules.h"
#include "tests/simulator/dice.h"

namespace skerry::simulator {

namespace {

constexpr int most_servers = 5;
constexpr int most_actions = 10'000;

struct Named {
  Deed deed;
  const char* name;
  int weight;  // how often, against the others
};

constexpr Named deeds[] = {
    {Deed::say, "say", 24},
    {Deed::topic, "topic", 8},
    {Deed::note, "note", 8},
    {Deed::power, "power", 8},
    {Deed::join_rule, "join_rule", 4},
    {Deed::visibility, "visibility", 2},
    {Deed::redact, "redact", 3},
    {Deed::invite, "invite", 4},
    {Deed::join, "join", 10},
    {Deed::leave, "leave", 3},
    {Deed::kick, "kick", 4},
    {Deed::ban, "ban", 5},
    {Deed::unban, "unban", 4},
    {Deed::backfill, "backfill", 2},
    {Deed::cut, "cut", 5},
    {Deed::split, "split", 4},
    {Deed::mend, "mend", 8},
    {Deed::kill, "kill", 3},
    {Deed::power_loss, "power_loss", 3},
    {Deed::forge, "forge", 3},
    {Deed::equivocate, "equivocate", 5},
    {Deed::cite_rejected, "cite_rejected", 4},
    {Deed::backdate, "backdate", 6},
    {Deed::tamper, "tamper", 3},
    {Deed::usurp, "usurp", 3},
    {Deed::unjust_ban, "unjust_ban", 3},
    {Deed::from_nowhere, "from_nowhere", 2},
};

bool is_lie(Deed deed) { return deed >= Deed::forge; }

Deed choose_deed(Dice& dice, bool with_lies) {
  int all = 0;
  for (const auto& entry : deeds) all += is_lie(entry.deed) && !with_lies ? 0 : entry.weight;
  int at = dice.below(all);
  for (const auto& entry : deeds) {
    if (is_lie(entry.deed) && !with_lies) continue;
    if ((at -= entry.weight) < 0) return entry.deed;
  }
  return Deed::say;
}

// Mostly the versions that rooms have today.
std::string choose_version(Dice& dice) {
  const int share = dice.below(10);
  if (share < 4) return "12";
  if (share < 6) return "11";
  if (share < 8) return "10";
  return std::to_string(dice.between(1, 9));
}

Action choose_action(Dice& dice, const Script& script) {
  Action action;
  action.deed = choose_deed(dice, script.liars > 0);
  action.server = dice.below(script.servers);
  if (is_lie(action.deed)) action.server = script.servers - 1 - dice.below(script.liars);
  // The first user of each server is the one with a say.
  action.user = dice.percent(70) ? 0 : dice.below(users_per_server);
  action.target = dice.below(script.servers * users_per_server);
  const bool shuts_out = action.deed == Deed::kick || action.deed == Deed::ban;
  if (shuts_out && dice.percent(60)) action.target = action.target / users_per_server * users_per_server + 1;
  if (action.deed == Deed::leave && dice.percent(60)) action.user = users_per_server - 1;
  action.value = dice.below(1'000);
  action.steps = dice.percent(35) ? dice.below(8) : -1;
  action.wait_ms = dice.percent(30) ? 0 : dice.below(2'000);
  action.dice = dice.below(1'000'000'000);
  return action;
}

}  // namespace

const char* name_of(Deed deed) {
  for (const auto& entry : deeds) {
    if (entry.deed == deed) return entry.name;
  }
  return "nothing";
}

Script script_of(std::uint64_t seed) {
  Dice dice(seed);
  Script script;
  script.seed = seed;
  script.version = choose_version(dice);
  script.servers = dice.between(2, 4);
  script.liars = script.servers > 2 && dice.percent(60) ? 1 : 0;
  script.loss = dice.percent(50) ? 0 : dice.between(1, 15);
  script.repeats = dice.percent(50) ? 0 : dice.between(1, 20);
  script.delay_ms = dice.one_of<int>({1, 50, 500, 3'000});
  const int count = dice.between(10, 45);
  for (int i = 0; i < count; ++i) script.actions.push_back(choose_action(dice, script));
  if (script.liars > 0) {
    script.false_answers = dice.percent(30) ? 0 : dice.between(10, 100);
    script.false_states = dice.percent(25) ? 1 : 0;
  }
  return script;
}

std::string to_text(const Script& script) {
  std::ostringstream text;
  text << "seed " << script.seed << "\nversion " << script.version << "\nservers " << script.servers << "\nliars "
       << script.liars << "\nfalse_answers " << script.false_answers << "\nfalse_states " << script.false_states
       << "\nloss " << script.loss << "\nrepeats " << script.repeats << "\ndelay_ms " << script.delay_ms << "\n";
  for (const auto& action : script.actions) {
    text << "do " << name_of(action.deed) << " server " << action.server << " user " << action.user << " target "
         << action.target << " value " << action.value << " steps " << action.steps << " wait_ms " << action.wait_ms
         << " dice " << action.dice << "\n";
  }
  return text.str();
}

namespace {

Result<Action> parse_action(std::istringstream& words) {
  Action action;
  std::string name;
  words >> name;
  const auto found =
      std::find_if(std::begin(deeds), std::end(deeds), [&](const Named& entry) { return entry.name == name; });
  if (found == std::end(deeds)) return fail(ErrorCode::bad_json, "there is no deed '" + name + "'");
  action.deed = found->deed;
  const std::map<std::string, int*> fields = {
      {"server", &action.server}, {"user", &action.user},       {"target", &action.target}, {"value", &action.value},
      {"steps", &action.steps},   {"wait_ms", &action.wait_ms}, {"dice", &action.dice}};
  std::string key;
  while (words >> key) {
    const auto field = fields.find(key);
    if (field == fields.end() || !(words >> *field->second)) {
      return fail(ErrorCode::bad_json, "'" + key + "' is not understood");
    }
  }
  return action;
}

bool is_playable(const Script& script) {
  const auto fits = [&](const Action& action) {
    return action.server >= 0 && action.server < script.servers && action.user >= 0 && action.user < users_per_server &&
           action.target >= 0 && action.target < script.servers * users_per_server && action.value >= 0 &&
           action.wait_ms >= 0;
  };
  return find_room_rules(script.version) != nullptr && script.servers >= 1 && script.servers <= most_servers &&
         script.liars >= 0 && script.liars < script.servers && script.false_answers >= 0 &&
         script.false_answers <= 100 && script.false_states >= 0 && script.false_states <= 1 && script.loss >= 0 &&
         script.loss < 100 && script.repeats >= 0 && script.repeats <= 100 && script.delay_ms >= 1 &&
         std::all_of(script.actions.begin(), script.actions.end(), fits);
}

}  // namespace

Result<Script> parse_script(const std::string& text) {
  Script script;
  std::istringstream lines(text);
  const std::map<std::string, int*> numbers = {
      {"servers", &script.servers},           {"liars", &script.liars}, {"false_answers", &script.false_answers},
      {"false_states", &script.false_states}, {"loss", &script.loss},   {"repeats", &script.repeats},
      {"delay_ms", &script.delay_ms}};
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string key;
    if (!(words >> key) || key.front() == '#') continue;
    if (key == "do") {
      auto action = parse_action(words);
      if (!action) return fail(ErrorCode::bad_json, line + ": " + action.error().text);
      script.actions.push_back(*action);
    } else if (key == "seed") {
      words >> script.seed;
    } else if (key == "version") {
      words >> script.version;
    } else if (const auto number = numbers.find(key); number != numbers.end()) {
      words >> *number->second;
    } else {
      return fail(ErrorCode::bad_json, line + ": not understood");
    }
    if (words.fail() && !words.eof()) return fail(ErrorCode::bad_json, line + ": not understood");
  }
  if (script.actions.size() > most_actions || !is_playable(script)) {
    return fail(ErrorCode::bad_json, "a number is out of range");
  }
  return script;
}

}  // namespace skerry::simulator
