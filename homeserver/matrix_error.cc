#include "homeserver/matrix_error.h"

#include <nlohmann/json.hpp>

namespace skerry::homeserver {

MatrixError matrix_error(ErrorCode code) {
  switch (code) {
    case ErrorCode::not_json:
      return {400, "M_NOT_JSON"};
    case ErrorCode::bad_json:
      return {400, "M_BAD_JSON"};
    case ErrorCode::invalid_param:
      return {400, "M_INVALID_PARAM"};
    case ErrorCode::missing_param:
      return {400, "M_MISSING_PARAM"};
    case ErrorCode::forbidden:
      return {403, "M_FORBIDDEN"};
    case ErrorCode::not_found:
      return {404, "M_NOT_FOUND"};
    case ErrorCode::missing_token:
      return {401, "M_MISSING_TOKEN"};
    case ErrorCode::unknown_token:
    case ErrorCode::expired_token:
      return {401, "M_UNKNOWN_TOKEN"};
    case ErrorCode::user_locked:
      return {401, "M_USER_LOCKED"};
    case ErrorCode::user_suspended:
      return {403, "M_USER_SUSPENDED"};
    case ErrorCode::user_in_use:
      return {400, "M_USER_IN_USE"};
    case ErrorCode::invalid_username:
      return {400, "M_INVALID_USERNAME"};
    case ErrorCode::exclusive:
      return {400, "M_EXCLUSIVE"};
    case ErrorCode::room_in_use:
      return {400, "M_ROOM_IN_USE"};
    case ErrorCode::bad_alias:
      return {400, "M_BAD_ALIAS"};
    case ErrorCode::unsupported_room_version:
      return {400, "M_UNSUPPORTED_ROOM_VERSION"};
    case ErrorCode::incompatible_room_version:
      return {400, "M_INCOMPATIBLE_ROOM_VERSION"};
    case ErrorCode::invalid_room_state:
      return {400, "M_INVALID_ROOM_STATE"};
    case ErrorCode::limit_exceeded:
      return {429, "M_LIMIT_EXCEEDED"};
    case ErrorCode::too_large:
      return {413, "M_TOO_LARGE"};
    case ErrorCode::unrecognized:
      return {404, "M_UNRECOGNIZED"};
    case ErrorCode::unauthorized:
      return {401, "M_UNAUTHORIZED"};
    case ErrorCode::unable_to_authorise_join:
      return {400, "M_UNABLE_TO_AUTHORISE_JOIN"};
    case ErrorCode::unable_to_grant_join:
      return {400, "M_UNABLE_TO_GRANT_JOIN"};
    case ErrorCode::not_yet_uploaded:
      return {504, "M_NOT_YET_UPLOADED"};
    case ErrorCode::cannot_overwrite_media:
      return {409, "M_CANNOT_OVERWRITE_MEDIA"};
    case ErrorCode::cannot_thumbnail:
      return {400, "M_UNKNOWN"};
    case ErrorCode::remote_media_too_large:
      return {502, "M_TOO_LARGE"};
    case ErrorCode::bad_signature:
      return {403, "M_FORBIDDEN"};
    case ErrorCode::unreachable:
    case ErrorCode::remote_error:
      return {502, "M_UNKNOWN"};
    case ErrorCode::timeout:
      return {504, "M_UNKNOWN"};
    case ErrorCode::cancelled:
      return {503, "M_UNKNOWN"};
    case ErrorCode::storage:
    case ErrorCode::internal:
      return {500, "M_UNKNOWN"};
  }
  return {500, "M_UNKNOWN"};
}

std::string matrix_error_body(const Error& error) {
  const bool ours = error.code == ErrorCode::storage || error.code == ErrorCode::internal;
  // What went wrong in here is for the log, not for whoever asks.
  Json body = {{"errcode", matrix_error(error.code).errcode},
               {"error", ours ? "this server could not do that; its log says why" : error.text}};
  // Client-server API, 'Soft logout', 'Account locking': the session goes on afterwards.
  if (error.code == ErrorCode::expired_token || error.code == ErrorCode::user_locked) body["soft_logout"] = true;
  return dump(body);
}

}  // namespace skerry::homeserver
