// Builds rooms in memory: events with right hashes, signatures, depths and auth_events, on one line of history or
// several.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "core/authorization.h"
#include "core/event.h"
#include "core/state.h"
#include "core/state_resolution.h"

namespace skerry::test {

// A key made from the name: the same in every run.
SigningKey key_of(const ServerName& server);
// Knows the key of every server, without end.
KeyLookup all_keys();

UserId user(std::string_view id);  // parse(), or the test fails
ServerName server(std::string_view name);
EventId event_id(std::string_view id);

// What the builder is told of an event; the rest follows from its place.
struct Draft {
  UserId sender;
  std::string type;
  std::optional<std::string> state_key;
  std::string content = "{}";                // JSON
  std::int64_t origin_server_ts_ms = 0;      // 0: one second after the last
  std::map<std::string, std::string> extra;  // further top-level members, as JSON
};

// A room whose events it knows all. History is told by states: each event is put on a `Tip`, which is a place in the
// graph with the state there, and gives the next one. Copies of a tip are forks.
class RoomBuilder {
 public:
  struct Tip {
    std::vector<EventId> heads;
    StateMap state;
    std::int64_t depth = 0;
  };

  explicit RoomBuilder(std::string_view version, UserId creator = user("@alice:alpha.test"));
  // A room that was made elsewhere, of which only the create event is known yet.
  RoomBuilder(std::string_view version, EventPtr create);

  const RoomRules& rules() const { return rules_; }
  const UserId& creator() const { return creator_; }
  const RoomId& room_id() const { return create_->room_id(); }
  const EventPtr& create() const { return create_; }

  // The room at its create event only.
  Tip at_create() const;
  // Created, creator joined, power levels (creator 100 where the version names creators), join rule.
  Tip created(std::string_view join_rule = "public");

  // Adds an event after the tip and moves the tip on; it is not checked whether the rules allow it.
  EventPtr add(Tip& tip, const Draft& draft);
  // The same without moving the tip.
  EventPtr make(const Tip& tip, const Draft& draft);
  // The PDU before it becomes an event, hashed and signed.
  Json pdu(const Tip& tip, const Draft& draft);
  // Takes in an event that was made otherwise.
  void put(const EventPtr& event);

  // Shorthands for add().
  EventPtr member(Tip& tip, const UserId& sender, const UserId& target, std::string_view membership);
  EventPtr join(Tip& tip, const UserId& who) { return member(tip, who, who, "join"); }
  EventPtr message(Tip& tip, const UserId& sender, std::string_view body = "hello");
  EventPtr state(Tip& tip, const UserId& sender, std::string_view type, std::string_view content,
                 std::string_view state_key = "");

  // Joins forks: both heads, and the resolution of their states.
  Tip merge(const std::vector<Tip>& forks);

  AuthVerdict authorize_at(const Tip& tip, const EventPtr& event) const;
  // The number of the rule that refuses the event at the tip; "" when it is allowed, "missing" when events are.
  std::string refusing_rule(const Tip& tip, const EventPtr& event) const;

  EventPtr find(const EventId& id) const;
  EventLookup lookup() const;
  // Who cites an event, of state events that are not rejected: latest first, in small pages.
  CitingLookup index() const;
  void reject(const EventId& id) { rejected_.insert(id); }
  std::function<bool(const EventId&)> is_rejected() const;
  // The event of that key in a state, null when there is none.
  EventPtr in_state(const StateMap& state, std::string_view type, std::string_view state_key = "") const;

 private:
  EventPtr make_create();
  void name(Json& event);                  // its event_id, where the version has one
  Json citation(const EventId& id) const;  // as prev_events and auth_events have it

  const RoomRules& rules_;
  UserId creator_;
  std::int64_t clock_ms_ = 1'700'000'000'000;
  int named_ = 0;
  std::unordered_map<EventId, EventPtr> events_;
  std::unordered_map<EventId, std::vector<EventId>> cited_by_;  // by state events
  std::set<EventId> rejected_;
  EventPtr create_;
};

}  // namespace skerry::test
