// Thumbnails of images: made when they are asked for, few at once, and kept. Client-server API, 'Thumbnails'.
#pragma once

#include <memory>

#include "homeserver/media/files.h"
#include "homeserver/media/image.h"
#include "homeserver/media/repository.h"

namespace skerry::homeserver {

// What is taken of a picture of a size, and how large it becomes.
struct ThumbnailPlan {
  Rectangle from;
  int width = 0;
  int height = 0;
};
// Of a picture as it is shown: nothing when it would have to be made larger, so that it is its own thumbnail.
std::optional<ThumbnailPlan> plan_thumbnail(int width, int height, const ThumbnailSize& wanted);

// Thread-safe.
class Thumbnails {
 public:
  Thumbnails(MediaFiles& files, net::WorkerPool& pool);
  ~Thumbnails();

  // `done` is called once, at once or on the pool: with a thumbnail, or the image itself where it is no larger and does
  // not move. Errors: cannot_thumbnail, too_large, limit_exceeded (too many wait), storage, cancelled.
  void make(MediaFile original, const ThumbnailSize& size, MediaRepository::Found done);

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace skerry::homeserver
