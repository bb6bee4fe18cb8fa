#include "core/relations.h"

#include <nlohmann/json.hpp>

namespace skerry {

std::optional<Relation> relation_of(const Json& content) {
  const Json* relates = find_object(content, "m.relates_to");
  if (relates == nullptr) return std::nullopt;
  const std::string* type = find_string(*relates, "rel_type");
  const std::string* parent = find_string(*relates, "event_id");
  if (type == nullptr || parent == nullptr) return std::nullopt;
  auto id = EventId::parse(*parent);
  if (!id) return std::nullopt;
  Relation relation{std::move(*id), *type, {}};
  if (const std::string* key = find_string(*relates, "key"); key != nullptr && *type == "m.annotation") {
    relation.key = *key;
  }
  return relation;
}

std::optional<Relation> relation_of(const Event& event) { return relation_of(event.content()); }

bool is_valid_replacement(const Event& original, const Event& edit) {
  const auto relation = relation_of(edit);
  if (!relation || relation->type != "m.replace" || relation->parent != original.id()) return false;
  if (edit.room_id() != original.room_id() || edit.sender() != original.sender()) return false;
  if (edit.type() != original.type() || edit.is_state() || original.is_state()) return false;
  if (const auto outer = relation_of(original); outer && outer->type == "m.replace") return false;
  // Encrypted, it is in the payload, which no server reads.
  return edit.type() == "m.room.encrypted" || find_object(edit.content(), "m.new_content") != nullptr;
}

}  // namespace skerry
