#include "sandbox/world/snapshot.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <fcntl.h>
#include <filesystem>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sandbox/world/files.h"
#include "sandbox/world/plan.h"
#include "sandbox/world/sockets.h"

namespace skerry::sandbox {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t snapshot_name_bytes = 64;
constexpr std::size_t copy_step = 64 * 1'024 * 1'024;
// In another folder than the snapshots: no name can meet them.
constexpr const char* unfinished = "/snapshot.new";
constexpr const char* prepared = "/restore.new";
constexpr const char* decided = "/restore";

// Everything that is kept. Every snapshot has every part: moving one into its place then tells that it was moved.
struct Part {
  const char* name;
  bool folder;
};
constexpr std::array<Part, 6> parts = {{{"servers", true},
                                        {"authority", true},
                                        {"client", true},
                                        {"passwords.json", false},
                                        {"places.json", false},
                                        {"sandbox.json", false}}};

std::string place(const Folder& folder, const std::string& name) { return folder.snapshots() + "/" + name; }

Result<void> storage_error(const std::string& what, const std::error_code& error) {
  return fail(ErrorCode::storage, what + ": " + error.message());
}

Result<void> remove_all(const std::string& path) {
  std::error_code error;
  fs::remove_all(path, error);
  return error ? storage_error(path, error) : Result<void>();
}

// Shares the blocks where the file system can (btrfs, XFS), copies within the kernel where not.
Result<void> copy_file(const std::string& from, const std::string& to) {
  const Descriptor source(::open(from.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!source.open()) return tl::make_unexpected(system_error(from));
  struct stat status {};
  if (::fstat(source.get(), &status) != 0) return tl::make_unexpected(system_error(from));
  const Descriptor target(::open(to.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, status.st_mode & 0777));
  if (!target.open()) return tl::make_unexpected(system_error(to));
  if (::ioctl(target.get(), FICLONE, source.get()) == 0) return {};
  while (true) {
    const ssize_t copied = ::copy_file_range(source.get(), nullptr, target.get(), nullptr, copy_step, 0);
    if (copied < 0 && errno != EINTR) return tl::make_unexpected(system_error(to));
    if (copied == 0) return {};
  }
}

// SQLite makes a database's -shm anew; sockets and the like are of processes.
bool worth_copying(const fs::directory_entry& entry) {
  return entry.is_regular_file() && !entry.path().string().ends_with("-shm");
}

Result<void> copy_tree(const std::string& from, const std::string& to) {
  if (auto made = make_folder(to); !made) return made;
  std::error_code error;
  for (auto entry = fs::recursive_directory_iterator(from, error);
       !error && entry != fs::recursive_directory_iterator(); entry.increment(error)) {
    const std::string target = to + entry->path().string().substr(from.size());
    if (entry->is_symlink()) continue;
    if (entry->is_directory()) {
      if (auto made = make_folder(target); !made) return made;
    } else if (worth_copying(*entry)) {
      if (auto copied = copy_file(entry->path().string(), target); !copied) return copied;
    }
  }
  return error ? storage_error(from, error) : Result<void>();
}

Result<void> copy_parts(const std::string& from, const std::string& to) {
  if (auto removed = remove_all(to); !removed) return removed;
  if (auto made = make_folder(to); !made) return made;
  for (const Part& part : parts) {
    const std::string source = from + "/" + part.name;
    const std::string target = to + "/" + part.name;
    if (!fs::exists(source)) {
      const auto empty = part.folder ? make_folder(target) : write_file(target, "{}\n");
      if (!empty) return empty;
      continue;
    }
    const auto copied = part.folder ? copy_tree(source, target) : copy_file(source, target);
    if (!copied) return copied;
  }
  return {};
}

Result<void> flush(const std::string& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.open() || ::fsync(file.get()) != 0) return tl::make_unexpected(system_error(path));
  return {};
}

// After this no crash of the machine takes the files away either.
Result<void> flush_tree(const std::string& path) {
  std::error_code error;
  for (auto entry = fs::recursive_directory_iterator(path, error);
       !error && entry != fs::recursive_directory_iterator(); entry.increment(error)) {
    if (auto flushed = flush(entry->path().string()); !flushed) return flushed;
  }
  return error ? storage_error(path, error) : flush(path);
}

Result<void> rename(const std::string& from, const std::string& to, unsigned flags = 0) {
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), flags) != 0) {
    return tl::make_unexpected(system_error(to));
  }
  return flush(fs::path(to).parent_path().string());
}

}  // namespace

Result<void> check_snapshot_name(const std::string& name) {
  const bool good = !name.empty() && name.size() <= snapshot_name_bytes && name.front() != '.' &&
                    std::all_of(name.begin(), name.end(), [](unsigned char c) {
                      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                             c == '_' || c == '.';
                    });
  if (good) return {};
  return fail(ErrorCode::invalid_param, "a snapshot's name is letters, digits, '-', '_' and '.', at most " +
                                            std::to_string(snapshot_name_bytes) +
                                            " of them, and does not begin with '.'");
}

std::vector<Snapshot> list_snapshots(const Folder& folder) {
  std::vector<Snapshot> found;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder.snapshots(), error)) {
    Snapshot snapshot;
    snapshot.name = entry.path().filename().string();
    struct stat status {};
    if (!check_snapshot_name(snapshot.name) || ::stat(entry.path().c_str(), &status) != 0) continue;
    snapshot.made_s = status.st_mtime;
    snapshot.servers = remembered_names({entry.path().string()}).size();
    for (const auto& file : fs::recursive_directory_iterator(entry.path(), error)) {
      if (file.is_regular_file()) snapshot.bytes += file.file_size();
    }
    found.push_back(std::move(snapshot));
  }
  std::sort(found.begin(), found.end(), [](const Snapshot& a, const Snapshot& b) { return a.name < b.name; });
  return found;
}

Result<Snapshot> find_snapshot(const Folder& folder, const std::string& name) {
  std::string names;
  for (Snapshot& snapshot : list_snapshots(folder)) {
    if (snapshot.name == name) return std::move(snapshot);
    names += " " + snapshot.name;
  }
  return fail(ErrorCode::not_found, "there is no snapshot " + name + " in " + folder.path +
                                        (names.empty() ? "; skerry snapshot NAME makes one" : "; there are:" + names));
}

Result<void> remove_snapshot(const Folder& folder, const std::string& name) {
  if (auto found = find_snapshot(folder, name); !found) return tl::make_unexpected(found.error());
  // Out of the list first: what is half removed is no snapshot.
  const std::string going = folder.path + unfinished;
  if (auto removed = remove_all(going); !removed) return removed;
  if (auto renamed = rename(place(folder, name), going); !renamed) return renamed;
  return remove_all(going);
}

Result<void> copy_snapshot(const Folder& folder, const std::string& name, bool replace) {
  if (auto good = check_snapshot_name(name); !good) return good;
  if (!replace && fs::exists(place(folder, name))) {
    return fail(ErrorCode::invalid_param, "there is a snapshot " + name + " already; --replace puts a new one there");
  }
  return copy_parts(folder.path, folder.path + unfinished);
}

Result<void> keep_snapshot(const Folder& folder, const std::string& name) {
  const std::string made = folder.path + unfinished;
  if (auto flushed = flush_tree(made); !flushed) return flushed;
  if (auto above = make_folder(folder.snapshots()); !above) return above;
  const bool replaces = fs::exists(place(folder, name));
  if (auto put = rename(made, place(folder, name), replaces ? RENAME_EXCHANGE : 0U); !put) return put;
  return remove_all(made);
}

Result<void> restore_snapshot(const Folder& folder, const std::string& name) {
  if (auto finished = finish_restore(folder); !finished) return finished;
  if (auto found = find_snapshot(folder, name); !found) return tl::make_unexpected(found.error());
  const std::string copy = folder.path + prepared;
  if (auto copied = copy_parts(place(folder, name), copy); !copied) return copied;
  if (auto flushed = flush_tree(copy); !flushed) return flushed;
  if (auto put = rename(copy, folder.path + decided); !put) return put;
  return finish_restore(folder);
}

Result<void> finish_restore(const Folder& folder) {
  const std::string from = folder.path + decided;
  if (!fs::exists(from)) return {};
  for (const Part& part : parts) {
    const std::string source = from + "/" + part.name;
    if (!fs::exists(source)) continue;  // is in its place already
    const std::string target = folder.path + "/" + part.name;
    if (auto removed = remove_all(target); !removed) return removed;
    if (auto put = rename(source, target); !put) return put;
  }
  return remove_all(from);
}

}  // namespace skerry::sandbox
