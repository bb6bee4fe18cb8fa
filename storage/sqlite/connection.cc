#include "storage/sqlite/connection.h"

#include <sqlite3.h>

namespace skerry::storage {

namespace {

constexpr int busy_ms = 10'000;
constexpr std::size_t idle_readers = 8;  // stay open

}  // namespace

Connection::Connection(const std::string& file, Mode mode)
    : database_(file,
                mode == Mode::write ? SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE | SQLite::OPEN_NOMUTEX
                                    : SQLite::OPEN_READWRITE | SQLite::OPEN_NOMUTEX,
                busy_ms) {
  execute("PRAGMA journal_mode=WAL");
  execute("PRAGMA synchronous=FULL");
  execute("PRAGMA temp_store=MEMORY");
  // Of 1 KiB each: a bound, taken up only as pages are used.
  execute(mode == Mode::write ? "PRAGMA cache_size=-4096" : "PRAGMA cache_size=-1024");
  if (mode == Mode::read) execute("PRAGMA query_only=ON");
  // The log shrinks again after a time with long readers.
  if (mode == Mode::write) execute("PRAGMA journal_size_limit=8388608");
}

SQLite::Statement& Connection::statement(const char* sql) {
  auto& prepared = statements_[std::string_view(sql)];
  if (!prepared) prepared = std::make_unique<SQLite::Statement>(database_, sql);
  return *prepared;
}

bool Connection::in_transaction() const { return sqlite3_get_autocommit(database_.getHandle()) == 0; }

void Connection::keep_log() { sqlite3_db_config(database_.getHandle(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr); }

Query::~Query() {
  // reset() throws what the last step threw already.
  statement_.tryReset();
  statement_.clearBindings();
}

std::string Query::text(int column) const {
  const SQLite::Column value = statement_.getColumn(column);
  return std::string(static_cast<const char*>(value.getBlob()), static_cast<std::size_t>(value.getBytes()));
}

Snapshot::~Snapshot() {
  try {
    Query(connection_, "COMMIT").run();
  } catch (const SQLite::Exception&) {
    // Nothing was written: there is nothing that could be lost.
  }
}

std::unique_ptr<Connection> Readers::take() {
  {
    std::scoped_lock lock(mutex_);
    if (!idle_.empty()) {
      auto connection = std::move(idle_.back());
      idle_.pop_back();
      return connection;
    }
  }
  return std::make_unique<Connection>(file_, Connection::Mode::read);
}

void Readers::give(std::unique_ptr<Connection> connection) {
  std::scoped_lock lock(mutex_);
  if (idle_.size() < idle_readers) idle_.push_back(std::move(connection));
}

}  // namespace skerry::storage
