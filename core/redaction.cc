// The redaction algorithm: the table in room_rules.cc says what stays.
#include <algorithm>

#include <nlohmann/json.hpp>

#include "core/event.h"

namespace skerry {
namespace {

// Moves the member at `path` over, when it exists: `a`, or of object `a` nothing but `b` for `a.b`.
void keep(const Json& from, Json& to, std::string_view path) {
  const std::size_t dot = path.find('.');
  const std::string name(path.substr(0, dot));
  const Json* member = find_member(from, name);
  if (member == nullptr) return;
  if (dot == std::string_view::npos) {
    to[name] = *member;
  } else if (member->is_object()) {
    to[name] = Json::object();
    keep(*member, to[name], path.substr(dot + 1));
  }
}

Json redact_content(const RedactionRules& redaction, const Json& pdu) {
  Json kept = Json::object();
  const std::string* type = find_string(pdu, "type");
  const Json* content = find_object(pdu, "content");
  if (type == nullptr || content == nullptr) return kept;
  const auto row = std::find_if(redaction.content.begin(), redaction.content.end(),
                                [&](const RedactionRules::Content& candidate) { return candidate.type == *type; });
  if (row == redaction.content.end()) return kept;
  if (row->everything) return *content;
  for (const std::string_view path : row->keys) keep(*content, kept, path);
  return kept;
}

}  // namespace

Json redact(const RoomRules& rules, const Json& pdu) {
  Json kept = Json::object();
  for (const std::string_view name : rules.redaction->top_level) {
    if (name != "content") {
      keep(pdu, kept, name);
    } else if (find_member(pdu, name) != nullptr) {
      kept["content"] = redact_content(*rules.redaction, pdu);
    }
  }
  return kept;
}

}  // namespace skerry
