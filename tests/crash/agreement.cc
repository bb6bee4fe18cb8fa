#include "tests/crash/agreement.h"

#include <algorithm>
#include <map>
#include <set>
#include <thread>

#include <nlohmann/json.hpp>

namespace skerry::crash {

namespace {

using Steady = std::chrono::steady_clock;

constexpr std::chrono::milliseconds step{100};

// A room as one server tells it.
struct View {
  std::vector<std::string> events;           // oldest first
  std::map<std::string, std::string> state;  // "type|state_key" to event
  std::string trouble;

  bool agrees_with(const View& other) const {
    return trouble.empty() && other.trouble.empty() && state == other.state &&
           std::set(events.begin(), events.end()) == std::set(other.events.begin(), other.events.end());
  }
};

void read_history(const sandbox::ClientApi& api, const std::string& in_room, View& view) {
  std::string from;
  for (;;) {
    const auto page =
        api.get(in_room + "/messages?dir=b&limit=1000" + (from.empty() ? "" : "&from=" + net::percent_encode(from)));
    if (!page) {
      view.trouble = page.error().text;
      return;
    }
    const Json* chunk = find_array(*page, "chunk");
    const std::string* end = find_string(*page, "end");
    if (chunk != nullptr) {
      for (const Json& event : *chunk) view.events.push_back(event.at("event_id").get<std::string>());
    }
    if (chunk == nullptr || chunk->empty() || end == nullptr) break;
    from = *end;
  }
  std::reverse(view.events.begin(), view.events.end());
}

View look(const Account& account, const std::string& room) {
  View view;
  const std::string in_room = "/rooms/" + net::percent_encode(room);
  read_history(account.api(), in_room, view);
  const auto state = account.api().get(in_room + "/state");
  if (!state) {
    view.trouble = state.error().text;
    return view;
  }
  for (const Json& event : *state) {
    view.state[event.at("type").get<std::string>() + "|" + event.at("state_key").get<std::string>()] =
        event.at("event_id").get<std::string>();
  }
  return view;
}

void tell_difference(const View& one, const View& other, const std::string& where, Ledger& ledger) {
  if (!one.trouble.empty() || !other.trouble.empty())
    return ledger.finding(where + ": " + one.trouble + " " + other.trouble);
  const std::set<std::string> here(one.events.begin(), one.events.end());
  const std::set<std::string> there(other.events.begin(), other.events.end());
  std::vector<std::string> only_one;
  std::set_symmetric_difference(here.begin(), here.end(), there.begin(), there.end(), std::back_inserter(only_one));
  ledger.finding(where + " differ in " + std::to_string(only_one.size()) + " of " + std::to_string(here.size()) +
                 " events" + (only_one.empty() ? "" : ", as " + only_one.front()) +
                 (one.state == other.state ? "" : ", and in their states"));
}

void check_view(const View& view, const std::string& where, const std::vector<Sent>& sent, const std::string& room,
                Ledger& ledger) {
  const std::set<std::string> events(view.events.begin(), view.events.end());
  if (events.size() != view.events.size()) ledger.finding(where + " has an event twice");
  for (const Sent& one : sent) {
    if (one.room == room && !events.contains(one.event)) ledger.finding(where + " lost " + one.event);
  }
}

}  // namespace

std::size_t check_agreement(const std::vector<const Account*>& accounts, const std::vector<std::string>& rooms,
                            Ledger& ledger, Steady::time_point deadline) {
  const auto sent = ledger.sent();
  std::size_t events = 0;
  for (const std::string& room : rooms) {
    std::vector<View> views;
    for (;;) {
      views.clear();
      for (const Account* account : accounts) views.push_back(look(*account, room));
      const bool agreed = std::all_of(views.begin() + 1, views.end(),
                                      [&](const View& view) { return view.agrees_with(views.front()); });
      if (agreed || Steady::now() >= deadline) break;
      std::this_thread::sleep_for(step);
    }
    events += views.front().events.size();
    for (std::size_t i = 0; i < views.size(); ++i) {
      if (i > 0 && !views[i].agrees_with(views.front()))
        tell_difference(views[i], views.front(),
                        room + ": " + accounts[i]->user_id() + " and " + accounts.front()->user_id(), ledger);
      check_view(views[i], room + " of " + accounts[i]->user_id(), sent, room, ledger);
    }
  }
  return events;
}

}  // namespace skerry::crash
