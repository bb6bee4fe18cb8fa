// What an operator does with a database beside the server that uses it.
#pragma once

#include <string>
#include <vector>

#include "core/result.h"

namespace skerry::storage {

struct DatabaseReport {
  std::int64_t rooms = 0;
  std::int64_t events = 0;
  std::vector<std::string> findings;  // what is wrong, in sentences: the first hundred
};

// Looks through the database in `folder`, as it is at one moment: the file's own integrity, and what this program's
// tables promise each other. Changes nothing; a server may be running on it meanwhile. Errors: storage (there is none,
// it cannot be read, it is older or newer than this program).
Result<DatabaseReport> check_sqlite(const std::string& folder);

// Writes the database in `folder`, as it is at one moment, to a new file, for its owner only; a server may be running
// on it meanwhile, and goes on writing. When this returns, the file and its name are on the disk. Errors: storage
// (the file exists already, it cannot be written, there is no database); then there is no such file afterwards, or the
// one that was there.
Result<void> backup_sqlite(const std::string& folder, const std::string& file);

}  // namespace skerry::storage
