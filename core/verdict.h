// What became of an event that was offered to a room. A verdict is not an error.
#pragma once

#include <string>

namespace skerry {

enum class Verdict {
  accepted,     // part of the room
  soft_failed,  // allowed by its own history, not by the current state: not shown to clients, not a head, but counts in
                // resolution when referenced
  rejected,     // refused by its auth events or the state before it: stored, never shown, never in state or heads
  dropped,      // malformed or not validly signed: not stored
};

struct Judgement {
  Verdict verdict = Verdict::accepted;
  std::string rule;    // the rule that decided, empty when accepted
  std::string reason;  // one sentence, empty when accepted
};

}  // namespace skerry
