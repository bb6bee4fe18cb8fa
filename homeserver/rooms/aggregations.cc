#include "homeserver/rooms/aggregations.h"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "core/relations.h"
#include "storage/relation_store.h"

namespace skerry::homeserver {

namespace {

constexpr std::size_t edits_looked_at = 20;    // for the latest one that is valid and may be seen
constexpr std::size_t replies_looked_at = 20;  // the same of a thread
constexpr std::size_t references_told = 200;
constexpr storage::TopologicalPosition beginning{-1, INT64_MIN};
constexpr storage::TopologicalPosition end{INT64_MAX, INT64_MAX};

storage::ChildrenQuery children_of(const storage::StoredEvent& event, const char* type, std::size_t limit) {
  storage::ChildrenQuery query;
  query.room = event.event->room_id();
  query.parent = event.event->id();
  query.relation_type = type;
  query.from = end;
  query.to = beginning;
  query.limit = limit;
  return query;
}

}  // namespace

Result<std::vector<UserId>> ignored_users(storage::Database& database, const UserId& user) {
  std::vector<UserId> users;
  auto entry = database.accounts().account_data(user, std::nullopt, "m.ignored_user_list");
  if (!entry) return tl::make_unexpected(entry.error());
  if (!*entry) return users;
  auto content = parse_stored((*entry)->content_json);
  if (!content) return tl::make_unexpected(content.error());
  const Json* list = find_object(*content, "ignored_users");
  if (list == nullptr) return users;
  for (const auto& [text, about] : list->items()) {
    // Nobody ignores themselves.
    if (auto ignored = UserId::parse(text); ignored && *ignored != user) users.push_back(std::move(*ignored));
  }
  return users;
}

Json Aggregator::plain(const storage::StoredEvent& event, bool with_room_id) {
  return client_event(event, database_.rooms(), now_ms_, reader_, device_, with_room_id);
}

Result<Json> Aggregator::show(const std::vector<storage::StoredEvent>& events, bool with_room_id) {
  Json shown = Json::array();
  if (events.empty()) return shown;
  std::vector<EventId> parents;
  // State events get none.
  for (const storage::StoredEvent& stored : events) {
    if (!stored.event->is_state() && !stored.outlier) parents.push_back(stored.event->id());
  }
  auto types = database_.relations().child_types(events.front().event->room_id(), parents);
  if (!types) return tl::make_unexpected(types.error());
  for (const storage::StoredEvent& stored : events) {
    Json json = plain(stored, with_room_id);
    if (const auto found = types->find(stored.event->id()); found != types->end()) {
      auto relations = bundle(stored, found->second, with_room_id);
      if (!relations) return relations;
      if (!relations->empty()) json["unsigned"]["m.relations"] = std::move(*relations);
    }
    shown.push_back(std::move(json));
  }
  return shown;
}

Result<Json> Aggregator::show(const storage::StoredEvent& event, bool with_room_id) {
  auto shown = show(std::vector<storage::StoredEvent>{event}, with_room_id);
  if (!shown) return shown;
  return std::move(shown->front());
}

Result<Json> Aggregator::bundle(const storage::StoredEvent& event, const std::set<std::string>& types,
                                bool with_room_id) {
  Json relations = Json::object();
  const auto add = [&](const char* type, Result<std::optional<Json>> made) -> Result<void> {
    if (!made) return tl::make_unexpected(made.error());
    if (*made) relations[type] = std::move(**made);
    return {};
  };
  if (types.contains("m.replace")) {
    if (auto added = add("m.replace", latest_edit(event, with_room_id)); !added)
      return tl::make_unexpected(added.error());
  }
  if (types.contains("m.thread")) {
    if (auto added = add("m.thread", thread(event, with_room_id)); !added) return tl::make_unexpected(added.error());
  }
  if (types.contains("m.reference")) {
    if (auto added = add("m.reference", references(event)); !added) return tl::make_unexpected(added.error());
  }
  return relations;
}

// 'Server-side aggregation of m.replace relationships': none with what was redacted.
Result<std::optional<Json>> Aggregator::latest_edit(const storage::StoredEvent& event, bool with_room_id) {
  if (event.redacted_by) return std::nullopt;
  auto edits = database_.relations().edits(*event.event, edits_looked_at);
  if (!edits) return tl::make_unexpected(edits.error());
  for (const storage::StoredEvent& edit : *edits) {
    if (!is_valid_replacement(*event.event, *edit.event)) continue;
    auto seen = counts(edit);
    if (!seen) return tl::make_unexpected(seen.error());
    if (*seen) return plain(edit, with_room_id);
  }
  return std::nullopt;
}

// 'Server-side aggregation of m.thread relationships'. What itself relates to something is no root, so that the
// latest event's own bundle holds no further thread.
Result<std::optional<Json>> Aggregator::thread(const storage::StoredEvent& root, bool with_room_id) {
  if (relation_of(*root.event)) return std::nullopt;
  auto replies = database_.relations().children(children_of(root, "m.thread", replies_looked_at));
  if (!replies) return tl::make_unexpected(replies.error());
  const storage::StoredEvent* latest = nullptr;
  for (const storage::StoredEvent& reply : *replies) {
    auto seen = counts(reply);
    if (!seen) return tl::make_unexpected(seen.error());
    if (!*seen) continue;
    latest = &reply;
    break;
  }
  if (latest == nullptr) return std::nullopt;
  auto users = ignored();
  if (!users) return tl::make_unexpected(users.error());
  auto summary = database_.relations().thread(root.event->room_id(), root.event->id(), reader_, **users);
  if (!summary) return tl::make_unexpected(summary.error());
  auto shown = show(*latest, with_room_id);
  if (!shown) return tl::make_unexpected(shown.error());
  return Json{{"latest_event", std::move(*shown)},
              {"count", summary->count},
              {"current_user_participated", summary->participated || root.event->sender() == reader_}};
}

Result<std::optional<Json>> Aggregator::references(const storage::StoredEvent& event) {
  auto query = children_of(event, "m.reference", references_told);
  std::swap(query.from, query.to);
  query.backwards = false;
  auto children = database_.relations().children(query);
  if (!children) return tl::make_unexpected(children.error());
  Json chunk = Json::array();
  for (const storage::StoredEvent& child : *children) {
    auto seen = counts(child);
    if (!seen) return tl::make_unexpected(seen.error());
    if (*seen) chunk.push_back({{"event_id", child.event->id().str()}});
  }
  if (chunk.empty()) return std::nullopt;
  return Json{{"chunk", std::move(chunk)}};
}

// The reader may see the child, and wants to.
Result<bool> Aggregator::counts(const storage::StoredEvent& child) {
  auto users = ignored();
  if (!users) return tl::make_unexpected(users.error());
  if (std::find((*users)->begin(), (*users)->end(), child.event->sender()) != (*users)->end()) return false;
  return user_may_see(database_.rooms(), reader_, child);
}

Result<const std::vector<UserId>*> Aggregator::ignored() {
  if (!ignored_) {
    auto users = ignored_users(database_, reader_);
    if (!users) return tl::make_unexpected(users.error());
    ignored_ = std::move(*users);
  }
  return &*ignored_;
}

}  // namespace skerry::homeserver
