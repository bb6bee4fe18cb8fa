// A sandbox's whole state under a name, to go back to: databases, media, keys, accounts, passwords, places.
//
// Nothing here is ever half: what is copied stands beside its place until it is whole and on the disk, and one rename
// puts it there. A restore that was interrupted behind that point is finished by whoever comes next.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/result.h"
#include "sandbox/world/layout.h"

namespace skerry::sandbox {

// A name is letters, digits, '-', '_' and '.', at most 64, and does not begin with '.'. Errors: invalid_param.
Result<void> check_snapshot_name(const std::string& name);

struct Snapshot {
  std::string name;
  std::int64_t made_s = 0;  // since 1970
  std::size_t servers = 0;
  std::uint64_t bytes = 0;  // of its files; with reflinks the disk holds less
};
// By name.
std::vector<Snapshot> list_snapshots(const Folder& folder);
// Errors: not_found, with the names that there are.
Result<Snapshot> find_snapshot(const Folder& folder, const std::string& name);
// Errors: not_found; storage.
Result<void> remove_snapshot(const Folder& folder, const std::string& name);

// The steps of taking one. `copy` needs servers that write nothing: ended, or frozen; frozen databases are copied with
// their write-ahead logs, as a crash would leave them, which loses nothing that was acknowledged. `keep` needs that no
// more. Errors: invalid_param for a name that is taken, where it is not to be replaced; storage. In each case what was
// there is unchanged.
Result<void> copy_snapshot(const Folder& folder, const std::string& name, bool replace);
Result<void> keep_snapshot(const Folder& folder, const std::string& name);

// The sandbox's state becomes that of the snapshot, which stays. REQUIRES: no server runs, the sandbox's lock is held.
// Errors: not_found; storage, with the state as it was.
Result<void> restore_snapshot(const Folder& folder, const std::string& name);
// Ends a restore that a crash interrupted; does nothing where there was none. REQUIRES and errors: as above.
Result<void> finish_restore(const Folder& folder);

}  // namespace skerry::sandbox
