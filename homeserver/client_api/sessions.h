// What the ways into an account share.
#pragma once

#include "homeserver/client_api/common.h"

namespace skerry::homeserver::client_api {

// Makes the account with its predefined push rules. Errors: as Accounts::register_user.
Result<UserId> create_account(Services& services, const std::string& localpart, const std::string& password,
                              bool admin);

// Opens a session for `body`'s device_id and initial_device_display_name, and answers with it.
void answer_with_session(Services& services, const UserId& user, const Json& body, Reply reply);

// User-interactive authentication by password of the caller. False when it was answered: refused, or too often.
bool proves_password(Services& services, const Call& call, const std::string& operation, Reply& reply);

// To the log: that something was refused, and from where if the configuration asks for that.
void log_refusal(const Services& services, const Call& call, const std::string& what);

}  // namespace skerry::homeserver::client_api
