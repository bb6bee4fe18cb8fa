// One homeserver's database: opens it, and hands out the stores.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>

#include "core/result.h"
#include "storage/account_store.h"
#include "storage/federation_store.h"
#include "storage/room_store.h"
#include "storage/stream_store.h"

namespace skerry::storage {

class AppserviceStore;
class EventIndex;
class MediaStore;
class PeopleStore;
class RelationStore;

// What the writer did since the start.
struct WriteStats {
  std::uint64_t jobs = 0;
  std::array<std::uint64_t, 10> groups_by_size{};  // of up to 1, 2, 4 ... 256 jobs, and of more
};

class Database {
 public:
  virtual ~Database() = default;  // waits for what is queued, then closes
  virtual RoomStore& rooms() = 0;
  virtual AccountStore& accounts() = 0;
  virtual StreamStore& stream() = 0;
  virtual FederationStore& federation() = 0;
  virtual RelationStore& relations() = 0;
  virtual EventIndex& index() = 0;
  virtual MediaStore& media() = 0;
  virtual PeopleStore& people() = 0;
  virtual AppserviceStore& appservices() = 0;
  virtual WriteStats write_stats() const { return {}; }
  // Of one without a writer: writes what waits, at most one group, and answers it. False when nothing waited.
  virtual bool write_waiting() { return false; }
  virtual bool has_waiting_writes() const { return false; }
};

// Opens or creates `folder`/homeserver.db and locks it against a second process. The tables are brought to this
// program's version inside one transaction. `us` is the server whose database it is: its users are the local ones.
// Errors: storage (in use by another process, made by a newer program, unwritable, damaged).
Result<std::unique_ptr<Database>> open_sqlite(const std::string& folder, const ServerName& us);
// The same without a thread that writes: write_waiting() writes, and so does whoever waits for a write. For
// simulations, which do everything on one thread. What still waits when it closes is given up, as in a crash.
Result<std::unique_ptr<Database>> open_sqlite_without_writer(const std::string& folder, const ServerName& us);

}  // namespace skerry::storage
