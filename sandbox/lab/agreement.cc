#include "sandbox/lab/agreement.h"

#include <set>
#include <thread>

#include <nlohmann/json.hpp>

#include "sandbox/world/interrupt.h"

namespace skerry::sandbox {

namespace {

using Steady = std::chrono::steady_clock;

constexpr std::chrono::milliseconds agreement_step{50};

struct View {
  std::set<std::string> events;
  Json state;
};

Result<View> view(const Person& person, const std::string& room) {
  const auto events = person.event_ids(room);
  if (!events) return tl::make_unexpected(events.error());
  auto state = person.state(room);
  if (!state) return tl::make_unexpected(state.error());
  return View{{events->begin(), events->end()}, std::move(*state)};
}

std::string difference(const std::string& who, const View& one, const View& other) {
  if (one.events != other.events) {
    return who + " has " + std::to_string(other.events.size()) + " events, another " +
           std::to_string(one.events.size());
  }
  return one.state == other.state ? "" : who + " has another state of the room";
}

// "" when they agree.
Result<std::string> disagreement(const std::vector<const Person*>& people, const std::string& room,
                                 const std::vector<std::string>& acknowledged, Agreed& agreed) {
  std::optional<View> first;
  for (const Person* person : people) {
    auto seen = view(*person, room);
    if (!seen) return tl::make_unexpected(seen.error());
    for (const std::string& id : acknowledged) {
      if (!seen->events.contains(id)) return person->user_id() + "'s server lacks " + id;
    }
    if (!first) {
      first = std::move(*seen);
      agreed = {first->events.size(), first->state.size()};
    } else if (auto differs = difference(person->user_id() + "'s server", *first, *seen); !differs.empty()) {
      return differs;
    }
  }
  return std::string();
}

}  // namespace

Result<Agreed> wait_until_agreed(const std::vector<const Person*>& people, const std::string& room,
                                 const std::vector<std::string>& acknowledged, std::chrono::milliseconds within) {
  const auto deadline = Steady::now() + within;
  while (true) {
    Agreed agreed;
    const auto differs = disagreement(people, room, acknowledged, agreed);
    if (differs && differs->empty()) return agreed;
    if (interrupted()) return fail(ErrorCode::cancelled, "interrupted");
    if (Steady::now() > deadline) return fail(ErrorCode::timeout, differs ? *differs : differs.error().text);
    std::this_thread::sleep_for(agreement_step);
  }
}

}  // namespace skerry::sandbox
