// A scenario as a TOML file: a world, and a play in it of what is said, what goes wrong, and what is expected.
// docs/scenarios.md tells every key.
//
// Pure. What cannot be is found here, by line, before anything starts; and what is left to chance is decided here, by
// the seed alone.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "sandbox/scenario/world_file.h"
#include "sandbox/world/fault.h"

namespace skerry::sandbox {

enum class Verb {
  say,
  chatter,
  join,
  leave,
  invite,
  kick,
  ban,
  kill,
  start,
  block,
  unblock,
  freeze,
  thaw,
  link,
  partition,
  clock,
  dns,
  backoff,
  heal,
  delivered,
  not_delivered,
  converged,
};

// As a play writes it.
const char* verb_text(Verb verb);

struct Act {
  Verb verb = Verb::say;
  std::uint32_t line = 0;
  std::int64_t at_ms = 0;             // since the curtain rose
  std::size_t room = 0;               // of what concerns rooms
  std::vector<WorldMessage> words;    // say, chatter: who says what
  std::string label;                  // say, chatter: what it is called from then on; delivered, not_delivered: of what
  std::size_t user = 0;               // who acts
  std::size_t other = 0;              // invite, kick, ban: whom it concerns
  std::vector<std::size_t> audience;  // delivered, not_delivered: who; converged: one of each server
  std::string server;                 // kill, start, block, unblock, freeze, thaw, clock, dns
  std::vector<Fault> faults;          // block, freeze, link, partition, clock, dns, backoff: what comes into force
  std::vector<FaultKind> kinds;       // heal: what ends; all where there is none
  std::int64_t time_ms = 0;           // delivered, converged: in which it is to be; not_delivered: during which not
  bool beside = false;                // say: past the gateway, as one who sits beside the server
  bool fails = false;                 // is expected to be refused, or not to get through
};

struct Scenario {
  std::string title;
  std::string lesson;
  bool direct = false;
  World world;
  std::vector<Act> play;
  std::vector<std::string> decisions;  // what the seed decided, a line each
};

// Errors: as parse_world().
Result<Scenario> parse_scenario(const std::string& text_untrusted, const std::string& file,
                                std::optional<std::uint64_t> seed = std::nullopt);

// An act as a sentence: "@alice:alpha.test says 'Hello' in town".
std::string act_text(const Scenario& scenario, const Act& act);

}  // namespace skerry::sandbox
