// The one place where errors of the domain meet HTTP statuses and Matrix errcodes.
#pragma once

#include <string>

#include "core/json.h"
#include "core/result.h"

namespace skerry::homeserver {

struct MatrixError {
  int status;
  const char* errcode;
};
MatrixError matrix_error(ErrorCode code);
// {"errcode":..., "error":...}
std::string matrix_error_body(const Error& error);

}  // namespace skerry::homeserver
