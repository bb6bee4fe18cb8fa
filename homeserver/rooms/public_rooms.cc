#include "homeserver/rooms/public_rooms.h"

#include <algorithm>
#include <charconv>

#include <nlohmann/json.hpp>

#include "core/limits.h"
#include "homeserver/rooms/room_summary.h"
#include "storage/appservice_store.h"

namespace skerry::homeserver {

namespace {

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c); });
  return text;
}

bool matches(const Json& entry, const std::string& lower_term) {
  for (const char* key : {"name", "topic", "canonical_alias"}) {
    const std::string* value = find_string(entry, key);
    if (value != nullptr && lower(*value).find(lower_term) != std::string::npos) return true;
  }
  return false;
}

bool is_of_type(const Json& entry, const std::vector<std::string>& types) {
  const std::string* type = find_string(entry, "room_type");
  return std::find(types.begin(), types.end(), type != nullptr ? *type : "") != types.end();
}

Result<std::vector<std::string>> parse_room_types(const Json& types) {
  std::vector<std::string> parsed;
  if (!types.is_array()) return fail(ErrorCode::bad_json, "room_types must be a list");
  for (const Json& type : types) {
    if (!type.is_string() && !type.is_null())
      return fail(ErrorCode::bad_json, "a type of rooms must be a string or null");
    parsed.push_back(type.is_string() ? type.get<std::string>() : "");
  }
  return parsed;
}

// The server's own list, and what application services add to it.
Result<std::vector<RoomId>> rooms_of_network(storage::Database& database, const PublicRoomsQuery& query) {
  if (!query.instance.empty()) {
    const auto bar = query.instance.find('|');
    if (bar == std::string::npos) return std::vector<RoomId>{};
    return database.appservices().listed_rooms(query.instance.substr(0, bar), query.instance.substr(bar + 1));
  }
  auto rooms = database.rooms().published_rooms();
  if (!rooms || !query.all_networks) return rooms;
  auto listed = database.appservices().listed_rooms();
  if (!listed) return listed;
  rooms->insert(rooms->end(), listed->begin(), listed->end());
  std::sort(rooms->begin(), rooms->end());
  rooms->erase(std::unique(rooms->begin(), rooms->end()), rooms->end());
  return rooms;
}

}  // namespace

Result<PublicRoomsQuery> PublicRoomsQuery::parse(const Json& body) {
  PublicRoomsQuery query;
  if (const Json* limit = find_member(body, "limit"); limit != nullptr && !limit->is_null()) {
    if (!limit->is_number_unsigned()) return fail(ErrorCode::bad_json, "limit must be a whole number");
    query.limit = limit->get<std::size_t>();
  }
  if (const std::string* since = find_string(body, "since")) query.since = *since;
  if (const Json* all = find_member(body, "include_all_networks"); all != nullptr && all->is_boolean())
    query.all_networks = all->get<bool>();
  if (const std::string* instance = find_string(body, "third_party_instance_id")) query.instance = *instance;
  if (query.all_networks && !query.instance.empty())
    return fail(ErrorCode::invalid_param, "third_party_instance_id is for one network, include_all_networks for all");
  if (const Json* filter = find_object(body, "filter")) {
    if (const std::string* term = find_string(*filter, "generic_search_term")) query.search_term = *term;
    if (const Json* types = find_member(*filter, "room_types"); types != nullptr && !types->is_null()) {
      auto parsed = parse_room_types(*types);
      if (!parsed) return tl::make_unexpected(parsed.error());
      query.room_types = std::move(*parsed);
    }
  }
  return query;
}

Json PublicRoomsQuery::json() const {
  Json body = {{"limit", limit}};
  if (!since.empty()) body["since"] = since;
  if (all_networks) body["include_all_networks"] = true;
  if (!instance.empty()) body["third_party_instance_id"] = instance;
  if (!search_term.empty()) body["filter"]["generic_search_term"] = search_term;
  if (room_types) {
    Json& types = body["filter"]["room_types"] = Json::array();
    for (const std::string& type : *room_types) types.push_back(type.empty() ? Json() : Json(type));
  }
  return body;
}

Result<Json> list_public_rooms(storage::Database& database, const RoomReader& reader, const PublicRoomsQuery& query) {
  std::size_t first = 0;
  if (!query.since.empty()) {
    const char* end = query.since.data() + query.since.size();
    const auto [parsed_to, error] = std::from_chars(query.since.data(), end, first);
    if (error != std::errc{} || parsed_to != end)
      return fail(ErrorCode::invalid_param, "since is not a token of this server");
  }
  auto published = rooms_of_network(database, query);
  if (!published) return tl::make_unexpected(published.error());
  std::vector<Json> rooms;
  const std::string term = lower(query.search_term);
  for (const RoomId& room : *published) {
    auto entry = public_rooms_chunk(database.rooms(), reader, room);
    if (!entry) return tl::make_unexpected(entry.error());
    if (query.room_types && !is_of_type(*entry, *query.room_types)) continue;
    if (term.empty() || matches(*entry, term)) rooms.push_back(std::move(*entry));
  }
  std::sort(rooms.begin(), rooms.end(), [](const Json& a, const Json& b) {
    const auto size_a = a.at("num_joined_members").get<std::int64_t>(),
               size_b = b.at("num_joined_members").get<std::int64_t>();
    return size_a != size_b ? size_a > size_b : a.at("room_id") < b.at("room_id");
  });
  const std::size_t limit = query.limit == 0 ? 100 : std::min(query.limit, limits::page_events);
  first = std::min(first, rooms.size());
  const std::size_t last = std::min(first + limit, rooms.size());
  Json body = {{"chunk", Json(std::vector<Json>(rooms.begin() + static_cast<std::ptrdiff_t>(first),
                                                rooms.begin() + static_cast<std::ptrdiff_t>(last)))},
               {"total_room_count_estimate", rooms.size()}};
  if (last < rooms.size()) body["next_batch"] = std::to_string(last);
  if (first > 0) body["prev_batch"] = std::to_string(first > limit ? first - limit : 0);
  return body;
}

}  // namespace skerry::homeserver
