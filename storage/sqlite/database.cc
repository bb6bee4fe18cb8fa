#include "storage/database.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "storage/sqlite/account_store.h"
#include "storage/sqlite/appservice_store.h"
#include "storage/sqlite/event_index.h"
#include "storage/sqlite/federation_store.h"
#include "storage/sqlite/media_store.h"
#include "storage/sqlite/people_store.h"
#include "storage/sqlite/relation_store.h"
#include "storage/sqlite/room_store.h"
#include "storage/sqlite/schema.h"
#include "storage/sqlite/stream_store.h"

namespace skerry::storage {

namespace {

// Holds the folder for this process alone.
class FolderLock {
 public:
  static Result<FolderLock> take(const std::string& folder) {
    const std::string file = folder + "/homeserver.lock";
    const int fd = open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) return fail(ErrorCode::storage, "cannot write to " + folder + ": " + std::strerror(errno));
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
      close(fd);
      return fail(ErrorCode::storage, "the data folder " + folder + " is in use by another server process");
    }
    return FolderLock(fd);
  }
  FolderLock(FolderLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FolderLock& operator=(FolderLock&&) = delete;
  ~FolderLock() {
    if (fd_ >= 0) close(fd_);
  }

 private:
  explicit FolderLock(int fd) : fd_(fd) {}
  int fd_;
};

class SqliteDatabase final : public Database {
 public:
  SqliteDatabase(FolderLock lock, const std::string& file, std::unique_ptr<Connection> connection, const ServerName& us,
                 StreamPosition first, StreamPosition reserved, StateId next_state, Writes writes)
      : lock_(std::move(lock)),
        sequencer_(first, reserved),
        readers_(file),
        changes_(first - 1),
        rooms_(writer_, readers_, changes_, us, next_state),
        accounts_(writer_, readers_),
        stream_(writer_, readers_, sequencer_, changes_),
        federation_(writer_, readers_),
        relations_(readers_),
        index_(writer_, readers_),
        media_(writer_, readers_),
        people_(readers_, us),
        appservices_(writer_, readers_, rooms_),
        writer_(std::move(connection), sequencer_, writes) {}

  RoomStore& rooms() override { return rooms_; }
  AccountStore& accounts() override { return accounts_; }
  StreamStore& stream() override { return stream_; }
  FederationStore& federation() override { return federation_; }
  RelationStore& relations() override { return relations_; }
  EventIndex& index() override { return index_; }
  MediaStore& media() override { return media_; }
  PeopleStore& people() override { return people_; }
  AppserviceStore& appservices() override { return appservices_; }
  WriteStats write_stats() const override { return writer_.stats(); }
  bool write_waiting() override { return writer_.write_waiting(); }
  bool has_waiting_writes() const override { return writer_.has_waiting(); }

 private:
  FolderLock lock_;
  Sequencer sequencer_;
  Readers readers_;
  RecentChanges changes_;
  SqliteRoomStore rooms_;
  SqliteAccountStore accounts_;
  SqliteStreamStore stream_;
  SqliteFederationStore federation_;
  SqliteRelationStore relations_;
  SqliteEventIndex index_;
  SqliteMediaStore media_;
  SqlitePeopleStore people_;
  SqliteAppserviceStore appservices_;
  Writer writer_;  // ends first: its last jobs speak to the stores
};

// What is in a new folder survives a power loss only if the folder does: SQLite sees to what is in it, not to itself.
Result<void> sync_new_folder(const std::string& folder) {
  const std::string above = std::filesystem::absolute(folder).parent_path().string();
  const int descriptor = open(above.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const bool synced = descriptor >= 0 && fsync(descriptor) == 0;
  const std::string why = std::strerror(errno);
  if (descriptor >= 0) close(descriptor);
  if (!synced) return fail(ErrorCode::storage, "cannot write " + above + " to the disk: " + why);
  return {};
}

std::int64_t number(Connection& connection, const char* sql) {
  Query query(connection, sql);
  return query.next() && !query.is_null(0) ? query.integer(0) : 0;
}

Result<std::unique_ptr<Database>> open_locked(const std::string& folder, const ServerName& us, FolderLock lock,
                                              Writes writes) {
  const std::string file = folder + "/homeserver.db";
  const int created =
      open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);  // with these rights from the first byte on
  if (created < 0) return fail(ErrorCode::storage, "cannot write " + file + ": " + std::strerror(errno));
  struct stat about {};
  const bool is_new = fstat(created, &about) != 0 || about.st_size == 0;
  close(created);
  if (is_new) {
    if (auto synced = sync_new_folder(folder); !synced) return tl::make_unexpected(synced.error());
  }
  auto connection = std::make_unique<Connection>(file, Connection::Mode::write);
  if (auto migrated = migrate(*connection); !migrated)
    return fail(ErrorCode::storage, file + ": " + migrated.error().text);
  // Everything up to the reservation may have been shown before: go on behind it, with a block of our own.
  const StreamPosition used = number(*connection, "SELECT value FROM meta WHERE name = 'reserved_position'");
  const StreamPosition reserved = used + Sequencer::block;
  Query(*connection, "UPDATE meta SET value = ? WHERE name = 'reserved_position'", reserved).run();
  forget_transactions(*connection, used);
  const StateId next_state = number(*connection, "SELECT max(id) FROM states") + 1;
  return std::make_unique<SqliteDatabase>(std::move(lock), file, std::move(connection), us, used + 1, reserved,
                                          next_state, writes);
}

Result<std::unique_ptr<Database>> open_folder(const std::string& folder, const ServerName& us, Writes writes) {
  std::error_code error;
  if (std::filesystem::create_directories(folder, error)) chmod(folder.c_str(), 0700);
  if (error) return fail(ErrorCode::storage, "cannot make the data folder " + folder + ": " + error.message());
  auto lock = FolderLock::take(folder);
  if (!lock) return tl::make_unexpected(lock.error());
  try {
    return open_locked(folder, us, std::move(*lock), writes);
  } catch (const SQLite::Exception& failed) {
    return fail(ErrorCode::storage, "cannot open the database in " + folder + ": " + failed.what());
  }
}

}  // namespace

Result<std::unique_ptr<Database>> open_sqlite(const std::string& folder, const ServerName& us) {
  return open_folder(folder, us, Writes::by_thread);
}

Result<std::unique_ptr<Database>> open_sqlite_without_writer(const std::string& folder, const ServerName& us) {
  return open_folder(folder, us, Writes::when_told);
}

}  // namespace skerry::storage
