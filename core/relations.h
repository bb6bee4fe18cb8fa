// How one event relates to another. Client-server API, 'Forming relationships between events'.
#pragma once

#include <optional>
#include <string>

#include "core/event.h"

namespace skerry {

struct Relation {
  EventId parent;
  std::string type;  // m.thread, m.replace, m.reference, m.annotation ...
  std::string key;   // of annotations, else empty
};

// What m.relates_to of a content says; nothing when it names no type or no event. Plain replies have no type.
std::optional<Relation> relation_of(const Json& content);
std::optional<Relation> relation_of(const Event& event);

// Whether `edit` may replace `original`, as far as a server can tell ('Validity of replacement events').
bool is_valid_replacement(const Event& original, const Event& edit);

}  // namespace skerry
