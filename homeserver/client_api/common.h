// What several handler files of the client-server API share.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "core/ids.h"
#include "core/json.h"
#include "homeserver/route.h"
#include "homeserver/services.h"

namespace skerry::homeserver::client_api {

// The n-th path parameter as an id. Errors: invalid_param.
template <class IdType>
Result<IdType> path_id(const Call& call, std::size_t n) {
  auto id = IdType::parse(call.parameters.at(n));
  if (!id) return fail(ErrorCode::invalid_param, id.error().text);
  return id;
}

// The n-th path parameter is the caller. Errors: forbidden.
Result<void> own_user(const Call& call, std::size_t n);

// A string member of the body: absent is nothing. Errors: bad_json when it is there and no string.
Result<std::optional<std::string>> optional_string(const Json& body, std::string_view key);
Result<std::string> required_string(const Json& body, std::string_view key);  // also missing_param
// Errors: bad_json when it is there and neither true nor false.
Result<bool> flag(const Json& body, std::string_view key, bool when_absent = false);
// Errors: invalid_param when the query has it and it is no whole number, or below 0.
Result<std::optional<std::int64_t>> query_number(const Call& call, std::string_view name);

// The room's id when the caller is joined. Errors: invalid_param, forbidden (also for rooms that are not there).
Result<RoomId> joined_room(Services& services, const Call& call, std::size_t parameter);
// The same, also for those who left: `membership` is then "leave" or "ban", and what they see ends there.
struct SeenRoom {
  RoomId room;
  storage::Membership membership;
};
Result<SeenRoom> seen_room(Services& services, const Call& call, std::size_t parameter);

// Whether the caller may give a room this name, or take it away: those of an application service's own are not for
// others, and it has no others. Errors: exclusive.
Result<void> may_name(const Services& services, const Caller& caller, const RoomAlias& alias);

// Has application services make an alias that is not there. False when the request was answered: whoever could have
// made it was not reached. Waits: on `outbound` only.
bool alias_was_looked_for(Services& services, const RoomAlias& alias, Reply& reply);

// Content of a join of this user: membership, and the profile's displayname and avatar_url where set.
Json join_content(Services& services, const UserId& user);

// {} as the answer.
Json nothing();

// A Reply that several callbacks may hold; the first answer counts.
using SharedReply = std::shared_ptr<Reply>;
inline SharedReply share(Reply reply) { return std::make_shared<Reply>(std::move(reply)); }

}  // namespace skerry::homeserver::client_api
