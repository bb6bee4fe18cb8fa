// The tables, as a list of forward migrations.
#pragma once

#include "core/result.h"
#include "storage/sqlite/connection.h"

namespace skerry::storage {

// Brings the database to this program's version inside one transaction. Errors: storage (made by a newer program, or by
// another).
Result<void> migrate(Connection& connection);

}  // namespace skerry::storage
