// What media there are; the bytes are files (homeserver/media). Thread-safe. Writes return when durable. Errors:
// storage, and those named.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "storage/types.h"

namespace skerry::storage {

struct Media {
  ServerName origin;
  std::string id;
  std::string hash;  // names the file; empty while the upload is awaited
  std::int64_t size = 0;
  std::string content_type;
  std::string file_name;
  std::optional<UserId> uploader;  // of ours
  std::int64_t created_ms = 0;
};

class MediaStore {
 public:
  virtual ~MediaStore() = default;

  virtual Result<void> add(const Media& media) = 0;  // replaces what has that origin and id
  virtual Result<std::optional<Media>> find(const ServerName& origin, const std::string& id) = 0;
  // Fills in an awaited upload. False when there is none any more: then nothing changed.
  virtual Result<bool> complete(const Media& media) = 0;
  virtual Result<void> remove(const ServerName& origin, const std::string& id) = 0;
  // Bytes that a user's uploads take, and how many of theirs are awaited since `after_ms`.
  struct Use {
    std::int64_t bytes = 0;
    std::int64_t awaited = 0;
  };
  virtual Result<Use> use(const UserId& uploader, std::int64_t after_ms) = 0;
  // Bytes of other servers' media, and the oldest of them.
  virtual Result<std::int64_t> cached_bytes() = 0;
  virtual Result<std::vector<Media>> oldest_cached(std::size_t limit) = 0;
  // Whether any media still need this file.
  virtual Result<bool> is_used(const std::string& hash) = 0;
};

}  // namespace skerry::storage
