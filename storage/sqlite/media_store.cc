#include "storage/sqlite/media_store.h"

#include "storage/sqlite/room_store.h"

namespace skerry::storage {

namespace {

#define SKERRY_MEDIA_COLUMNS "origin, media_id, hash, size, content_type, file_name, uploader, created_ms"

Media media_of_row(const Query& query) {
  Media media;
  media.origin = stored_id<ServerName>(query.text(0));
  media.id = query.text(1);
  media.hash = query.text(2);
  media.size = query.integer(3);
  media.content_type = query.text(4);
  media.file_name = query.text(5);
  if (!query.is_null(6)) media.uploader = stored_id<UserId>(query.text(6));
  media.created_ms = query.integer(7);
  return media;
}

}  // namespace

Result<void> SqliteMediaStore::add(const Media& media) {
  return writer_.write([=](Connection& connection) -> Result<void> {
    Query(connection, "INSERT OR REPLACE INTO media(" SKERRY_MEDIA_COLUMNS ") VALUES(?, ?, ?, ?, ?, ?, ?, ?)",
          media.origin.str(), media.id, media.hash, media.size, media.content_type, media.file_name,
          media.uploader ? std::optional(media.uploader->str()) : std::nullopt, media.created_ms)
        .run();
    return {};
  });
}

Result<std::optional<Media>> SqliteMediaStore::find(const ServerName& origin, const std::string& id) {
  return readers_.read([&](Connection& connection) -> Result<std::optional<Media>> {
    Query query(connection, "SELECT " SKERRY_MEDIA_COLUMNS " FROM media WHERE origin = ? AND media_id = ?",
                origin.str(), id);
    return query.next() ? std::optional(media_of_row(query)) : std::nullopt;
  });
}

Result<bool> SqliteMediaStore::complete(const Media& media) {
  auto changed = std::make_shared<bool>(false);
  auto written = writer_.write([=](Connection& connection) -> Result<void> {
    Query(connection,
          "UPDATE media SET hash = ?, size = ?, content_type = ?, file_name = ? WHERE origin = ? AND media_id = ? AND "
          "hash = ''",
          media.hash, media.size, media.content_type, media.file_name, media.origin.str(), media.id)
        .run();
    *changed = connection.database().getChanges() > 0;
    return {};
  });
  if (!written) return tl::make_unexpected(written.error());
  return *changed;
}

Result<void> SqliteMediaStore::remove(const ServerName& origin, const std::string& id) {
  return writer_.write([=](Connection& connection) -> Result<void> {
    Query(connection, "DELETE FROM media WHERE origin = ? AND media_id = ?", origin.str(), id).run();
    return {};
  });
}

Result<MediaStore::Use> SqliteMediaStore::use(const UserId& uploader, std::int64_t after_ms) {
  return readers_.read([&](Connection& connection) -> Result<Use> {
    Query query(connection,
                "SELECT coalesce(sum(size), 0), coalesce(sum(hash = '' AND created_ms > ?), 0) FROM media WHERE "
                "uploader = ?",
                after_ms, uploader.str());
    query.next();
    return Use{query.integer(0), query.integer(1)};
  });
}

Result<std::int64_t> SqliteMediaStore::cached_bytes() {
  return readers_.read([&](Connection& connection) -> Result<std::int64_t> {
    Query query(connection, "SELECT coalesce(sum(size), 0) FROM media WHERE uploader IS NULL");
    query.next();
    return query.integer(0);
  });
}

Result<std::vector<Media>> SqliteMediaStore::oldest_cached(std::size_t limit) {
  return readers_.read([&](Connection& connection) -> Result<std::vector<Media>> {
    std::vector<Media> list;
    Query query(connection,
                "SELECT " SKERRY_MEDIA_COLUMNS " FROM media WHERE uploader IS NULL ORDER BY created_ms LIMIT ?", limit);
    while (query.next()) list.push_back(media_of_row(query));
    return list;
  });
}

Result<bool> SqliteMediaStore::is_used(const std::string& hash) {
  return readers_.read([&](Connection& connection) -> Result<bool> {
    Query query(connection, "SELECT 1 FROM media WHERE hash = ? LIMIT 1", hash);
    return query.next();
  });
}

}  // namespace skerry::storage
