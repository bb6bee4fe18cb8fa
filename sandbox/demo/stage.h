// What the steps of the demo share: the servers, the people, their room, and what they were promised is in it.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sandbox/demo/story.h"
#include "sandbox/lab/agreement.h"
#include "sandbox/lab/pairs.h"
#include "sandbox/people/person.h"
#include "sandbox/world/own_sandbox.h"

namespace skerry::sandbox {

inline constexpr const char* alpha = "alpha.test";
inline constexpr const char* bravo = "bravo.test";
inline constexpr const char* charlie = "charlie.test";

struct Stage {
  explicit Stage(Story& told) : story(told) {}

  Story& story;
  std::unique_ptr<OwnSandbox> servers;  // outlives the people
  std::optional<Person> alice, bob, carol;
  std::optional<Person> new_alice;  // alice on bravo.test
  std::string room;
  std::string direct_chat;                // alice's with bob
  std::vector<std::string> acknowledged;  // ids of all that a server took into the room
  std::string alone;                      // what alice wrote on her own server while it was blocked
  std::chrono::steady_clock::time_point blocked_at;
};

// The steps, in their order. Errors: what did not hold.
Result<void> start_servers(Stage& stage);
Result<void> register_people(Stage& stage);
Result<void> make_room(Stage& stage);
Result<void> talk(Stage& stage);
Result<void> compare_servers(Stage& stage);
Result<void> block_a_server(Stage& stage);
Result<void> begin_again_elsewhere(Stage& stage);
Result<void> heal(Stage& stage);
Result<void> count_the_price(Stage& stage);

// Says something, and waits until the listeners have heard it: their times, in their order. Errors: the first that did
// not hear it.
struct Said {
  std::string event_id;
  std::vector<std::chrono::duration<double>> times;
};
Result<Said> say_and_hear(const Person& speaker, const std::vector<const Person*>& listeners, const std::string& room,
                          const std::string& text);

// Everybody says something at once; who of the others hears it within `window`, or at once where all do?
Pairs count_pairs(const std::vector<const Person*>& people, const std::string& room, const std::string& text,
                  std::chrono::milliseconds window, std::vector<std::string>* acknowledged = nullptr);
// Tries until all pairs can talk.
Result<void> wait_until_all_talk(const std::vector<const Person*>& people, const std::string& room,
                                 std::vector<std::string>* acknowledged = nullptr);

}  // namespace skerry::sandbox
