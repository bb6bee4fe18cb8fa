// Gets from other servers what a room needs and this server does not have: events that are cited, and states. Promises
// bounds on requests, events and time, and that nothing is stored that was not verified, judged and asked for.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <vector>

#include "homeserver/rooms/engine.h"

namespace skerry::homeserver {

// Events in an order in which each comes after those of its auth events that are among them.
std::vector<EventPtr> in_auth_order(std::vector<EventPtr> events);
// The same by prev_events.
std::vector<EventPtr> in_room_order(std::vector<EventPtr> events);

// Judges outliers by their auth events, which are among the outliers or known. Those that cite what is absent are left
// out.
struct KnownEvents {
  EventLookup event;
  std::function<bool(const EventId&)> rejected;
};
std::vector<std::pair<EventPtr, Judgement>> judge_outliers(const RoomRules& rules, const EventPtr& create,
                                                           std::vector<EventPtr> events, const KnownEvents& known);

// One errand for one room. All methods wait: on `outbound` threads only.
class Fetcher {
 public:
  // `servers` are asked in this order; the first is the one that the errand is for. REQUIRES: there is one.
  Fetcher(Engine& engine, RoomId room, const RoomRules& rules, std::vector<ServerName> servers);

  const RoomId& room() const { return room_; }
  const std::vector<ServerName>& servers() const { return servers_; }
  bool exhausted() const;
  // Counts a request to another server. False when there were too many.
  bool may_ask();

  // How a server answered: whether the first one could be asked at all.
  template <class T>
  void note_answer(const ServerName& server, const Result<T>& answer) {
    if (!answer) note_failure(server, answer.error());
  }
  bool origin_was_silent() const { return origin_was_silent_; }

  std::vector<EventPtr> verified(std::vector<Json> pdus);
  // Null when nobody gives it.
  EventPtr event(const EventId& id);
  // Stores what `event` cites, and what that cites, as outliers. False when some of `needed` is still absent.
  bool fetch_auth_events(const EventId& event, const std::vector<EventId>& needed);
  // The state before an event, as one of the servers knows it, its events stored. Errors: not_found, storage.
  Result<RoomState> fetch_state_before(const EventId& event);

 private:
  // Stores those of `wanted` that are absent, and all they cite, as outliers: from `at_hand`, or fetched one by one.
  Result<void> complete(const std::vector<EventId>& wanted, std::vector<EventPtr> at_hand);
  Result<RoomState> make_state(const std::vector<EventId>& ids);
  void note_failure(const ServerName& server, const Error& error);

  Engine& engine_;
  RoomId room_;
  const RoomRules& rules_;
  std::vector<ServerName> servers_;
  bool origin_was_silent_ = false;
  std::size_t requests_ = 0;
  std::size_t events_ = 0;
  std::chrono::steady_clock::time_point deadline_;
};

}  // namespace skerry::homeserver
