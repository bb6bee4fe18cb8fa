// Receipts as clients see them. Client-server API, 'Receipts'.
#pragma once

#include <vector>

#include "core/json.h"
#include "storage/stream_store.h"

namespace skerry::homeserver {

// The contents of m.receipt events of one room: one for each thread, since a user may have receipts of several on one
// event.
std::vector<Json> receipt_contents(const std::vector<storage::Receipt>& receipts);

}  // namespace skerry::homeserver
