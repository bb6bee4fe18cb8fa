// POST /rooms/{roomId}/report             tells the operator of a room
// POST /rooms/{roomId}/report/{eventId}   of an event in a room that the caller is in
// POST /users/{userId}/report             of a user
// Reports are kept in the database and noted in the log. Whether a room or a user that is none of the caller's exists,
// the answers do not tell. Client-server API, 'Reporting Content'.
#include <nlohmann/json.hpp>

#include "homeserver/client_api/handlers.h"
#include "homeserver/client_api/shown_events.h"
#include "homeserver/rate_limiter.h"
#include "net/log.h"

namespace skerry::homeserver::client_api {

namespace {

constexpr std::size_t reason_bytes = 4'096;
constexpr std::size_t reports_kept = 10'000;

// Fills in who, why and when, stores the report, and answers.
void take_report(Services& services, const Call& call, storage::Report report, bool needs_reason, Reply reply) {
  if (auto wait = services.rate_limiter.message(*call.caller)) return reply.limited(*wait);
  auto reason = optional_string(*call.body, "reason");
  if (!reason) return reply.error(reason.error());
  if (needs_reason && !*reason) return reply.error({ErrorCode::missing_param, "reason is required"});
  if (*reason && (*reason)->size() > reason_bytes)
    return reply.error({ErrorCode::invalid_param, "the reason is longer than 4,096 bytes"});
  report.reporter = call.caller->user;
  report.reason = reason->value_or("");
  report.ts_ms = services.clock.now_ms();
  if (auto stored = services.database.accounts().add_report(report, reports_kept); !stored)
    return reply.error(stored.error());
  const std::string& about = !report.event.empty() ? report.event : !report.user.empty() ? report.user : report.room;
  log::warn("reports", report.reporter.str() + " reported " + about);
  reply.json(nothing());
}

}  // namespace

void report_room(Services& services, Call call, Reply reply) {
  auto room = path_id<RoomId>(call, 0);
  if (!room) return reply.error(room.error());
  storage::Report report;
  report.room = room->str();
  take_report(services, call, std::move(report), true, std::move(reply));
}

void report_event(Services& services, Call call, Reply reply) {
  auto room = joined_room(services, call, 0);
  if (!room) {
    const bool is_out = room.error().code == ErrorCode::forbidden;
    return reply.error(is_out ? Error{ErrorCode::not_found, "no such event in a room of yours"} : room.error());
  }
  auto event = visible_event(services, call);
  if (!event) return reply.error(event.error());
  storage::Report report;
  report.room = room->str();
  report.event = event->event->id().str();
  report.user = event->event->sender().str();
  take_report(services, call, std::move(report), false, std::move(reply));
}

void report_user(Services& services, Call call, Reply reply) {
  auto user = path_id<UserId>(call, 0);
  if (!user) return reply.error(user.error());
  storage::Report report;
  report.user = user->str();
  take_report(services, call, std::move(report), true, std::move(reply));
}

}  // namespace skerry::homeserver::client_api
