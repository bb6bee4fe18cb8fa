// The media repository: files that users upload, and a cache of other servers' media. Client-server API, 'Content
// repository'; server-server API, 'Content Repository'.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "federation/client.h"
#include "homeserver/config.h"
#include "net/http_client.h"
#include "net/runtime.h"
#include "net/worker_pool.h"
#include "storage/media_store.h"

namespace skerry::homeserver {

struct MediaContext {
  ServerName us;
  std::string folder;
  Config::Media limits;
  storage::MediaStore& store;
  federation::FederationClient& federation;
  net::HttpClient& http;  // for media that another server keeps elsewhere
  net::WorkerPool& pool;  // where other servers' media are written, and thumbnails made
  net::Scheduler& scheduler;
  net::Clock& clock;
  net::Random& random;
};

// What is to be sent: who has it keeps it readable.
struct MediaFile {
  storage::Media media;
  std::shared_ptr<const net::FileBody> file;  // null: the bytes follow
  std::string bytes{};
};

struct ThumbnailSize {
  int width = 0;
  int height = 0;
  bool crop = false;
};

// Thread-safe. Everything that was answered is on the disk.
class MediaRepository {
 public:
  explicit MediaRepository(MediaContext context);
  ~MediaRepository();

  // What an upload says of itself. Errors: invalid_param where it cannot be kept.
  struct Description {
    std::string content_type;
    std::string file_name;
  };

  // An id whose bytes follow, until created_ms + limits::media_awaited_time. Errors: limit_exceeded, storage.
  Result<storage::Media> create(const UserId& uploader);
  // Errors: too_large, forbidden (the user has too much here), storage.
  Result<storage::Media> upload(const UserId& uploader, std::string_view bytes, const Description& description);
  // The bytes of an id that create() made. Errors: those of upload(), not_found (also when it is too late), forbidden
  // (somebody else made the id), cannot_overwrite_media.
  Result<void> complete(const UserId& uploader, const std::string& id, std::string_view bytes,
                        const Description& description);

  struct Wanted {
    ServerName origin;
    std::string id;
    bool from_others = true;            // whether its server may be asked
    std::chrono::milliseconds wait{0};  // for bytes that are still awaited
  };
  using Found = std::function<void(Result<MediaFile>)>;
  // `done` is called once, at once or later, on any thread; it must not block. Errors: not_found, not_yet_uploaded,
  // unreachable, timeout, remote_error, remote_media_too_large, limit_exceeded, storage, cancelled.
  void get(Wanted wanted, Found done);

  // The image as get() finds it, made smaller; itself where it is not larger than asked for. The same errors, and
  // cannot_thumbnail, too_large (remote_media_too_large for those of others). REQUIRES: 1 to
  // limits::thumbnail_longest_side each way.
  void get_thumbnail(Wanted wanted, const ThumbnailSize& size, Found done);

  // What waits ends with `cancelled`, as do all later calls of get() that would wait.
  void close();

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

// Letters, digits, '_' and '-': what may stand in an mxc:// URI.
bool is_media_id(std::string_view text);

}  // namespace skerry::homeserver
