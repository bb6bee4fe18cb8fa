// Fetches other servers' media: once at a time per id, few at once. Server-server API, 'Content Repository'.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "core/result.h"
#include "homeserver/media/repository.h"

namespace skerry::homeserver {

struct FetchedMedia {
  std::string content_type;  // clean
  std::string file_name;     // empty: none was given
  std::string_view bytes;    // of the answer, for as long as the call lasts
};

// Thread-safe.
class RemoteMedia {
 public:
  // Keeps what was fetched; runs on the pool.
  using Keep = std::function<Result<MediaFile>(const ServerName& origin, const std::string& id, const FetchedMedia&)>;
  RemoteMedia(const MediaContext& context, Keep keep);
  ~RemoteMedia();

  // `done` is called once: at once, or on the pool or an Io thread. Whoever asks for what is being fetched waits for
  // the same answer. Errors: those of MediaRepository::get().
  void fetch(const ServerName& origin, const std::string& id, std::chrono::milliseconds wait,
             MediaRepository::Found done);

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace skerry::homeserver
