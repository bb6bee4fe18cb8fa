#include "tests/simulator/world.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>

#include <nlohmann/json.hpp>

#include "core/state_resolution.h"
#include "tests/simulator/false_answers.h"
#include "tests/simulator/rights.h"

namespace skerry::simulator {

using homeserver::EventDraft;

namespace {

constexpr const char* names[] = {"alpha.test", "bravo.test", "charlie.test", "delta.test", "echo.test"};
constexpr int power_of_first_users = 60;
constexpr std::int64_t downtime_ms = 5'000;
// A run that needs more than this does not come to rest.
constexpr int most_steps = 200'000;
constexpr std::int64_t settling_ms = 300'000;
constexpr int last_words = 3;
constexpr int most_backfills = 50;
constexpr std::size_t most_complaints = 20;

}  // namespace

ScratchFolder::ScratchFolder() {
  const std::filesystem::path in_memory = "/dev/shm";
  const auto above = std::filesystem::is_directory(in_memory) ? in_memory : std::filesystem::temp_directory_path();
  path_ = (above / "skerry-simulator-XXXXXX").string();
  if (::mkdtemp(path_.data()) == nullptr) throw std::runtime_error("no temporary folder");
}

ScratchFolder::~ScratchFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

World::World(const Script& script)
    : script_(script), rules_(*find_room_rules(script.version)), network_(schedule_, tally_) {
  for (int i = 0; i < script.servers; ++i) {
    const ServerName name = test::server(names[i]);
    Node::Surroundings surroundings{
        network_,
        disk_,
        {events_, [this, i](const auto& commit, const auto& current,
                            const auto& before) { watch_head(node(i), commit, current, before); }},
        folder_.path(),
        [this](const std::string& what) { complain(what); }};
    nodes_.push_back(
        std::make_unique<Node>(std::move(surroundings), name, script.seed * 31 + static_cast<unsigned>(i)));
    network_.add(*nodes_.back());
  }
}

void World::complain(const std::string& what) {
  if (complaints_.size() < most_complaints) complaints_.push_back(what);
}

// What becomes a head must be allowed by what this server knew the room to be, or knows it to be with the event's own
// past: step 6, by a second opinion.
void World::watch_head(Node& node, const storage::EventCommit& commit, const StatePtr& current,
                       const StatePtr& before) {
  if (commit.judgement.verdict != Verdict::accepted || current->empty()) return;
  // Who comes through another server takes over the room as that knows it.
  const bool is_ours = commit.event->sender().server() == node.name();
  if (is_ours && commit.event->membership() == "join") return;
  const auto find = [&](const EventId& id) -> EventPtr {
    const auto known = events_.find(id);
    return known == events_.end() ? nullptr : known->second;
  };
  const auto objection_by = [&](const StateMap& state) -> std::optional<std::string> {
    const StateLookup lookup = [&](std::string_view type, std::string_view key) -> EventPtr {
      const auto entry = state.find({std::string(type), std::string(key)});
      return entry == state.end() ? nullptr : find(entry->second);
    };
    const EventPtr create = lookup("m.room.create", "");
    return create ? objection(rules_, *commit.event, *create, lookup) : "there is no create event";
  };
  if (!objection_by(*current)) return;
  const auto is_rejected = [&](const EventId& id) {
    const auto stored = node.store().event(id);
    return stored && stored->has_value() && (*stored)->judgement.verdict == Verdict::rejected;
  };
  const auto informed = resolve_state(rules_, {current, before}, find, is_rejected);
  if (std::holds_alternative<Missing>(informed)) return complain(node.name().str() + " lacks events of its own states");
  if (const auto why = objection_by(std::get<StateMap>(informed))) {
    complain(node.name().str() + " lets " + commit.event->canonical_text() + " into the room of now: " + *why);
  }
}

EventDraft World::draft(const UserId& sender, const std::string& type, Json content) const {
  EventDraft made;
  made.room = room_;
  made.sender = sender;
  made.type = type;
  made.content_json = dump(content);
  return made;
}

EventDraft World::state(const UserId& sender, const std::string& type, Json content, const std::string& key) const {
  EventDraft made = draft(sender, type, std::move(content));
  made.state_key = key;
  return made;
}

EventDraft World::member(const UserId& sender, const UserId& target, const std::string& membership) const {
  return state(sender, "m.room.member", {{"membership", membership}}, target.str());
}

EventDraft World::levels(Node& node, const UserId& sender, const UserId& whom, int level) const {
  Json content = Json::object();
  const auto known = node.reader().state_event(room_, "m.room.power_levels", "");
  if (known && *known) content = (*known)->content();
  content["users"][whom.str()] = level;
  return state(sender, "m.room.power_levels", std::move(content));
}

void World::found_room() {
  schedule_.throw_dice(script_.seed);
  Node& first = node(0);
  const UserId founder = first.user(0);
  Json users = rules_.creators_are_privileged ? Json::object() : Json{{founder.str(), 100}};
  for (int i = 1; i < script_.servers; ++i) users[node(i).user(0).str()] = power_of_first_users - 10 * (i % 2);
  const Json levels{{"users", users}, {"state_default", 50}, {"ban", 50},
                    {"kick", 50},     {"invite", 0},         {"events", {{"test.note", 0}}}};
  const std::vector<EventDraft> rest = {
      member(founder, founder, "join"),
      state(founder, "m.room.power_levels", levels),
      state(founder, "m.room.join_rules", {{"join_rule", "public"}}),
  };
  const auto made = first.create_room(script_.version, rest);
  if (!made) throw std::runtime_error("no room: " + made.error().text);
  room_ = *made;
  for (int i = 0; i < script_.servers * users_per_server; ++i) {
    if (i > 0) join(node(i / users_per_server), user(i));
  }
  for (int i = 0; i < script_.servers; ++i) {
    if (!is_liar(i)) continue;
    liars_.push_back(std::make_unique<Liar>(node(i), network_, room_, rules_));
    network_.add_liar(node(i).name(), std::make_unique<FalseAnswers>(script_.false_answers, script_.false_states == 1,
                                                                     rules_, events_));
  }
  run(-1, 10'000);
  network_.set_weather(script_.loss, script_.repeats, script_.delay_ms);
}

void World::join(Node& node, const UserId& who) {
  std::vector<ServerName> via;
  for (const auto& other : nodes_) via.push_back(other->name());
  std::rotate(via.begin(), via.begin() + schedule_.dice().below(script_.servers), via.end());
  static_cast<void>(node.membership().join(who, room_, via, "{}"));
}

void World::play() {
  found_room();
  for (const auto& action : script_.actions) {
    if (!complaints_.empty()) return;
    schedule_.throw_dice(script_.seed ^ (static_cast<std::uint64_t>(action.dice) << 20));
    act(action);
    run(action.steps, action.wait_ms);
  }
}

void World::act(const Action& action) {
  Node& actor = node(action.server);
  for (const auto& liar : liars_) liar->remember_place();
  if (action.deed >= Deed::forge) {
    const int number = action.server - (script_.servers - script_.liars);
    if (number < 0 || !actor.is_up()) return;
    if (liars_[static_cast<std::size_t>(number)]->tell(action, user(action.target), schedule_.dice())) ++tally_.lies;
    return;
  }
  if (action.deed >= Deed::cut) return act_of_fate(action, actor);
  if (actor.is_up()) act_of_user(action, actor);
}

std::optional<EventId> World::something_said(Node& speaker, Dice& dice) {
  const auto page = speaker.store().live_events(room_, 0, INT64_MAX, 20, true);
  if (!page) return std::nullopt;
  std::vector<EventId> said;
  for (const auto& stored : page->events) {
    const auto& type = stored.event->type();
    if (type == "m.room.message" || type == "m.room.topic") said.push_back(stored.event->id());
  }
  return said.empty() ? std::nullopt : std::optional(dice.one_of(said));
}

void World::act_of_user(const Action& action, Node& actor) {
  static const std::vector<std::string> join_rules = {"public", "invite", "public", "knock"};
  static const std::vector<std::string> visibilities = {"shared", "joined", "invited", "world_readable"};
  const UserId who = actor.user(action.user);
  const UserId target = user(action.target);
  const std::string value = std::to_string(action.value);
  switch (action.deed) {
    case Deed::topic:
      return actor.submit(state(who, "m.room.topic", {{"topic", value}}));
    case Deed::note:
      return actor.submit(state(who, "test.note", {{"note", value}}, std::to_string(action.value % 3)));
    case Deed::power:
      return actor.submit(levels(actor, who, target, action.value % 11 * 10));
    case Deed::join_rule:
      return actor.submit(state(who, "m.room.join_rules", {{"join_rule", join_rules[action.value % 4]}}));
    case Deed::visibility:
      return actor.submit(
          state(who, "m.room.history_visibility", {{"history_visibility", visibilities[action.value % 4]}}));
    case Deed::redact:
      if (const auto said = something_said(actor, schedule_.dice())) {
        EventDraft redaction = draft(who, "m.room.redaction", Json::object());
        redaction.redacts = *said;
        actor.submit(std::move(redaction));
      }
      return;
    case Deed::invite:
      static_cast<void>(actor.membership().invite(who, target, room_, "{}"));
      return;
    case Deed::join:
      return join(actor, who);
    case Deed::leave:
      static_cast<void>(actor.membership().leave(who, room_, "{}"));
      return;
    case Deed::kick:
    case Deed::unban:
      return actor.submit(member(who, target, "leave"));
    case Deed::ban:
      return actor.submit(member(who, target, "ban"));
    case Deed::backfill:
      static_cast<void>(actor.pipeline().backfill(room_, 20));
      return;
    default:
      return actor.submit(draft(who, "m.room.message", {{"msgtype", "m.text"}, {"body", value}}));
  }
}

void World::act_of_fate(const Action& action, Node& victim) {
  switch (action.deed) {
    case Deed::cut:
      return network_.cut(victim.name(), user(action.target).server());
    case Deed::split:
      for (int i = 0; i < script_.servers; ++i) {
        for (int j = 0; j < i; ++j) {
          const bool together = (action.value >> i & 1) == (action.value >> j & 1);
          if (!together) network_.cut(node(i).name(), node(j).name());
        }
      }
      return;
    case Deed::mend:
      return network_.mend();
    case Deed::kill:
      if (!victim.is_up()) return;
      ++tally_.kills;
      victim.kill();
      schedule_.later(1 + schedule_.dice().below(downtime_ms), [&victim] {
        if (!victim.is_up()) victim.start();
      });
      return;
    default:
      // One disk at a time: a loss that is still to come does not come then.
      if (victim.is_up()) victim.lose_power_at(1 + static_cast<std::uint64_t>(action.value % 60), script_.seed + 1);
  }
}

void World::bury_the_dead() {
  for (auto& dead : nodes_) {
    if (!dead->is_doomed()) continue;
    ++tally_.power_losses;
    dead->kill();
    schedule_.later(1 + schedule_.dice().below(downtime_ms), [&node = *dead] {
      if (!node.is_up()) node.start();
    });
  }
}

void World::run(int steps, std::int64_t time_ms) {
  const std::int64_t until = schedule_.now_ms() + time_ms;
  bury_the_dead();
  for (int left = steps < 0 ? most_steps : steps; left > 0; --left) {
    if (!schedule_.step(until)) return;
    bury_the_dead();
  }
  if (steps < 0) complain("it does not come to rest");
}

void World::settle() {
  schedule_.throw_dice(script_.seed + 1);
  disk_.lose_power(0, "", 0, {});
  network_.mend();
  network_.end_lies();
  network_.set_weather(0, 0, 1);
  run(-1, settling_ms);
  for (int round = 0; round < last_words; ++round) {
    for (auto& each : nodes_) {
      for (int number = 0; number < users_per_server; ++number) {
        each->submit(draft(each->user(number), "m.room.message", {{"msgtype", "m.text"}, {"body", "the end"}}));
      }
      run(-1, 30'000);
    }
  }
  // Holes are left where a server could not be asked for what lay there; whoever pages back closes them. What only a
  // liar has, one server may get by luck and the others from that one.
  bool brought = true;
  for (int round = 0; brought && round < most_backfills; ++round) {
    brought = false;
    for (auto& each : nodes_) brought = each->pipeline().backfill(room_, 100).value_or(false) || brought;
  }
  run(-1, 30'000);
}

}  // namespace skerry::simulator
