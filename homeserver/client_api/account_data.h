// Account data for those that keep things in it.
#pragma once

#include <optional>
#include <string>

#include "homeserver/client_api/common.h"

namespace skerry::homeserver::client_api {

// Nothing when there is none of that type. Errors: storage.
Result<std::optional<Json>> read_account_data(Services& services, const UserId& user, const std::optional<RoomId>& room,
                                              const std::string& type);
// Durable when it returns, and the user's clients are woken. Errors: storage.
Result<void> write_account_data(Services& services, const UserId& user, const std::optional<RoomId>& room,
                                const std::string& type, const Json& content);

}  // namespace skerry::homeserver::client_api
