// POST /search   messages, names and topics by their words, in rooms that the caller is or was in, as far as they may
// see them. Brings the index up to date first. Client-server API, 'Server Side Search'.
#include <algorithm>
#include <charconv>
#include <map>
#include <set>

#include <nlohmann/json.hpp>

#include "homeserver/client_api/handlers.h"
#include "homeserver/client_api/shown_events.h"
#include "homeserver/sync/tokens.h"
#include "storage/event_index.h"

namespace skerry::homeserver::client_api {

namespace {

constexpr std::size_t most_words = 20;
constexpr std::size_t search_term_bytes = 1'024;
constexpr std::size_t results_at_once = 100;
constexpr std::size_t most_context = 50;
constexpr std::size_t most_counted = 1'000;
constexpr std::size_t batch_size = 100;
constexpr std::size_t most_batches = 20;  // looked through for a page of what the caller may see

struct Criteria {
  storage::TextQuery text;
  EventFilter filter;
  bool with_context = false;
  std::size_t before = 5;
  std::size_t after = 5;
  bool with_profiles = false;
  bool with_state = false;
  std::vector<std::string> group_by;  // room_id, sender
};

Result<std::size_t> count_of(const Json& object, const char* key, std::size_t otherwise) {
  const Json* number = find_member(object, key);
  if (number == nullptr) return otherwise;
  if (!number->is_number_unsigned()) return fail(ErrorCode::bad_json, std::string(key) + " must be a whole number");
  return std::min<std::size_t>(number->get<std::size_t>(), most_context);
}

Result<std::vector<std::string>> words_of(const Json& category) {
  auto term = required_string(category, "search_term");
  if (!term) return tl::make_unexpected(term.error());
  if (term->size() > search_term_bytes)
    return fail(ErrorCode::invalid_param, "the search term is longer than 1,024 bytes");
  std::vector<std::string> words;
  std::size_t begin = 0;
  while (begin < term->size() && words.size() < most_words) {
    const std::size_t end = std::min(term->find_first_of(" \t\r\n", begin), term->size());
    if (end > begin) words.push_back(term->substr(begin, end - begin));
    begin = end + 1;
  }
  return words;
}

Result<std::vector<storage::TextField>> fields_of(const Json& category) {
  using storage::TextField;
  const Json* keys = find_member(category, "keys");
  if (keys == nullptr) return std::vector{TextField::body, TextField::name, TextField::topic};
  if (!keys->is_array()) return fail(ErrorCode::bad_json, "keys must be an array");
  std::set<TextField> fields;
  for (const Json& key : *keys) {
    if (key == "content.body") {
      fields.insert(TextField::body);
    } else if (key == "content.name") {
      fields.insert(TextField::name);
    } else if (key == "content.topic") {
      fields.insert(TextField::topic);
    } else {
      return fail(ErrorCode::invalid_param, "keys: content.body, content.name or content.topic");
    }
  }
  return std::vector(fields.begin(), fields.end());
}

Result<void> read_context(const Json& category, Criteria& criteria) {
  const Json* context = find_object(category, "event_context");
  if (context == nullptr) return {};
  criteria.with_context = true;
  auto before = count_of(*context, "before_limit", criteria.before);
  if (!before) return tl::make_unexpected(before.error());
  auto after = count_of(*context, "after_limit", criteria.after);
  if (!after) return tl::make_unexpected(after.error());
  auto profiles = flag(*context, "include_profile");
  if (!profiles) return tl::make_unexpected(profiles.error());
  criteria.before = *before;
  criteria.after = *after;
  criteria.with_profiles = *profiles;
  return {};
}

Result<void> read_groupings(const Json& category, Criteria& criteria) {
  const Json* groupings = find_object(category, "groupings");
  const Json* group_by = groupings == nullptr ? nullptr : find_array(*groupings, "group_by");
  if (group_by == nullptr) return {};
  for (const Json& group : *group_by) {
    const std::string* key = group.is_object() ? find_string(group, "key") : nullptr;
    if (key == nullptr || (*key != "room_id" && *key != "sender"))
      return fail(ErrorCode::invalid_param, "group_by: room_id or sender");
    if (criteria.group_by.size() < 2) criteria.group_by.push_back(*key);
  }
  return {};
}

Result<Criteria> parse_criteria(const Json& category) {
  Criteria criteria;
  auto words = words_of(category);
  if (!words) return tl::make_unexpected(words.error());
  auto fields = fields_of(category);
  if (!fields) return tl::make_unexpected(fields.error());
  criteria.text.words = std::move(*words);
  criteria.text.fields = std::move(*fields);
  if (const Json* filter = find_member(category, "filter")) {
    auto parsed = parse_event_filter(*filter);
    if (!parsed) return tl::make_unexpected(parsed.error());
    criteria.filter = std::move(*parsed);
  }
  criteria.filter.limit = std::min(criteria.filter.limit, results_at_once);
  auto order = optional_string(category, "order_by");
  if (!order) return tl::make_unexpected(order.error());
  if (*order && **order != "rank" && **order != "recent")
    return fail(ErrorCode::invalid_param, "order_by: rank or recent");
  criteria.text.by_rank = order->value_or("rank") == "rank";
  auto state = flag(category, "include_state");
  if (!state) return tl::make_unexpected(state.error());
  criteria.with_state = *state;
  if (auto read = read_context(category, criteria); !read) return tl::make_unexpected(read.error());
  if (auto read = read_groupings(category, criteria); !read) return tl::make_unexpected(read.error());
  return criteria;
}

// Rooms that the caller is or was in and has not forgotten.
Result<std::vector<RoomId>> rooms_of(Services& services, const Call& call, const EventFilter& filter) {
  auto memberships = services.database.rooms().memberships_of(call.caller->user);
  if (!memberships) return tl::make_unexpected(memberships.error());
  std::vector<RoomId> rooms;
  for (const storage::Membership& membership : *memberships) {
    const std::string& how = membership.membership;
    if (membership.forgotten || (how != "join" && how != "leave" && how != "ban")) continue;
    if (filter.wants_room(membership.room.str())) rooms.push_back(membership.room);
  }
  return rooms;
}

// next_batch: "SKIPPED_UNTIL".
std::string batch_token(const storage::TextQuery& query) {
  return std::to_string(query.skip) + "_" + std::to_string(query.until);
}

Result<void> read_batch_token(const std::string& token, storage::TextQuery& query) {
  const char* const end = token.data() + token.size();
  const auto skip = std::from_chars(token.data(), end, query.skip);
  if (skip.ec == std::errc{} && skip.ptr != end && *skip.ptr == '_') {
    const auto until = std::from_chars(skip.ptr + 1, end, query.until);
    if (until.ec == std::errc{} && until.ptr == end) return {};
  }
  return fail(ErrorCode::invalid_param, "next_batch is not a token of this server");
}

// The next hits that the caller may see and the filter wants; moves query.skip on. `*more`: there may be others.
Result<std::vector<storage::TextHit>> find_hits(Services& services, const Call& call, const EventFilter& filter,
                                                storage::TextQuery& query, bool* more) {
  std::vector<storage::TextHit> hits;
  *more = true;
  for (std::size_t batch = 0; batch < most_batches && *more; ++batch) {
    query.limit = batch_size;
    auto found = services.database.index().find_text(query);
    if (!found) return tl::make_unexpected(found.error());
    *more = found->size() == batch_size;
    for (std::size_t i = 0; i < found->size(); ++i) {
      storage::TextHit& hit = (*found)[i];
      ++query.skip;
      if (!filter.wants(*hit.event.event)) continue;
      auto visible = services.reader.may_see(call.caller->user, hit.event);
      if (!visible) return tl::make_unexpected(visible.error());
      if (!*visible) continue;
      hits.push_back(std::move(hit));
      if (hits.size() == filter.limit) {
        *more = *more || i + 1 < found->size();
        return hits;
      }
    }
  }
  return hits;
}

// The sender's name and avatar as they were at the event.
Result<Json> profile_at(Services& services, const storage::StoredEvent& stored) {
  Json profile = Json::object();
  auto member = services.reader.state_event_at(stored.state_before, "m.room.member", stored.event->sender().str());
  if (!member) return tl::make_unexpected(member.error());
  if (!*member) return profile;
  for (const char* key : {"displayname", "avatar_url"}) {
    if (const std::string* value = find_string((*member)->content(), key)) profile[key] = *value;
  }
  return profile;
}

Result<Json> context_of(Services& services, const Call& call, const Criteria& criteria,
                        const storage::StoredEvent& hit) {
  const RoomId& room = hit.event->room_id();
  auto before = read_page(services, call, room, hit.topological, true, criteria.before, EventFilter{});
  if (!before) return tl::make_unexpected(before.error());
  auto after = read_page(services, call, room, hit.topological, false, criteria.after, EventFilter{});
  if (!after) return tl::make_unexpected(after.error());
  auto shown = aggregator(services, call);
  auto events_before = shown.show(before->events, true);
  if (!events_before) return events_before;
  auto events_after = shown.show(after->events, true);
  if (!events_after) return events_after;
  Json context = {{"start", topological_token(before->reached)},
                  {"end", topological_token(after->reached)},
                  {"events_before", std::move(*events_before)},
                  {"events_after", std::move(*events_after)}};
  if (!criteria.with_profiles) return context;
  Json profiles = Json::object();
  std::vector<const storage::StoredEvent*> all{&hit};
  for (const auto* page : {&before->events, &after->events}) {
    for (const storage::StoredEvent& stored : *page) all.push_back(&stored);
  }
  for (const storage::StoredEvent* stored : all) {
    if (profiles.contains(stored->event->sender().str())) continue;
    auto profile = profile_at(services, *stored);
    if (!profile) return profile;
    profiles[stored->event->sender().str()] = std::move(*profile);
  }
  context["profile_info"] = std::move(profiles);
  return context;
}

Result<Json> results_of(Services& services, const Call& call, const Criteria& criteria,
                        const std::vector<storage::TextHit>& hits) {
  Json results = Json::array();
  for (const storage::TextHit& hit : hits) {
    auto event = aggregator(services, call).show(hit.event);
    if (!event) return event;
    Json result = {{"rank", hit.rank}, {"result", std::move(*event)}};
    if (criteria.with_context) {
      auto context = context_of(services, call, criteria, hit.event);
      if (!context) return context;
      result["context"] = std::move(*context);
    }
    results.push_back(std::move(result));
  }
  return results;
}

Json groups_of(const Criteria& criteria, const std::vector<storage::TextHit>& hits) {
  Json groups = Json::object();
  for (const std::string& key : criteria.group_by) {
    Json& grouped = groups[key] = Json::object();
    for (const storage::TextHit& hit : hits) {
      const Event& event = *hit.event.event;
      const std::string& value = key == "sender" ? event.sender().str() : event.room_id().str();
      const auto order = grouped.size() + 1;
      Json& group = grouped[value];
      if (group.is_null()) group = {{"order", order}, {"results", Json::array()}};
      group["results"].push_back(event.id().str());
    }
  }
  return groups;
}

// The current state of the results' rooms that the caller is still in.
Result<Json> states_of(Services& services, const Call& call, const std::vector<storage::TextHit>& hits) {
  Json states = Json::object();
  for (const storage::TextHit& hit : hits) {
    const RoomId& room = hit.event.event->room_id();
    if (states.contains(room.str())) continue;
    auto membership = services.reader.membership(room, call.caller->user);
    if (!membership) return tl::make_unexpected(membership.error());
    if (*membership != "join") continue;
    auto state = services.reader.current_state(room);
    if (!state) return tl::make_unexpected(state.error());
    std::vector<EventId> ids;
    for (const auto& [key, id] : **state) ids.push_back(id);
    auto events = services.database.rooms().events(ids);
    if (!events) return tl::make_unexpected(events.error());
    auto shown = aggregator(services, call).show(*events, true);
    if (!shown) return shown;
    states[room.str()] = std::move(*shown);
  }
  return states;
}

// The `room_events` of the answer.
Result<Json> search_events(Services& services, const Call& call, const Json& category) {
  auto criteria = parse_criteria(category);
  if (!criteria) return tl::make_unexpected(criteria.error());
  storage::TextQuery& query = criteria->text;
  query.until = services.database.stream().current();
  if (const std::string* token = call.query_value("next_batch"); token != nullptr && !token->empty()) {
    if (auto read = read_batch_token(*token, query); !read) return tl::make_unexpected(read.error());
  }
  auto rooms = rooms_of(services, call, criteria->filter);
  if (!rooms) return tl::make_unexpected(rooms.error());
  query.rooms = std::move(*rooms);
  if (auto ready = services.database.index().catch_up(); !ready) return tl::make_unexpected(ready.error());
  auto count = services.database.index().count_text(query, most_counted);
  if (!count) return tl::make_unexpected(count.error());
  bool more = false;
  auto hits = find_hits(services, call, criteria->filter, query, &more);
  if (!hits) return tl::make_unexpected(hits.error());
  auto results = results_of(services, call, *criteria, *hits);
  if (!results) return results;
  Json answer = {{"count", *count}, {"highlights", query.words}, {"results", std::move(*results)}};
  if (more) answer["next_batch"] = batch_token(query);
  if (!criteria->group_by.empty()) answer["groups"] = groups_of(*criteria, *hits);
  if (criteria->with_state) {
    auto states = states_of(services, call, *hits);
    if (!states) return states;
    answer["state"] = std::move(*states);
  }
  return answer;
}

}  // namespace

void search(Services& services, Call call, Reply reply) {
  const Json* categories = find_object(*call.body, "search_categories");
  if (categories == nullptr) return reply.error({ErrorCode::missing_param, "search_categories is required"});
  Json found = Json::object();
  if (const Json* category = find_object(*categories, "room_events")) {
    auto events = search_events(services, call, *category);
    if (!events) return reply.error(events.error());
    found["room_events"] = std::move(*events);
  }
  reply.json({{"search_categories", std::move(found)}});
}

}  // namespace skerry::homeserver::client_api
