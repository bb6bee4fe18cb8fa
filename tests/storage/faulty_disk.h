// A SQLite VFS over the system's own that fails when it is told to, and that knows what a power loss would leave: what
// was synced, and whatever part of the rest happened to be written by then.
#pragma once

#include <cstdint>
#include <functional>
#include <random>
#include <string>

namespace skerry::test {

enum class DiskFault {
  none,
  full,         // nothing is written: SQLITE_FULL
  short_write,  // half is written, then the disk is full
  write_error,  // SQLITE_IOERR_WRITE
  sync_error,   // SQLITE_IOERR_FSYNC: what was written may be there or not
};

// While one lives, SQLite opens its files through it. One at a time; no database is open when it begins or ends.
// Operations are writes, truncations and syncs of databases and their logs, counted from the last fail() or
// lose_power() call; the first is number 1.
class FaultyDisk {
 public:
  FaultyDisk();
  ~FaultyDisk();
  FaultyDisk(const FaultyDisk&) = delete;
  FaultyDisk& operator=(const FaultyDisk&) = delete;

  // Fails the n-th operation that can fail so; all that follow as well when `lasting`.
  void fail(DiskFault fault, std::uint64_t number, bool lasting);
  void recover();
  // True when a fault fired since fail().
  bool fired() const;

  // Just before the n-th operation, writes to `folder` what a power loss would leave then, by `seed`: the power is
  // lost there, though the program does not notice. `at_loss` is called at that moment. Only files whose names begin
  // with `of` are on that disk, and count.
  void lose_power(std::uint64_t number, const std::string& folder, std::uint64_t seed, std::function<void()> at_loss,
                  const std::string& of = "");
  // The files whose names begin with `folder` were replaced behind SQLite's back; none is open.
  void forget(const std::string& folder);
  bool power_was_lost() const;

  std::uint64_t operations() const;

 private:
  struct Vfs;
};

}  // namespace skerry::test
