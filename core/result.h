// Results and errors. Domain code never sees HTTP: where an error meets a status and an errcode is
// homeserver/matrix_error.cc.
#pragma once

#include <string>
#include <utility>

#include <tl/expected.hpp>

namespace skerry {

// Closed: every value is mapped to a status and an errcode in homeserver/matrix_error.cc.
enum class ErrorCode {
  not_json,                   // the text is not JSON at all, or too deep
  bad_json,                   // JSON, but not of the required shape
  invalid_param,              // a parameter has an unacceptable value
  missing_param,              // a required parameter is absent
  forbidden,                  // the caller may not do this; refused by the authorization rules
  not_found,                  // the thing named does not exist, or the caller may not know that it does
  missing_token,              // no access token
  unknown_token,              // an access token that means nobody
  expired_token,              // an access token whose time is over, and whose session goes on
  user_locked,                // the caller's account is locked by an administrator
  user_suspended,             // the caller's account may not do this while it is suspended by an administrator
  user_in_use,                // registration: the name is taken
  invalid_username,           // registration: not a user id this server accepts
  exclusive,                  // inside a namespace reserved for an application service
  room_in_use,                // createRoom: the alias is taken
  bad_alias,                  // canonical alias: it does not point to the room
  unsupported_room_version,   // createRoom: this server does not know that version
  incompatible_room_version,  // a join where this server does not know the room's version
  invalid_room_state,         // createRoom: the initial state is not allowed
  limit_exceeded,             // too many requests
  too_large,                  // request or event over its limit
  unrecognized,               // no such endpoint
  unauthorized,               // federation: the request's signature does not hold
  unable_to_authorise_join,   // restricted join: this server cannot tell
  unable_to_grant_join,       // restricted join: nobody here may invite
  not_yet_uploaded,           // media whose id was made, and whose bytes are still awaited
  cannot_overwrite_media,     // media that was uploaded already
  cannot_thumbnail,           // no image, or none that this server can read
  remote_media_too_large,     // another server's media is more than this server takes
  bad_signature,              // an event's or a key's signature or hash does not hold
  unreachable,   // another server could not be asked: refused, reset, name not resolved, certificate not good
  timeout,       // another server did not answer in time
  remote_error,  // another server answered with an error or nonsense
  storage,       // the database or a file could not be read or written; nothing was changed
  cancelled,     // shutting down
  internal,      // a defect of this program
};

struct Error {
  ErrorCode code = ErrorCode::internal;
  std::string text;  // for people; never a secret, never message content
};

template <class T>
using Result = tl::expected<T, Error>;

inline tl::unexpected<Error> fail(ErrorCode code, std::string text) {
  return tl::make_unexpected(Error{code, std::move(text)});
}

}  // namespace skerry
