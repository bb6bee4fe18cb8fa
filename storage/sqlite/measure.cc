#include "storage/measure.h"

#include <filesystem>

#include "storage/sqlite/connection.h"

namespace skerry::storage {

namespace {

constexpr std::size_t row_bytes = 700;
constexpr int batch = 100;

// Rows per second in transactions of `rows`.
double rows_per_s(Connection& connection, int rows, std::chrono::milliseconds time) {
  const std::string text(row_bytes, 'x');
  const auto begin = std::chrono::steady_clock::now();
  std::chrono::duration<double> took{};
  double written = 0;
  while (took < time) {
    SQLite::Transaction transaction(connection.database(), SQLite::TransactionBehavior::IMMEDIATE);
    for (int i = 0; i < rows; ++i) Query(connection, "INSERT INTO events(json) VALUES(?)", text).run();
    transaction.commit();
    written += rows;
    took = std::chrono::steady_clock::now() - begin;
  }
  return written / took.count();
}

}  // namespace

Result<DiskSpeed> measure_sqlite(const std::string& folder, std::chrono::milliseconds time) {
  const std::string file = folder + "/measure.db";
  DiskSpeed speed;
  Result<void> done;
  try {
    Connection connection(file, Connection::Mode::write);
    connection.execute("CREATE TABLE events(nid INTEGER PRIMARY KEY, json TEXT NOT NULL)");
    speed.single_commits_per_s = rows_per_s(connection, 1, time);
    speed.batched_rows_per_s = rows_per_s(connection, batch, time);
  } catch (const SQLite::Exception& failed) {
    done = fail(ErrorCode::storage, file + ": " + failed.what());
  }
  std::error_code ignored;
  for (const char* suffix : {"", "-wal", "-shm"}) std::filesystem::remove(file + suffix, ignored);
  if (!done) return tl::make_unexpected(done.error());
  return speed;
}

}  // namespace skerry::storage
