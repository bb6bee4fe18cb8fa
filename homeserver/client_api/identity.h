// Whom an application service acts as. Application service API, 'Identity assertion'.
#pragma once

#include "homeserver/route.h"
#include "homeserver/services.h"

namespace skerry::homeserver::client_api {

// The user that `user_id` names, or the application service's own. Errors: forbidden (not one of its users, or there is
// none), invalid_param.
Result<Caller> asserted_caller(Services& services, const Appservice& appservice, const Call& call);

// Takes over the device that an application service names. What to answer with 400 when there is none such.
std::optional<Json> assert_device(Services& services, Call& call);

}  // namespace skerry::homeserver::client_api
