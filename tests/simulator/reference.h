// The room as the specification has it: all events, in the order of the graph, each judged by its auth events and by
// the state before it, which the literal transcription of state resolution gives. Slow, and knows no server.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/state.h"
#include "tests/simulator/recorder.h"
#include "tests/support/room_builder.h"

namespace skerry::simulator {

class Reference {
 public:
  Reference(const RoomRules& rules, const EventPtr& create, const AllEvents& events);

  struct Judged {
    bool rejected = false;
    std::shared_ptr<const StateMap> before;
    std::shared_ptr<const StateMap> after;
  };
  // Null when the event's past is not known to anybody, or it cites what is not.
  const Judged* find(const EventId& id) const;
  // The resolution of the states after these. Nothing when one is not judged.
  std::optional<StateMap> state_after(const std::vector<EventId>& heads) const;
  // The events that led to these, themselves included.
  std::set<EventId> past_of(const std::vector<EventId>& heads) const;
  EventPtr event(const EventId& id) const { return room_.find(id); }
  StateLookup lookup(const StateMap& state) const;
  std::uint64_t merges() const { return merges_; }

 private:
  std::optional<Judged> judge(const Event& event);
  std::shared_ptr<const StateMap> resolve(const std::vector<std::shared_ptr<const StateMap>>& states);
  bool is_refused(const Event& event, const StateMap& before) const;

  const RoomRules& rules_;
  test::RoomBuilder room_;
  std::map<EventId, Judged> judged_;
  std::map<std::set<StateMap>, std::shared_ptr<const StateMap>> resolved_;
  std::uint64_t merges_ = 0;
};

}  // namespace skerry::simulator
