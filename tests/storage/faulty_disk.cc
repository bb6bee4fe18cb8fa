#include "tests/storage/faulty_disk.h"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>
#include <new>
#include <optional>
#include <sqlite3.h>
#include <utility>
#include <vector>

namespace skerry::test {

namespace {

// What was done to a file and not synced yet.
struct Pending {
  bool truncates = false;
  std::size_t offset = 0;  // the new size, when it truncates
  std::string bytes;
};

void carry_out(const Pending& pending, std::string& text) {
  if (pending.truncates) {
    text.resize(pending.offset);
    return;
  }
  if (text.size() < pending.offset + pending.bytes.size()) text.resize(pending.offset + pending.bytes.size());
  text.replace(pending.offset, pending.bytes.size(), pending.bytes);
}

// What a disk holds of one file.
struct Held {
  std::string durable;
  std::vector<Pending> pending;
};

struct PowerLoss {
  std::uint64_t number = 0;  // 0: none is to come
  std::string of;            // the disk's files: those below this
  std::string folder;
  std::mt19937_64 random;
  std::function<void()> at_loss;
  bool came = false;
};

struct State {
  std::mutex mutex;
  std::map<std::string, Held> files;
  std::uint64_t operations = 0;
  std::uint64_t before_loss = 0;  // operations on the disk that is to lose power
  DiskFault fault = DiskFault::none;
  std::uint64_t faulty = 0;  // operations that can fail are counted down to the faulty one
  bool lasting = false;
  bool fired = false;
  PowerLoss loss;
};

State* state = nullptr;
sqlite3_vfs* system_vfs = nullptr;

// The file's object as SQLite sees it; the system's own follows it in memory.
struct File {
  sqlite3_file base;
  const char* name;  // null for files that do not matter
  sqlite3_file* real() { return reinterpret_cast<sqlite3_file*>(this + 1); }
};

File* ours(sqlite3_file* file) { return reinterpret_cast<File*>(file); }

bool can_fail_so(DiskFault fault, bool is_sync) {
  if (fault == DiskFault::none) return false;
  return is_sync == (fault == DiskFault::sync_error);
}

// Some of what was not synced is on the disk, in whole or in part, and some is not.
std::string after_power_loss(const Held& held, std::mt19937_64& random) {
  std::string text = held.durable;
  const auto share = random() % 3;  // hardly anything, about half, nearly all
  for (const Pending& pending : held.pending) {
    const auto luck = random() % 4;
    if (luck > share + (share == 2 ? 1 : 0)) continue;
    Pending written = pending;
    if (!written.truncates && random() % 8 == 0) written.bytes.resize(random() % (written.bytes.size() + 1));
    carry_out(written, text);
  }
  return text;
}

// REQUIRES: the mutex is held.
void lose_power_now() {
  state->loss.came = true;
  state->loss.at_loss();
  std::filesystem::create_directories(state->loss.folder);
  for (const auto& [name, held] : state->files) {
    if (!name.starts_with(state->loss.of)) continue;
    std::ofstream(state->loss.folder + "/" + std::filesystem::path(name).filename().string(), std::ios::binary)
        << after_power_loss(held, state->loss.random);
  }
}

// Counts an operation; the fault that it meets. REQUIRES: the mutex is held.
DiskFault meet(const File& file, bool is_sync) {
  ++state->operations;
  if (std::string_view(file.name).starts_with(state->loss.of) && ++state->before_loss == state->loss.number) {
    lose_power_now();
  }
  if (!can_fail_so(state->fault, is_sync)) return DiskFault::none;
  if (state->faulty > 1) {
    --state->faulty;
    return DiskFault::none;
  }
  if (state->fired && !state->lasting) return DiskFault::none;
  state->fired = true;
  return state->fault;
}

void note(const File& file, Pending pending) { state->files[file.name].pending.push_back(std::move(pending)); }

int write(sqlite3_file* file, const void* bytes, int count, sqlite3_int64 offset) {
  File& here = *ours(file);
  if (here.name == nullptr) return here.real()->pMethods->xWrite(here.real(), bytes, count, offset);
  const std::lock_guard lock(state->mutex);
  const DiskFault fault = meet(here, false);
  if (fault == DiskFault::full) return SQLITE_FULL;
  if (fault == DiskFault::write_error) return SQLITE_IOERR_WRITE;
  const int written = fault == DiskFault::short_write ? count / 2 : count;
  const int result = here.real()->pMethods->xWrite(here.real(), bytes, written, offset);
  if (result == SQLITE_OK) {
    note(here, {false, static_cast<std::size_t>(offset),
                std::string(static_cast<const char*>(bytes), static_cast<std::size_t>(written))});
  }
  return fault == DiskFault::short_write ? SQLITE_FULL : result;
}

int truncate(sqlite3_file* file, sqlite3_int64 size) {
  File& here = *ours(file);
  if (here.name == nullptr) return here.real()->pMethods->xTruncate(here.real(), size);
  const std::lock_guard lock(state->mutex);
  if (meet(here, false) != DiskFault::none) return SQLITE_IOERR_TRUNCATE;
  const int result = here.real()->pMethods->xTruncate(here.real(), size);
  if (result == SQLITE_OK) note(here, {true, static_cast<std::size_t>(size), {}});
  return result;
}

int sync(sqlite3_file* file, int flags) {
  File& here = *ours(file);
  if (here.name == nullptr) return here.real()->pMethods->xSync(here.real(), flags);
  const std::lock_guard lock(state->mutex);
  Held& held = state->files[here.name];
  if (meet(here, true) != DiskFault::none) {
    // As Linux does it: what could not be written is forgotten, and the next sync says that all is well.
    held.pending.clear();
    return SQLITE_IOERR_FSYNC;
  }
  for (const Pending& pending : held.pending) carry_out(pending, held.durable);
  held.pending.clear();
  return SQLITE_OK;  // the test's own disk is not asked: it makes no difference here, and takes time
}

int close(sqlite3_file* file) { return ours(file)->real()->pMethods->xClose(ours(file)->real()); }
int read(sqlite3_file* file, void* bytes, int count, sqlite3_int64 offset) {
  return ours(file)->real()->pMethods->xRead(ours(file)->real(), bytes, count, offset);
}
int file_size(sqlite3_file* file, sqlite3_int64* size) {
  return ours(file)->real()->pMethods->xFileSize(ours(file)->real(), size);
}
int lock_file(sqlite3_file* file, int level) { return ours(file)->real()->pMethods->xLock(ours(file)->real(), level); }
int unlock_file(sqlite3_file* file, int level) {
  return ours(file)->real()->pMethods->xUnlock(ours(file)->real(), level);
}
int check_reserved(sqlite3_file* file, int* out) {
  return ours(file)->real()->pMethods->xCheckReservedLock(ours(file)->real(), out);
}
int file_control(sqlite3_file* file, int operation, void* argument) {
  return ours(file)->real()->pMethods->xFileControl(ours(file)->real(), operation, argument);
}
int sector_size(sqlite3_file* file) { return ours(file)->real()->pMethods->xSectorSize(ours(file)->real()); }
int characteristics(sqlite3_file* file) {
  // The system says that a write never harms what is beside it; after a power loss here, it does not either.
  return ours(file)->real()->pMethods->xDeviceCharacteristics(ours(file)->real());
}
int shm_map(sqlite3_file* file, int page, int size, int extend, void volatile** out) {
  return ours(file)->real()->pMethods->xShmMap(ours(file)->real(), page, size, extend, out);
}
int shm_lock(sqlite3_file* file, int offset, int count, int flags) {
  return ours(file)->real()->pMethods->xShmLock(ours(file)->real(), offset, count, flags);
}
void shm_barrier(sqlite3_file* file) { ours(file)->real()->pMethods->xShmBarrier(ours(file)->real()); }
int shm_unmap(sqlite3_file* file, int remove) {
  return ours(file)->real()->pMethods->xShmUnmap(ours(file)->real(), remove);
}

// Version 2: without memory mapping, which would write past this.
const sqlite3_io_methods methods = {
    2,           close,          read,         write,       truncate,        sync,    file_size, lock_file,
    unlock_file, check_reserved, file_control, sector_size, characteristics, shm_map, shm_lock,  shm_barrier,
    shm_unmap,   nullptr,        nullptr};

// What a file held before it was first opened here is on the disk.
void note_contents(const char* name) {
  const std::lock_guard lock(state->mutex);
  const auto [held, is_new] = state->files.try_emplace(name);
  if (!is_new) return;
  std::ifstream file(name, std::ios::binary);
  held->second.durable.assign(std::istreambuf_iterator<char>(file), {});
}

int open(sqlite3_vfs*, sqlite3_filename name, sqlite3_file* file, int flags, int* out_flags) {
  File& here = *ours(file);
  here.base.pMethods = nullptr;
  const int result = system_vfs->xOpen(system_vfs, name, here.real(), flags, out_flags);
  if (result != SQLITE_OK) return result;
  const bool matters = (flags & (SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_WAL)) != 0;
  here.name = matters ? name : nullptr;
  here.base.pMethods = &methods;
  if (matters) note_contents(name);
  return result;
}

int remove(sqlite3_vfs*, const char* name, int sync_folder) {
  const int result = system_vfs->xDelete(system_vfs, name, sync_folder);
  const std::lock_guard lock(state->mutex);
  if (result == SQLITE_OK) state->files.erase(name);
  return result;
}

}  // namespace

struct FaultyDisk::Vfs {
  static sqlite3_vfs& ours() {
    static sqlite3_vfs vfs;
    return vfs;
  }
};

FaultyDisk::FaultyDisk() {
  state = new State;
  system_vfs = sqlite3_vfs_find(nullptr);
  sqlite3_vfs& vfs = Vfs::ours();
  vfs = *system_vfs;
  vfs.szOsFile = static_cast<int>(sizeof(File)) + system_vfs->szOsFile;
  vfs.zName = "faulty";
  vfs.pNext = nullptr;
  vfs.xOpen = open;
  vfs.xDelete = remove;
  sqlite3_vfs_register(&vfs, 1);
}

FaultyDisk::~FaultyDisk() {
  sqlite3_vfs_unregister(&Vfs::ours());
  sqlite3_vfs_register(system_vfs, 1);
  delete std::exchange(state, nullptr);
}

void FaultyDisk::fail(DiskFault fault, std::uint64_t number, bool lasting) {
  const std::lock_guard lock(state->mutex);
  state->operations = 0;
  state->fault = fault;
  state->faulty = number;
  state->lasting = lasting;
  state->fired = false;
}

void FaultyDisk::recover() {
  const std::lock_guard lock(state->mutex);
  state->fault = DiskFault::none;
}

bool FaultyDisk::fired() const {
  const std::lock_guard lock(state->mutex);
  return state->fired;
}

void FaultyDisk::lose_power(std::uint64_t number, const std::string& folder, std::uint64_t seed,
                            std::function<void()> at_loss, const std::string& of) {
  const std::lock_guard lock(state->mutex);
  state->operations = 0;
  state->before_loss = 0;
  state->loss = PowerLoss{number, of, folder, std::mt19937_64(seed), std::move(at_loss), false};
}

void FaultyDisk::forget(const std::string& folder) {
  const std::lock_guard lock(state->mutex);
  std::erase_if(state->files, [&](const auto& file) { return file.first.starts_with(folder); });
}

bool FaultyDisk::power_was_lost() const {
  const std::lock_guard lock(state->mutex);
  return state->loss.came;
}

std::uint64_t FaultyDisk::operations() const {
  const std::lock_guard lock(state->mutex);
  return state->operations;
}

}  // namespace skerry::test
