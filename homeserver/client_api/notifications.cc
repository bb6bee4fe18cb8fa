// GET /notifications   what the caller was notified of, the latest first
// Client-server API, 'Listing notifications'.
#include <algorithm>

#include <nlohmann/json.hpp>

#include "homeserver/client_api/handlers.h"
#include "homeserver/client_api/shown_events.h"
#include "homeserver/sync/notices.h"
#include "homeserver/sync/tokens.h"

namespace skerry::homeserver::client_api {

namespace {

constexpr std::size_t default_limit = 20;
constexpr std::size_t most_at_once = 100;

Json actions_of(bool highlight) {
  Json actions = {"notify"};
  if (highlight) actions.push_back({{"set_tweak", "highlight"}});
  return actions;
}

}  // namespace

void get_notifications(Services& services, Call call, Reply reply) {
  auto limit = query_limit(call, default_limit);
  if (!limit) return reply.error(limit.error());
  storage::StreamPosition to = services.database.stream().current();
  if (const std::string* from = call.query_value("from"); from != nullptr && !from->empty()) {
    const auto position = parse_stream_token(*from);
    if (!position) return reply.error({ErrorCode::invalid_param, "from is not a token of this server"});
    to = std::min(to, *position);
  }
  const std::string* only = call.query_value("only");
  auto page = notices(services.database, services.reader, call.caller->user, to,
                      std::clamp<std::size_t>(*limit, 1, most_at_once), only != nullptr && *only == "highlight");
  if (!page) return reply.error(page.error());
  Json list = Json::array();
  for (const NoticedEvent& noticed : page->events) {
    auto event = aggregator(services, call).show(noticed.event, false);
    if (!event) return reply.error(event.error());
    list.push_back({{"actions", actions_of(noticed.highlight)},
                    {"event", std::move(*event)},
                    {"read", noticed.read},
                    {"room_id", noticed.event.event->room_id().str()},
                    {"ts", noticed.event.event->origin_server_ts_ms()}});
  }
  Json body = {{"notifications", std::move(list)}};
  if (page->next) body["next_token"] = stream_token(*page->next);
  reply.json(body);
}

}  // namespace skerry::homeserver::client_api
