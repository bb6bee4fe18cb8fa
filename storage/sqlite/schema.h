// The tables, as a list of forward migrations.
#pragma once

#include <vector>

#include "core/result.h"
#include "storage/sqlite/connection.h"

namespace skerry::storage {

// Brings the database to this program's version inside one transaction. Errors: storage (made by a newer program, or by
// another).
Result<void> migrate(Connection& connection);
// The same with other tables: `steps[n]` brings them from version n to n + 1. Throws SQLite::Exception when one
// fails; the database is then as it was.
Result<void> migrate(Connection& connection, const std::vector<const char*>& steps);
// Whether the database has this program's version. Errors: storage (made by a newer program, by an older one, or by
// another).
Result<void> check_version(Connection& connection);

}  // namespace skerry::storage
