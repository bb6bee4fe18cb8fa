// The route table, shared by all listeners. See routes.cc.
#pragma once

#include <vector>

#include "homeserver/route.h"

namespace skerry::homeserver {

const std::vector<Route>& routes();

}  // namespace skerry::homeserver
