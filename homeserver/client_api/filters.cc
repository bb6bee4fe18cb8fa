// POST /user/{userId}/filter              stores a filter
// GET  /user/{userId}/filter/{filterId}   a stored filter, as it came
// Client-server API, 'Filtering'.
#include <nlohmann/json.hpp>

#include "homeserver/client_api/common.h"
#include "homeserver/client_api/handlers.h"
#include "homeserver/sync/filter.h"

namespace skerry::homeserver::client_api {

namespace {

constexpr std::size_t filter_bytes = 65'536;

}  // namespace

void post_filter(Services& services, Call call, Reply reply) {
  if (auto own = own_user(call, 0); !own) return reply.error(own.error());
  if (auto parsed = parse_filter(*call.body); !parsed) return reply.error(parsed.error());
  const std::string text = dump(*call.body);
  if (text.size() > filter_bytes) return reply.error({ErrorCode::too_large, "the filter is larger than 64 KiB"});
  auto id = services.database.accounts().add_filter(call.caller->user, text);
  if (!id) return reply.error(id.error());
  reply.json({{"filter_id", *id}});
}

void get_filter(Services& services, Call call, Reply reply) {
  if (auto own = own_user(call, 0); !own) return reply.error(own.error());
  auto filter = services.database.accounts().filter(call.caller->user, call.parameters[1]);
  if (!filter) return reply.error(filter.error());
  if (!*filter) return reply.error({ErrorCode::not_found, "no filter of that id"});
  reply.text(std::move(**filter));
}

}  // namespace skerry::homeserver::client_api
