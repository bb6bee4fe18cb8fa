#include "homeserver/client_api/identity.h"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "homeserver/client_api/sessions.h"

namespace skerry::homeserver::client_api {

Result<Caller> asserted_caller(Services& services, const Appservice& appservice, const Call& call) {
  services.appservice_sender.saw_alive(appservice);
  Caller caller;
  caller.appservice = &appservice;
  caller.user = appservice.sender();
  if (const std::string* text = call.query_value("user_id")) {
    auto user = UserId::parse(*text);
    if (!user) return fail(ErrorCode::invalid_param, "user_id is not a user id");
    if (!appservice.has_user(*user))
      return fail(ErrorCode::forbidden, "that user is in no namespace of this application service");
    caller.user = std::move(*user);
  }
  auto standing = active_account(services, caller.user);
  if (!standing) return tl::make_unexpected(standing.error());
  caller.standing = *standing;
  caller.limited = appservice.registration().rate_limited && caller.user != appservice.sender();
  return caller;
}

std::optional<Json> assert_device(Services& services, Call& call) {
  if (call.caller->appservice == nullptr) return std::nullopt;
  const std::string* id = call.query_value("device_id");
  if (id == nullptr) id = call.query_value("org.matrix.msc3202.device_id");  // before v1.17
  if (id == nullptr) return std::nullopt;
  const auto devices = services.database.accounts().devices(call.caller->user);
  if (!devices ||
      std::none_of(devices->begin(), devices->end(), [&](const storage::Device& device) { return device.id == *id; })) {
    return Json{{"errcode", "M_UNKNOWN_DEVICE"}, {"error", "the user has no device " + *id}};
  }
  call.caller->device = *id;
  return std::nullopt;
}

}  // namespace skerry::homeserver::client_api
