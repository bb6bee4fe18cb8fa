// One thread writes, in groups: whatever waits goes into one transaction and one fsync, each job in a savepoint of its
// own.
#pragma once

#include <functional>
#include <memory>

#include "core/result.h"
#include "storage/types.h"

namespace skerry::storage {

// Called after the group's fsync (with the job's own result), or with `storage`: then nothing of the job was written.
// Runs on the writer's thread: it must not block and must not wait for another write.
using Committed = std::function<void(Result<StreamPosition>)>;

// The same for what has no position.
using Saved = std::function<void(Result<void>)>;

}  // namespace skerry::storage
