// A history to be played: a few settings and a list of actions. Data, and nothing else decides what happens: the same
// script gives the same run, to the bit.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/result.h"

namespace skerry::simulator {

enum class Deed {
  // what users do
  say,
  topic,
  note,  // a state event with one of a few keys
  power,
  join_rule,
  visibility,
  redact,
  invite,
  join,
  leave,
  kick,
  ban,
  unban,
  backfill,
  // what befalls the network and the servers
  cut,
  split,
  mend,
  kill,        // the process ends; what was written stays
  power_loss,  // the same at a write to come; what was not synced may be lost
  // what liars do
  forge,          // an event in another server's name
  equivocate,     // two events in the same place, one to some servers, one to others
  cite_rejected,  // an event that rests on one that was rejected
  backdate,       // an event from before its sender lost the right to it
  tamper,         // an event whose hash does not hold, to some of the servers
  usurp,          // power that is not theirs to give
  unjust_ban,     // a ban without the power to
  from_nowhere,   // an event after others that do not exist
  count
};

struct Action {
  Deed deed = Deed::say;
  int server = 0;
  int user = 0;    // of the server
  int target = 0;  // of all users
  int value = 0;
  int steps = -1;   // how much of what follows happens before the next action; -1: all that is due
  int wait_ms = 0;  // how much time passes
  int dice = 0;     // decides what is left to chance until the next action
};

struct Script {
  std::uint64_t seed = 0;
  std::string version = "12";
  int servers = 3;
  int liars = 0;          // the last ones of the servers
  int false_answers = 0;  // percent of what they answer to others' questions
  int false_states = 0;   // 1: such answers may be states that were never the room's
  int loss = 0;           // percent of requests that are lost, or whose answers are
  int repeats = 0;
  int delay_ms = 100;
  std::vector<Action> actions;
};

inline constexpr int users_per_server = 2;

Script script_of(std::uint64_t seed);
std::string to_text(const Script& script);
// Errors: bad_json, with the line.
Result<Script> parse_script(const std::string& text);

const char* name_of(Deed deed);

}  // namespace skerry::simulator
