#include "homeserver/media/thumbnails.h"

#include <algorithm>
#include <cmath>
#include <deque>
#include <iterator>
#include <mutex>
#include <new>

#include "core/limits.h"
#include "net/log.h"

namespace skerry::homeserver {

namespace {

// 'Thumbnails': what servers should have. Others are made larger to one of these, and those that are larger than all
// are not kept.
constexpr ThumbnailSize kept_sizes[] = {{32, 32, true},    {96, 96, true},    {32, 32, false},  {96, 96, false},
                                        {320, 240, false}, {640, 480, false}, {800, 600, false}};

std::string extension(ImageFormat format) { return format == ImageFormat::jpeg ? ".jpeg" : ".png"; }

std::string name_of(const ThumbnailSize& size) {
  return std::to_string(size.width) + "-" + std::to_string(size.height) + (size.crop ? "-crop" : "-scale");
}

bool is_kept(const ThumbnailSize& size) {
  return std::any_of(std::begin(kept_sizes), std::end(kept_sizes), [&](const ThumbnailSize& kept) {
    return kept.width == size.width && kept.height == size.height && kept.crop == size.crop;
  });
}

// The next larger one that is kept. What is cropped has the proportions that were asked for, and keeps them.
ThumbnailSize size_for(const ThumbnailSize& wanted) {
  for (const ThumbnailSize& kept : kept_sizes) {
    const bool fits = kept.crop == wanted.crop && kept.width >= wanted.width && kept.height >= wanted.height;
    if (fits && (!kept.crop || wanted.width == wanted.height)) return kept;
  }
  return wanted;
}

MediaFile described(const MediaFile& original, ImageFormat format, std::shared_ptr<const net::FileBody> file,
                    std::string bytes) {
  MediaFile made{original.media, std::move(file), std::move(bytes)};
  made.media.content_type = media_type(format);
  made.media.file_name = "thumbnail" + (format == ImageFormat::webp ? ".webp" : extension(format));
  return made;
}

// The plan is for the picture as it is shown and as large as it is stored. What is small is turned, not what is large.
Result<EncodedImage> make_thumbnail(const Pixels& decoded, const ImageInfo& info, ThumbnailPlan plan) {
  if (info.orientation >= 5) {
    std::swap(plan.from.width, plan.from.height);
    std::swap(plan.width, plan.height);
  }
  const auto scaled = [](int length, int decoded_side, int stored_side, int least) {
    const auto rounded = static_cast<int>(std::lround(static_cast<double>(length) * decoded_side / stored_side));
    return std::clamp(rounded, least, decoded_side);
  };
  plan.from.width = scaled(plan.from.width, decoded.width, info.width, plan.width);
  plan.from.height = scaled(plan.from.height, decoded.height, info.height, plan.height);
  plan.from.x = (decoded.width - plan.from.width) / 2;
  plan.from.y = (decoded.height - plan.from.height) / 2;
  return encode_image(turn(shrink(decoded, plan.from, plan.width, plan.height), info.orientation));
}

}  // namespace

std::optional<ThumbnailPlan> plan_thumbnail(int width, int height, const ThumbnailSize& wanted) {
  const double factor =
      std::max(static_cast<double>(wanted.width) / width, static_cast<double>(wanted.height) / height);
  if (factor >= 1) return std::nullopt;
  ThumbnailPlan plan{{0, 0, width, height}, wanted.width, wanted.height};
  if (wanted.crop) {
    plan.from.width = std::min(width, static_cast<int>(std::lround(wanted.width / factor)));
    plan.from.height = std::min(height, static_cast<int>(std::lround(wanted.height / factor)));
    plan.from.x = (width - plan.from.width) / 2;
    plan.from.y = (height - plan.from.height) / 2;
  } else {
    plan.width = std::max(wanted.width, static_cast<int>(std::lround(width * factor)));
    plan.height = std::max(wanted.height, static_cast<int>(std::lround(height * factor)));
  }
  return plan;
}

struct Thumbnails::Impl : std::enable_shared_from_this<Impl> {
  Impl(MediaFiles& media_files, net::WorkerPool& workers) : files(media_files), pool(workers) {}

  struct Task {
    MediaFile original;
    ThumbnailSize size;
    MediaRepository::Found done;
  };

  MediaFiles& files;
  net::WorkerPool& pool;
  std::mutex mutex;
  std::deque<Task> queue;
  int running = 0;

  void add(Task task) {
    if (auto kept = find_kept(task)) return task.done(std::move(*kept));
    {
      std::scoped_lock lock(mutex);
      if (queue.size() < limits::thumbnails_waiting) {
        queue.push_back(std::move(task));
        task.done = nullptr;
      }
    }
    if (task.done) return task.done(fail(ErrorCode::limit_exceeded, "too many thumbnails are being made"));
    start_next();
  }

  void start_next() {
    std::unique_lock lock(mutex);
    if (running == limits::thumbnails_at_once || queue.empty()) return;
    auto task = std::make_shared<Task>(std::move(queue.front()));
    queue.pop_front();
    ++running;
    lock.unlock();
    const bool posted = pool.post_admitted([self = shared_from_this(), task] {
      self->run(*task);
      {
        std::scoped_lock ended(self->mutex);
        --self->running;
      }
      self->start_next();
    });
    if (!posted) task->done(fail(ErrorCode::cancelled, "shutting down"));
  }

  std::optional<MediaFile> find_kept(const Task& task) const {
    for (const ImageFormat format : {ImageFormat::jpeg, ImageFormat::png}) {
      auto file = files.open_thumbnail(task.original.media.hash, name_of(task.size) + extension(format));
      if (file) return described(task.original, format, std::move(file), {});
    }
    return std::nullopt;
  }

  void run(const Task& task) {
    if (auto kept = find_kept(task)) return task.done(std::move(*kept));  // it was made meanwhile
    Result<MediaFile> made = fail(ErrorCode::internal, "there is no memory for a thumbnail");
    try {
      made = make(task);
    } catch (const std::bad_alloc&) {
      log::warn("media", "there is no memory for a thumbnail");
    }
    task.done(std::move(made));
  }

  Result<MediaFile> make(const Task& task) {
    auto bytes = task.original.file->read(0, static_cast<std::size_t>(task.original.file->size()));
    if (!bytes) return tl::make_unexpected(bytes.error());
    auto info = read_image_info(*bytes);
    if (!info) return tl::make_unexpected(info.error());
    const bool swaps = info->orientation >= 5;
    const int width = swaps ? info->height : info->width;
    const int height = swaps ? info->width : info->height;
    auto plan = plan_thumbnail(width, height, task.size);
    // Who asks for a thumbnail gets nothing that moves.
    if (!plan && info->is_animated) plan = ThumbnailPlan{{0, 0, width, height}, width, height};
    if (!plan) return described(task.original, info->format, task.original.file, {});
    const double needed = std::max(static_cast<double>(plan->width) / plan->from.width,
                                   static_cast<double>(plan->height) / plan->from.height);
    auto decoded = decode_image(*bytes, *info, static_cast<int>(std::ceil(info->width * needed)),
                                static_cast<int>(std::ceil(info->height * needed)));
    if (!decoded) return tl::make_unexpected(decoded.error());
    bytes->clear();
    auto encoded = make_thumbnail(*decoded, *info, *plan);
    if (!encoded) return tl::make_unexpected(encoded.error());
    if (is_kept(task.size)) {
      auto written = files.write_thumbnail(task.original.media.hash, name_of(task.size) + extension(encoded->format),
                                           encoded->bytes);
      if (!written) log::warn("media", written.error().text);
    }
    return described(task.original, encoded->format, nullptr, std::move(encoded->bytes));
  }
};

Thumbnails::Thumbnails(MediaFiles& files, net::WorkerPool& pool) : impl_(std::make_shared<Impl>(files, pool)) {}

Thumbnails::~Thumbnails() = default;

void Thumbnails::make(MediaFile original, const ThumbnailSize& size, MediaRepository::Found done) {
  impl_->add({std::move(original), size_for(size), std::move(done)});
}

}  // namespace skerry::homeserver
