#include "tests/simulator/judge.h"

#include <algorithm>
#include <set>

#include <nlohmann/json.hpp>

#include "tests/simulator/reference.h"
#include "tests/simulator/rights.h"

namespace skerry::simulator {

namespace {

// What one server holds.
struct Holding {
  Node* node = nullptr;
  bool stayed = true;  // never without a user in the room, by anybody's account
  std::vector<EventId> heads;
  StateMap state;
  std::set<UserId> joined;
  std::map<EventId, Verdict> placed;
  std::set<EventId> stored;
};

class Judge {
 public:
  explicit Judge(World& world)
      : world_(world), create_(find_create()), reference_(world.rules(), create_, world.events()) {}

  void judge() {
    for (int i = 0; i < world_.script().servers; ++i) {
      if (!world_.is_liar(i)) holdings_.push_back(look_at(world_.node(i)));
    }
    for (auto& holding : holdings_) {
      safe(holding);
    }
    // Who asks for the state at an event has one server's word for it. The specification knows no defence.
    const auto misled = std::erase_if(
        holdings_, [&](const Holding& holding) { return world_.network().is_misled(holding.node->name()); });
    world_.tally().misled += misled;
    for (auto& holding : holdings_) as_specified(holding);
    for (auto& one : holdings_) {
      for (auto& other : holdings_) {
        if (&one < &other) compare(one, other);
      }
    }
    rightful();
    count();
  }

 private:
  EventPtr find_create() const {
    for (const auto& [id, event] : world_.events()) {
      if (event->is_state("m.room.create", "")) return event;
    }
    throw std::logic_error("nobody made a room");
  }

  Holding look_at(Node& node) {
    Holding holding;
    holding.node = &node;
    const auto head = node.store().head(world_.room());
    if (!head || !head->has_value()) return holding;
    holding.heads = (*head)->heads;
    std::sort(holding.heads.begin(), holding.heads.end());
    holding.state = **node.store().state((*head)->current_state);
    for (const auto& [key, id] : holding.state) {
      if (key.type != "m.room.member") continue;
      const auto member = world_.events().at(id);
      if (member->membership() == "join") holding.joined.insert(test::user(key.state_key));
    }
    for (const auto& [id, event] : world_.events()) {
      const auto stored = node.store().event(id);
      if (!stored || !stored->has_value()) continue;
      holding.stored.insert(id);
      if (!(*stored)->outlier) holding.placed[id] = (*stored)->judgement.verdict;
    }
    for (const auto& [id, event] : world_.events()) {
      const bool goes =
          event->type() == "m.room.member" && (event->membership() == "leave" || event->membership() == "ban");
      if (goes && test::user(*event->state_key()).server() == node.name()) holding.stayed = false;
    }
    return holding;
  }

  // What was acknowledged is there.
  void safe(Holding& holding) {
    for (const auto& id : holding.node->lost_events()) complain(holding, "lost " + id.str());
  }

  // Verdicts and state are those of the specification.
  void as_specified(Holding& holding) {
    for (const auto& [id, verdict] : holding.placed) {
      const auto* expected = reference_.find(id);
      if (expected == nullptr) continue;
      if (verdict != Verdict::rejected && !expected->rejected) compare_places(holding, id, *expected);
      if ((verdict == Verdict::rejected) == expected->rejected) continue;
      complain(holding,
               (expected->rejected ? "takes what is to be rejected: " : "rejects what is allowed: ") + described(id));
    }
    const auto state = reference_.state_after(holding.heads);
    if (state && *state != holding.state) {
      complain(holding, "has another state than the specification gives: " + difference(holding.state, *state));
    }
  }

  void compare_places(Holding& holding, const EventId& id, const Reference::Judged& expected) {
    auto& store = holding.node->store();
    const auto stored = store.event(id);
    const StatePtr before = *store.state((*stored)->state_before);
    if (*before != *expected.before) {
      complain(holding, "has another state before " + described(id) + ": " + difference(*before, *expected.before));
    }
  }

  // True when each of them has somebody in the room whom both take for a part of it. Others are not heard: what they
  // say is soft-failed on the other side, and nobody there builds on it.
  static bool together(const Holding& one, const Holding& other) {
    const auto has_a_voice = [&](const ServerName& server) {
      return std::any_of(one.joined.begin(), one.joined.end(),
                         [&](const UserId& user) { return user.server() == server && other.joined.contains(user); });
    };
    return has_a_voice(one.node->name()) && has_a_voice(other.node->name());
  }

  // True when it left, came back through a server that did not know of its last events, and took that server's word for
  // the room. If those who built on these events are people that it holds to be gone, it hears of them no more: soft
  // failure hides their messages, and nobody else cites them. The specification has no way out of that.
  bool forgot(const Holding& holding) const {
    const auto past = reference_.past_of(holding.heads);
    return !holding.stayed && std::any_of(holding.placed.begin(), holding.placed.end(), [&past](const auto& placed) {
      return placed.second == Verdict::accepted && !past.contains(placed.first);
    });
  }

  void compare(Holding& one, Holding& other) {
    if (!together(one, other)) return;
    if (forgot(one) || forgot(other)) {
      ++world_.tally().forgetful;
      return;
    }
    ++world_.tally().compared;
    const std::string both = one.node->name().str() + " and " + other.node->name().str();
    if (one.state != other.state) {
      world_.complain(both + " have different states: " + difference(one.state, other.state));
    }
    if (one.heads != other.heads) world_.complain(both + " have different heads");
    for (const auto& [id, verdict] : one.placed) {
      const auto found = other.placed.find(id);
      if (found == other.placed.end()) continue;
      if ((verdict == Verdict::rejected) != (found->second == Verdict::rejected)) {
        world_.complain(both + " disagree whether " + described(id) + " is rejected");
      }
    }
    // What one has, the other can ask for.
    for (const auto& id : reference_.past_of(one.heads)) {
      const auto* judged = reference_.find(id);
      if (judged == nullptr || judged->rejected) continue;
      const bool one_has = one.placed.contains(id);
      if (one_has != other.placed.contains(id)) complain(one_has ? other : one, "has no place for " + described(id));
    }
    if (!one.stayed || !other.stayed) return;
    for (const auto& [sender, receiver] : {std::pair(&one, &other), std::pair(&other, &one)}) {
      for (const auto& id : sender->node->sent()) {
        if (needs(*receiver, id) && !receiver->stored.contains(id)) complain(*receiver, "never got " + described(id));
      }
    }
  }

  // Whether a server that stayed since its first join must have the event: it came not before that.
  bool needs(Holding& holding, const EventId& id) {
    auto& before = before_join_[holding.node];
    if (!before) {
      before.emplace();
      for (const auto& [member_id, event] : world_.events()) {
        const bool is_join = event->type() == "m.room.member" && event->membership() == "join" &&
                             event->sender().server() == holding.node->name();
        if (!is_join || !holding.placed.contains(member_id)) continue;
        const auto past = reference_.past_of(event->prev_events());
        if (before->empty() || past.size() < before->size()) *before = past;
      }
    }
    return !before->contains(id) && reference_.find(id) != nullptr && !reference_.find(id)->rejected;
  }

  // Nothing took effect that its sender had no right to, by the second opinion.
  void rightful() {
    for (const auto& [id, event] : world_.events()) {
      const auto* judged = reference_.find(id);
      if (judged == nullptr || judged->rejected) continue;
      const auto why = objection(world_.rules(), *event, *create_, reference_.lookup(*judged->before));
      if (why) world_.complain(described(id) + " took effect: " + *why);
    }
    for (const auto& holding : holdings_) {
      for (const auto& [id, verdict] : holding.placed) {
        if (verdict == Verdict::rejected || reference_.find(id) != nullptr) continue;
        const auto event = world_.events().at(id);
        if (event->prev_events().empty()) world_.complain(described(id) + " has no past");
      }
    }
  }

  void count() {
    auto& tally = world_.tally();
    tally.events += world_.events().size();
    tally.merges += reference_.merges();
    for (const auto& holding : holdings_) {
      for (const auto& [id, verdict] : holding.placed) {
        if (verdict == Verdict::rejected) ++tally.rejected;
        if (verdict == Verdict::soft_failed) ++tally.soft_failed;
      }
    }
  }

  static std::string difference(const StateMap& one, const StateMap& other) {
    std::string text;
    const auto add = [&text](const StateMap& from, const StateMap& to) {
      for (const auto& [key, id] : from) {
        const auto found = to.find(key);
        if (found != to.end() && found->second == id) continue;
        text += key.type + " '" + key.state_key + "' " + id.str().substr(0, 7) + "; ";
      }
    };
    add(one, other);
    text += "against ";
    add(other, one);
    return text;
  }

  std::string described(const EventId& id) const {
    const auto event = world_.events().at(id);
    std::string text = id.str() + " (" + event->type() + " of " + event->sender().str();
    if (event->is_state()) text += " for '" + *event->state_key() + "'";
    if (!event->membership().empty()) text += ", " + std::string(event->membership());
    return text + ", depth " + std::to_string(event->depth()) + ")";
  }
  void complain(const Holding& holding, const std::string& what) {
    world_.complain(holding.node->name().str() + " " + what);
  }

  World& world_;
  const EventPtr create_;
  const Reference reference_;
  std::vector<Holding> holdings_;
  std::map<const Node*, std::optional<std::set<EventId>>> before_join_;
};

}  // namespace

void judge(World& world) { Judge(world).judge(); }

std::string graph_of(World& world) {
  std::vector<EventPtr> list;
  for (const auto& [id, event] : world.events()) list.push_back(event);
  std::stable_sort(list.begin(), list.end(), [](const auto& a, const auto& b) { return a->depth() < b->depth(); });
  std::string text;
  for (const auto& event : list) {
    text += std::to_string(event->depth()) + " " + event->id().str().substr(0, 7) + " ";
    for (int i = 0; i < world.script().servers; ++i) {
      Node& node = world.node(i);
      const auto stored = node.is_up() ? *node.store().event(event->id()) : std::nullopt;
      if (!stored) continue;
      text += static_cast<char>((stored->outlier ? 'a' : 'A') + i);
      if (stored->judgement.verdict == Verdict::rejected) text += '!';
      if (stored->judgement.verdict == Verdict::soft_failed) text += '~';
    }
    text += " " + event->type() + " of " + event->sender().str();
    if (event->is_state()) text += " for '" + *event->state_key() + "' " + dump(event->content());
    text += ", ts " + std::to_string(event->origin_server_ts_ms() % 1'000'000) + ", after";
    for (const auto& id : event->prev_events()) text += " " + id.str().substr(0, 7);
    text += ", cites";
    for (const auto& id : event->auth_events()) text += " " + id.str().substr(0, 7);
    text += "\n";
  }
  return text;
}

}  // namespace skerry::simulator
