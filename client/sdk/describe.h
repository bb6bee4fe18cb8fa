// An event in words, for the command line and the chat screen alike.
#pragma once

#include "client/sdk/room.h"
#include "client/sdk/timeline.h"
#include "client/text/safe_text.h"

namespace skerry::client {

struct Description {
  enum class Kind {
    hidden,   // nothing for people to see
    message,  // what the sender says
    emote,    // what the sender does: the text follows the name
    notice,   // what an automaton says
    change,   // what happened to the room: a sentence of its own
  } kind = Kind::hidden;
  SafeText text;             // may have several lines
  bool placeholder = false;  // stands for what is not there as text: '[image: cat.png]', '[deleted]'
};

Description describe(const Room& room, const TimelineItem& item);

// The text of a body that answers another message, without the quoted lines that older clients put before it.
std::string without_reply_fallback(const std::string& body);

}  // namespace skerry::client
