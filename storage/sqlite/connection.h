// One SQLite connection with its prepared statements. Exceptions (SQLite::Exception) stay inside this folder.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <SQLiteCpp/SQLiteCpp.h>

#include "core/result.h"

namespace skerry::storage {

// Not thread-safe.
class Connection {
 public:
  enum class Mode { read, write };
  Connection(const std::string& file, Mode mode);

  SQLite::Database& database() { return database_; }
  // The statement of this literal, prepared once.
  SQLite::Statement& statement(const char* sql);
  void execute(const char* sql) { database_.exec(sql); }
  bool in_transaction() const;
  // Leaves the files as they are when this closes, also as the last one that uses them.
  void keep_log();

 private:
  SQLite::Database database_;
  std::unordered_map<std::string_view, std::unique_ptr<SQLite::Statement>> statements_;
};

// One use of a prepared statement, reset at the end. The same statement is not to be used twice at a time.
class Query {
 public:
  template <class... Values>
  Query(Connection& connection, const char* sql, const Values&... values) : statement_(connection.statement(sql)) {
    (bind_next(values), ...);
  }
  ~Query();
  Query(const Query&) = delete;
  Query& operator=(const Query&) = delete;

  bool next() { return statement_.executeStep(); }
  void run() {
    while (statement_.executeStep()) {
    }
  }

  std::int64_t integer(int column) const { return statement_.getColumn(column).getInt64(); }
  double real(int column) const { return statement_.getColumn(column).getDouble(); }
  std::string text(int column) const;
  bool is_null(int column) const { return statement_.getColumn(column).isNull(); }

 private:
  struct Null {};
  void bind_next(std::int64_t value) { statement_.bind(++bound_, value); }
  void bind_next(int value) { statement_.bind(++bound_, value); }
  void bind_next(bool value) { statement_.bind(++bound_, value ? 1 : 0); }
  void bind_next(std::size_t value) { statement_.bind(++bound_, static_cast<std::int64_t>(value)); }
  void bind_next(const std::string& value) { statement_.bind(++bound_, value); }
  void bind_next(const char* value) { statement_.bind(++bound_, value); }
  template <class Value>
  void bind_next(const std::optional<Value>& value) {
    if (value) {
      bind_next(*value);
    } else {
      ++bound_;  // NULL
    }
  }

  SQLite::Statement& statement_;
  int bound_ = 0;
};

// Until it ends, all queries of a connection see the database as it is now; and they are quicker together.
class Snapshot {
 public:
  explicit Snapshot(Connection& connection) : connection_(connection) { Query(connection_, "BEGIN").run(); }
  ~Snapshot();
  Snapshot(const Snapshot&) = delete;
  Snapshot& operator=(const Snapshot&) = delete;

 private:
  Connection& connection_;
};

// Reading connections, lent to one thread at a time; as many as read at once, some of which stay open.
class Readers {
 public:
  explicit Readers(std::string file) : file_(std::move(file)) {}

  // Runs `use(connection)`, which returns some Result<T>. SQLite's exceptions become `storage` errors.
  template <class Use>
  auto read(Use use) -> decltype(use(std::declval<Connection&>())) {
    try {
      Lease lease(*this);
      return use(*lease.connection);
    } catch (const SQLite::Exception& error) {
      return fail(ErrorCode::storage, std::string("the database could not be read: ") + error.what());
    }
  }

 private:
  struct Lease {
    explicit Lease(Readers& from) : readers(from), connection(from.take()) {}
    ~Lease() { readers.give(std::move(connection)); }
    Readers& readers;
    std::unique_ptr<Connection> connection;
  };
  std::unique_ptr<Connection> take();
  void give(std::unique_ptr<Connection> connection);

  const std::string file_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Connection>> idle_;
};

}  // namespace skerry::storage
