// The published room directory of this server, as clients and other servers ask for it.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "core/json.h"
#include "homeserver/rooms/reader.h"
#include "storage/database.h"

namespace skerry::homeserver {

struct PublicRoomsQuery {
  std::size_t limit = 100;    // at most limits::page_events; 0: none asked, the same as 100
  std::string since;          // a token of an earlier answer
  bool all_networks = false;  // those that application services list as well
  std::string instance;       // only the rooms of one of their networks: "ID|NETWORK" (instance_id)
  std::string search_term;    // looked for in name, topic and canonical alias, without case (ASCII)
  std::optional<std::vector<std::string>> room_types;  // "" stands for rooms without a type; nothing: of any type

  static Result<PublicRoomsQuery> parse(const Json& body);  // bad_json
  Json json() const;                                        // as a request body
};

// {"chunk":..., "total_room_count_estimate":..., next_batch, prev_batch}: rooms with most members first. Errors:
// invalid_param for a token that is not ours, storage.
Result<Json> list_public_rooms(storage::Database& database, const RoomReader& reader, const PublicRoomsQuery& query);

}  // namespace skerry::homeserver
