#include "tests/simulator/reference.h"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "tests/core/literal_resolution.h"

namespace skerry::simulator {

namespace {

// Parents before children. Each event waits until all that it names in prev_events and auth_events is there.
std::vector<EventPtr> in_order(const AllEvents& events) {
  std::vector<EventPtr> order;
  std::set<EventId> placed;
  std::vector<EventPtr> waiting;
  for (const auto& [id, event] : events) waiting.push_back(event);
  std::stable_sort(waiting.begin(), waiting.end(),
                   [](const auto& a, const auto& b) { return a->depth() < b->depth(); });
  const auto is_ready = [&](const EventPtr& event) {
    const auto is_placed = [&](const EventId& id) { return placed.contains(id); };
    return std::all_of(event->prev_events().begin(), event->prev_events().end(), is_placed) &&
           std::all_of(event->auth_events().begin(), event->auth_events().end(), is_placed);
  };
  for (bool goes_on = true; goes_on;) {
    goes_on = false;
    std::vector<EventPtr> still;
    for (const auto& event : waiting) {
      if (!is_ready(event)) {
        still.push_back(event);
        continue;
      }
      placed.insert(event->id());
      order.push_back(event);
      goes_on = true;
    }
    waiting = std::move(still);
  }
  return order;
}

}  // namespace

Reference::Reference(const RoomRules& rules, const EventPtr& create, const AllEvents& events)
    : rules_(rules), room_(rules.version, create) {
  for (const auto& [id, event] : events) room_.put(event);
  for (const auto& event : in_order(events)) {
    auto judged = judge(*event);
    if (!judged) continue;
    if (judged->rejected) room_.reject(event->id());
    judged_.emplace(event->id(), std::move(*judged));
  }
}

StateLookup Reference::lookup(const StateMap& state) const {
  return [this, &state](std::string_view type, std::string_view key) -> EventPtr {
    const auto entry = state.find({std::string(type), std::string(key)});
    return entry == state.end() ? nullptr : room_.find(entry->second);
  };
}

std::shared_ptr<const StateMap> Reference::resolve(const std::vector<std::shared_ptr<const StateMap>>& states) {
  std::set<StateMap> distinct;
  for (const auto& state : states) distinct.insert(*state);
  if (distinct.empty()) return std::make_shared<const StateMap>();
  if (distinct.size() == 1) return states.front();
  auto& resolved = resolved_[distinct];
  if (!resolved) {
    ++merges_;
    const std::vector<StateMap> list(distinct.begin(), distinct.end());
    resolved = std::make_shared<const StateMap>(test::resolve_literally(room_, list));
  }
  return resolved;
}

// Steps 4 and 5 of 'Checks performed on receipt of a PDU'.
bool Reference::is_refused(const Event& event, const StateMap& before) const {
  std::vector<EventPtr> cited;
  StateMap by_citation;
  for (const auto& id : event.auth_events()) {
    cited.push_back(room_.find(id));
    if (cited.back()->is_state()) by_citation.emplace(StateKey{cited.back()->type(), *cited.back()->state_key()}, id);
  }
  const bool is_create = event.is_state("m.room.create", "");
  const EventPtr create = is_create ? nullptr : room_.create();
  const auto is_allowed = [](const AuthVerdict& verdict) { return std::holds_alternative<Allowed>(verdict); };
  return !is_allowed(check_auth_events(rules_, event, cited, room_.is_rejected())) ||
         !is_allowed(authorize(rules_, event, create, lookup(by_citation))) ||
         !is_allowed(authorize(rules_, event, create, lookup(before)));
}

std::optional<Reference::Judged> Reference::judge(const Event& event) {
  std::vector<std::shared_ptr<const StateMap>> states;
  for (const auto& id : event.prev_events()) {
    const auto parent = judged_.find(id);
    if (parent == judged_.end()) return std::nullopt;
    states.push_back(parent->second.after);
  }
  if (event.prev_events().empty() && event.id() != room_.create()->id()) return std::nullopt;
  Judged judged;
  judged.before = resolve(states);
  judged.rejected = is_refused(event, *judged.before);
  judged.after = judged.before;
  if (!judged.rejected && event.is_state()) {
    StateMap after = *judged.before;
    after[{event.type(), *event.state_key()}] = event.id();
    judged.after = std::make_shared<const StateMap>(std::move(after));
  }
  return judged;
}

const Reference::Judged* Reference::find(const EventId& id) const {
  const auto found = judged_.find(id);
  return found == judged_.end() ? nullptr : &found->second;
}

std::optional<StateMap> Reference::state_after(const std::vector<EventId>& heads) const {
  std::set<StateMap> distinct;
  for (const auto& id : heads) {
    const Judged* judged = find(id);
    if (judged == nullptr) return std::nullopt;
    distinct.insert(*judged->after);
  }
  if (distinct.size() == 1) return *distinct.begin();
  return test::resolve_literally(room_, {distinct.begin(), distinct.end()});
}

std::set<EventId> Reference::past_of(const std::vector<EventId>& heads) const {
  std::set<EventId> past;
  std::vector<EventId> open = heads;
  while (!open.empty()) {
    const EventId id = open.back();
    open.pop_back();
    const EventPtr known = room_.find(id);
    if (!known || !past.insert(id).second) continue;
    open.insert(open.end(), known->prev_events().begin(), known->prev_events().end());
  }
  return past;
}

}  // namespace skerry::simulator
