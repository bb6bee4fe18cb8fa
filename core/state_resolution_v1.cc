// State resolution v1 (rooms/v1, 'State resolution'), for rooms of version 1.
//
// Where the text leaves room, this does as other servers do. The conflicts of one type are each resolved against the
// same R, whatever their order, and enter it together; and when no event of another conflict passes, the first in its
// order is taken.
#include "core/state_resolution_v1.h"

#include <algorithm>
#include <set>

#include "core/crypto.h"

namespace skerry::resolution {
namespace {

// The different events of all forks for one key, by ascending depth, then descending SHA-1 of the id.
using Conflict = std::vector<EventPtr>;

class ResolverV1 {
 public:
  ResolverV1(const RoomRules& rules, const EventLookup& events, ResolutionTrace* trace)
      : rules_(rules), events_(events), trace_(trace) {}

  std::variant<StateMap, Missing> resolve(const std::vector<StatePtr>& forks) {
    if (auto missing = separate(forks)) return *std::move(missing);
    resolve_chains("m.room.power_levels");
    resolve_chains("m.room.join_rules");
    resolve_chains("m.room.member");
    StateMap others;
    for (const auto& [key, conflict] : conflicts_) others.emplace(key, pick_other(conflict));
    resolved_.merge(others);
    if (!missing_.empty()) return Missing{missing_};
    return std::move(resolved_);
  }

 private:
  // R becomes the union of the states without what conflicts.
  std::optional<Missing> separate(const std::vector<StatePtr>& forks) {
    std::map<StateKey, std::set<EventId>> candidates;
    for (const StatePtr& fork : forks) {
      for (const auto& [key, id] : *fork) candidates[key].insert(id);
    }
    for (const auto& [key, ids] : candidates) {
      if (ids.size() == 1) {
        resolved_.emplace(key, *ids.begin());
        continue;
      }
      conflicts_.emplace(key, in_order(ids));
      if (trace_ != nullptr) trace_->conflicted.insert(trace_->conflicted.end(), ids.begin(), ids.end());
    }
    if (trace_ != nullptr) std::sort(trace_->conflicted.begin(), trace_->conflicted.end());
    if (!missing_.empty()) return Missing{missing_};
    return std::nullopt;
  }

  Conflict in_order(const std::set<EventId>& ids) {
    std::vector<std::pair<Sha1, EventPtr>> hashed;
    for (const EventId& id : ids) {
      if (EventPtr event = find(id)) hashed.emplace_back(sha1(id.str()), std::move(event));
    }
    std::sort(hashed.begin(), hashed.end(), [](const auto& a, const auto& b) {
      if (a.second->depth() != b.second->depth()) return a.second->depth() < b.second->depth();
      return a.first > b.first;
    });
    Conflict conflict;
    for (auto& [hash, event] : hashed) conflict.push_back(std::move(event));
    return conflict;
  }

  // The conflicts of one type that authorization looks at: from the first event on, as long as each is allowed after
  // the one before it.
  void resolve_chains(std::string_view type) {
    StateMap of_type;
    for (auto entry = conflicts_.begin(); entry != conflicts_.end();) {
      if (entry->first.type != type) {
        ++entry;
        continue;
      }
      const Conflict& conflict = entry->second;
      std::size_t last = 0;
      while (last + 1 < conflict.size() && is_allowed(*conflict[last + 1], conflict[last])) ++last;
      of_type.emplace(entry->first, conflict[last]->id());
      entry = conflicts_.erase(entry);
    }
    resolved_.merge(of_type);
  }

  EventId pick_other(const Conflict& conflict) {
    for (auto event = conflict.rbegin(); event != conflict.rend(); ++event) {
      if (is_allowed(**event, nullptr)) return (*event)->id();
    }
    return conflict.front()->id();
  }

  // Whether R, with `predecessor` in the event's place, allows the event.
  bool is_allowed(const Event& event, const EventPtr& predecessor) {
    const StateLookup lookup = [&](std::string_view type, std::string_view state_key) -> EventPtr {
      if (predecessor != nullptr && predecessor->is_state(type, state_key)) return predecessor;
      const auto entry = resolved_.find({std::string(type), std::string(state_key)});
      return entry == resolved_.end() ? nullptr : find(entry->second);
    };
    const EventPtr create = event.type() == "m.room.create" ? nullptr : lookup("m.room.create", "");
    const AuthVerdict verdict = authorize(rules_, event, create, lookup);
    if (trace_ != nullptr) trace_->checks.push_back({event.id(), verdict});
    return std::holds_alternative<Allowed>(verdict);
  }

  EventPtr find(const EventId& id) {
    EventPtr event = events_(id);
    if (event == nullptr && std::find(missing_.begin(), missing_.end(), id) == missing_.end()) missing_.push_back(id);
    return event;
  }

  const RoomRules& rules_;
  const EventLookup& events_;
  ResolutionTrace* const trace_;  // null: nobody wants to know
  StateMap resolved_;             // R
  std::map<StateKey, Conflict> conflicts_;
  std::vector<EventId> missing_;
};

}  // namespace

std::variant<StateMap, Missing> resolve_v1(const RoomRules& rules, const std::vector<StatePtr>& forks,
                                           const EventLookup& events, ResolutionTrace* trace) {
  return ResolverV1(rules, events, trace).resolve(forks);
}

}  // namespace skerry::resolution
