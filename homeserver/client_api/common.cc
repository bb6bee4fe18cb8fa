#include "homeserver/client_api/common.h"

#include <charconv>

#include <nlohmann/json.hpp>

namespace skerry::homeserver::client_api {

Result<void> own_user(const Call& call, std::size_t n) {
  if (call.parameters.at(n) != call.caller->user.str())
    return fail(ErrorCode::forbidden, "that belongs to another user");
  return {};
}

Result<std::optional<std::string>> optional_string(const Json& body, std::string_view key) {
  const Json* member = find_member(body, key);
  if (member == nullptr || member->is_null()) return std::nullopt;
  if (!member->is_string()) return fail(ErrorCode::bad_json, std::string(key) + " must be a string");
  return member->get<std::string>();
}

Result<std::string> required_string(const Json& body, std::string_view key) {
  auto member = optional_string(body, key);
  if (!member) return tl::make_unexpected(member.error());
  if (!*member) return fail(ErrorCode::missing_param, std::string(key) + " is required");
  return **member;
}

Result<bool> flag(const Json& body, std::string_view key, bool when_absent) {
  const Json* member = find_member(body, key);
  if (member == nullptr || member->is_null()) return when_absent;
  if (!member->is_boolean()) return fail(ErrorCode::bad_json, std::string(key) + " must be true or false");
  return member->get<bool>();
}

Result<std::optional<std::int64_t>> query_number(const Call& call, std::string_view name) {
  const std::string* text = call.query_value(name);
  if (text == nullptr) return std::nullopt;
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), number);
  if (error != std::errc{} || end != text->data() + text->size() || number < 0) {
    return fail(ErrorCode::invalid_param, std::string(name) + " must be a whole number");
  }
  return number;
}

Result<SeenRoom> seen_room(Services& services, const Call& call, std::size_t parameter) {
  auto room = path_id<RoomId>(call, parameter);
  if (!room) return tl::make_unexpected(room.error());
  auto membership = services.database.rooms().membership(*room, call.caller->user);
  if (!membership) return tl::make_unexpected(membership.error());
  const bool was_in = *membership && !(*membership)->forgotten &&
                      ((*membership)->membership == "join" || (*membership)->membership == "leave" ||
                       (*membership)->membership == "ban");
  if (!was_in) return fail(ErrorCode::forbidden, "you are not in this room");
  return SeenRoom{*room, **membership};
}

Result<RoomId> joined_room(Services& services, const Call& call, std::size_t parameter) {
  auto seen = seen_room(services, call, parameter);
  if (!seen) return tl::make_unexpected(seen.error());
  if (seen->membership.membership != "join") return fail(ErrorCode::forbidden, "you are not in this room");
  return seen->room;
}

Result<void> may_name(const Services& services, const Caller& caller, const RoomAlias& alias) {
  const Appservice* appservice = caller.appservice;
  if (appservice != nullptr && !appservice->has_alias(alias))
    return fail(ErrorCode::exclusive, "that alias is in no namespace of this application service");
  if (services.appservices.other_owner(alias, appservice) != nullptr)
    return fail(ErrorCode::exclusive, "that alias belongs to an application service");
  return {};
}

bool alias_was_looked_for(Services& services, const RoomAlias& alias, Reply& reply) {
  if (services.appservice_queries.look_for(alias) != AppserviceQueries::Outcome::no_answer) return true;
  // 'Querying': 408.
  reply.error(408, {{"errcode", "M_UNKNOWN"}, {"error", "the application service of that alias does not answer"}});
  return false;
}

Json join_content(Services& services, const UserId& user) {
  Json content = {{"membership", "join"}};
  if (auto profile = services.database.accounts().profile(user)) {
    if (!profile->display_name.empty()) content["displayname"] = profile->display_name;
    if (!profile->avatar_url.empty()) content["avatar_url"] = profile->avatar_url;
  }
  return content;
}

Json nothing() { return Json::object(); }

}  // namespace skerry::homeserver::client_api
