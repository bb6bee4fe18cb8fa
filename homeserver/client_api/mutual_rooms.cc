// GET /mutual_rooms    the rooms that the caller shares with another user. Client-server API, 'Mutual Rooms'.
#include <nlohmann/json.hpp>

#include "homeserver/client_api/common.h"
#include "homeserver/client_api/handlers.h"
#include "storage/people_store.h"

namespace skerry::homeserver::client_api {

namespace {

constexpr std::size_t rooms_at_once = 100;

}  // namespace

void get_mutual_rooms(Services& services, Call call, Reply reply) {
  const std::string* text = call.query_value("user_id");
  if (text == nullptr) return reply.error({ErrorCode::missing_param, "user_id is required"});
  auto other = UserId::parse(*text);
  if (!other) return reply.error({ErrorCode::invalid_param, "user_id is not a user id"});
  if (*other == call.caller->user) return reply.error({ErrorCode::invalid_param, "that is yourself"});
  auto from = query_number(call, "from");
  if (!from) return reply.error(from.error());
  auto mutual = services.database.people().mutual_rooms(call.caller->user, *other, from->value_or(0), rooms_at_once);
  if (!mutual) return reply.error(mutual.error());
  Json answer = {{"joined", Json::array()}, {"count", mutual->count}};
  for (const RoomId& room : mutual->rooms) answer["joined"].push_back(room.str());
  if (mutual->next) answer["next_batch"] = std::to_string(*mutual->next);
  reply.json(answer);
}

}  // namespace skerry::homeserver::client_api
