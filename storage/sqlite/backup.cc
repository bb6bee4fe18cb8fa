// A copy of the database as it is at one moment, made while a server uses it.
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include "storage/maintenance.h"
#include "storage/sqlite/connection.h"

namespace skerry::storage {

namespace {

Error system_error(const std::string& what) { return {ErrorCode::storage, what + ": " + std::strerror(errno)}; }

Result<void> sync(const std::string& path, int flags) {
  const int descriptor = open(path.c_str(), flags | O_CLOEXEC);
  const bool synced = descriptor >= 0 && fsync(descriptor) == 0;
  const Error error = system_error(path);
  if (descriptor >= 0) close(descriptor);
  if (!synced) return tl::make_unexpected(error);
  return {};
}

// The file beside its place until it is whole; it goes with this object.
class UnfinishedFile {
 public:
  explicit UnfinishedFile(std::string place) : place_(std::move(place)), path_(place_ + ".unfinished") {}
  ~UnfinishedFile() {
    if (made_) unlink(path_.c_str());
  }
  UnfinishedFile(const UnfinishedFile&) = delete;
  UnfinishedFile& operator=(const UnfinishedFile&) = delete;

  const std::string& path() const { return path_; }

  Result<void> make() {
    const int descriptor = open(path_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (descriptor < 0) return tl::make_unexpected(system_error(path_));
    close(descriptor);
    made_ = true;
    return {};
  }

  // To its place, durably, unless there is something already.
  Result<void> finish() {
    if (auto synced = sync(path_, O_RDWR); !synced) return synced;
    if (renameat2(AT_FDCWD, path_.c_str(), AT_FDCWD, place_.c_str(), RENAME_NOREPLACE) != 0)
      return tl::make_unexpected(system_error(place_));
    made_ = false;
    const std::string folder = std::filesystem::path(place_).parent_path().string();
    return sync(folder.empty() ? "." : folder, O_RDONLY | O_DIRECTORY);
  }

 private:
  const std::string place_;
  const std::string path_;
  bool made_ = false;
};

// All pages in one step: one moment of the source, which others go on writing behind it (WAL).
Result<void> copy(Connection& source, const std::string& file) {
  SQLite::Database target(file, SQLite::OPEN_READWRITE);
  sqlite3_backup* backup = sqlite3_backup_init(target.getHandle(), "main", source.database().getHandle(), "main");
  if (backup == nullptr) return fail(ErrorCode::storage, file + ": " + target.getErrorMsg());
  (void)sqlite3_backup_step(backup, -1);
  const int ended = sqlite3_backup_finish(backup);
  if (ended != SQLITE_OK) return fail(ErrorCode::storage, file + ": " + sqlite3_errstr(ended));
  return {};
}

}  // namespace

Result<void> backup_sqlite(const std::string& folder, const std::string& file) {
  std::error_code error;
  if (std::filesystem::exists(std::filesystem::symlink_status(file, error)))
    return fail(ErrorCode::storage, file + " exists already, and is not overwritten");
  const std::string database = folder + "/homeserver.db";
  if (!std::filesystem::exists(database, error)) return fail(ErrorCode::storage, "there is no database " + database);
  UnfinishedFile unfinished(file);
  if (auto made = unfinished.make(); !made) return made;
  try {
    Connection source(database, Connection::Mode::read);
    if (auto copied = copy(source, unfinished.path()); !copied) return copied;
  } catch (const SQLite::Exception& failed) {
    return fail(ErrorCode::storage, "the backup failed: " + std::string(failed.what()));
  }
  return unfinished.finish();
}

}  // namespace skerry::storage
