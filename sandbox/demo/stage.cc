#include "sandbox/demo/stage.h"

#include <algorithm>
#include <thread>

#include <nlohmann/json.hpp>

#include "sandbox/world/interrupt.h"

namespace skerry::sandbox {

namespace {

using Steady = std::chrono::steady_clock;

constexpr std::chrono::seconds patience{30};
constexpr std::chrono::milliseconds step{50};

}  // namespace

Result<Said> say_and_hear(const Person& speaker, const std::vector<const Person*>& listeners, const std::string& room,
                          const std::string& text) {
  for (const Person* listener : listeners) listener->listener().wait_until_listening(hearing_time);
  const auto began = Steady::now();
  auto event_id = speaker.say(room, text);
  if (!event_id) return tl::make_unexpected(event_id.error());
  Said said{std::move(*event_id), {}};
  for (const Person* listener : listeners) {
    const auto heard = listener->listener().wait_for_event(said.event_id, hearing_time);
    if (interrupted()) return fail(ErrorCode::cancelled, "interrupted");
    if (!heard) {
      return fail(ErrorCode::timeout, listener->user_id() + " did not hear " + speaker.user_id() + " within " +
                                          std::to_string(hearing_time.count()) + " s");
    }
    said.times.emplace_back(heard->when - began);
  }
  return said;
}

Pairs count_pairs(const std::vector<const Person*>& people, const std::string& room, const std::string& text,
                  std::chrono::milliseconds window, std::vector<std::string>* acknowledged) {
  std::vector<std::string> said;  // "" where it could not be said
  for (const Person* speaker : people) {
    const auto event_id = speaker->say(room, text);
    said.push_back(event_id ? *event_id : "");
    if (event_id && acknowledged != nullptr) acknowledged->push_back(*event_id);
  }
  const auto deadline = Steady::now() + window;
  Pairs pairs;
  for (std::size_t speaker = 0; speaker < people.size(); ++speaker) {
    for (std::size_t listener = 0; listener < people.size(); ++listener) {
      if (speaker == listener) continue;
      ++pairs.all;
      const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Steady::now());
      if (said[speaker].empty()) continue;
      if (people[listener]->listener().wait_for_event(said[speaker], std::max(left, std::chrono::milliseconds(0)))) {
        ++pairs.left;
      }
    }
  }
  return pairs;
}

Result<void> wait_until_all_talk(const std::vector<const Person*>& people, const std::string& room,
                                 std::vector<std::string>* acknowledged) {
  constexpr std::chrono::milliseconds window{3'000};
  const auto deadline = Steady::now() + patience;
  while (true) {
    const Pairs pairs = count_pairs(people, room, "Does everybody hear me?", window, acknowledged);
    if (pairs.left == pairs.all) return {};
    if (interrupted()) return fail(ErrorCode::cancelled, "interrupted");
    if (Steady::now() > deadline) {
      return fail(ErrorCode::timeout, "only " + std::to_string(pairs.left) + " of " + std::to_string(pairs.all) +
                                          " pairs can talk though nobody is blocked");
    }
    std::this_thread::sleep_for(step);
  }
}

}  // namespace skerry::sandbox
