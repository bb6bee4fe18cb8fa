// The handlers of the client-server API, by file. Each file's first comment says method, path and promise.
#pragma once

#include "homeserver/route.h"

namespace skerry::homeserver::client_api {
}  // namespace skerry::homeserver::client_api
