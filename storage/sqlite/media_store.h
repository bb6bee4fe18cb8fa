// MediaStore on SQLite.
#pragma once

#include "storage/media_store.h"
#include "storage/sqlite/connection.h"
#include "storage/sqlite/writer.h"

namespace skerry::storage {

class SqliteMediaStore final : public MediaStore {
 public:
  SqliteMediaStore(Writer& writer, Readers& readers) : writer_(writer), readers_(readers) {}

  Result<void> add(const Media& media) override;
  Result<std::optional<Media>> find(const ServerName& origin, const std::string& id) override;
  Result<bool> complete(const Media& media) override;
  Result<void> remove(const ServerName& origin, const std::string& id) override;
  Result<Use> use(const UserId& uploader, std::int64_t after_ms) override;
  Result<std::int64_t> cached_bytes() override;
  Result<std::vector<Media>> oldest_cached(std::size_t limit) override;
  Result<bool> is_used(const std::string& hash) override;

 private:
  Writer& writer_;
  Readers& readers_;
};

}  // namespace skerry::storage
