// The handlers of the server-server API, by file. Each file's first comment says method, path and promise.
#pragma once

#include "homeserver/route.h"

namespace skerry::homeserver::federation_api {
}  // namespace skerry::homeserver::federation_api
