// What the ways into an account share.
#pragma once

#include "homeserver/client_api/common.h"

namespace skerry::homeserver::client_api {

inline constexpr std::string_view appservice_login = "m.login.application_service";

// The application service whose as_token the request carries. Errors: missing_token, unknown_token.
Result<const Appservice*> calling_appservice(const Services& services, const Call& call);

// Whether a new user may have this name: nobody has it, and it is in no exclusive namespace of an application service.
// Errors: user_in_use, invalid_username, exclusive.
Result<UserId> available_name(Services& services, const std::string& localpart);

// How an account stands that is there and was not ended. Errors: forbidden.
Result<storage::Standing> active_account(Services& services, const UserId& user);

// Makes the account with its predefined push rules. Errors: as Accounts::register_user, exclusive.
Result<UserId> create_account(Services& services, const std::string& localpart, const std::string& password,
                              bool admin);
// The same without a password, for application services: whatever the namespaces. Errors: user_in_use.
Result<void> create_passwordless_account(Services& services, const UserId& user);

// What `body` says of the session to open: device_id, initial_device_display_name, refresh_token. Errors: bad_json.
Result<NewSession> wanted_session(const Json& body);
// access_token, and for clients that can refresh refresh_token and expires_in_ms.
void add_tokens(Json& answer, const Session& session);
// Opens the session, and answers with it.
void answer_with_session(Services& services, const UserId& user, const NewSession& wanted, Reply reply);

// User-interactive authentication by password of the caller. False when it was answered: refused, or too often.
bool proves_password(Services& services, const Call& call, const std::string& operation, Reply& reply);

// To the log: that something was refused, and from where if the configuration asks for that.
void log_refusal(const Services& services, const Call& call, const std::string& what);

}  // namespace skerry::homeserver::client_api
