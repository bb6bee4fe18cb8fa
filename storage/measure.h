// What the disk and SQLite can do at best, as `skerry bench` sets it beside what a server does.
#pragma once

#include <chrono>
#include <string>

#include "core/result.h"

namespace skerry::storage {

struct DiskSpeed {
  double single_commits_per_s = 0;  // transactions of one row, one after the other
  double batched_rows_per_s = 0;    // rows in transactions of 100
};

// In a database of its own in `folder`, removed afterwards, by the settings that a server's database has (WAL,
// synchronous FULL); rows are as long as a small event. Takes twice `time`. Errors: storage.
Result<DiskSpeed> measure_sqlite(const std::string& folder, std::chrono::milliseconds time);

}  // namespace skerry::storage
