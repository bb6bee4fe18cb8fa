// Whether servers hold the same room.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "sandbox/people/person.h"

namespace skerry::sandbox {

// Waits until the servers of all these people give the same events and the same state of the room, and every event that
// was acknowledged. Errors: in what they differ.
struct Agreed {
  std::size_t events = 0;
  std::size_t state_entries = 0;
};
Result<Agreed> wait_until_agreed(const std::vector<const Person*>& people, const std::string& room,
                                 const std::vector<std::string>& acknowledged,
                                 std::chrono::milliseconds within = std::chrono::seconds(30));

}  // namespace skerry::sandbox
