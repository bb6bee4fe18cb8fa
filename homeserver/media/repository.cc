#include "homeserver/media/repository.h"

#include <algorithm>
#include <list>
#include <mutex>
#include <optional>
#include <unordered_map>

#include "core/crypto.h"
#include "core/limits.h"
#include "homeserver/media/content_headers.h"
#include "homeserver/media/files.h"
#include "homeserver/media/remote_media.h"
#include "homeserver/media/thumbnails.h"
#include "net/log.h"

namespace skerry::homeserver {

namespace {

constexpr std::size_t evicted_at_once = 16;
constexpr std::int64_t awaited_ms = std::chrono::milliseconds(limits::media_awaited_time).count();

tl::unexpected<Error> no_such_media() { return fail(ErrorCode::not_found, "no such media"); }
tl::unexpected<Error> not_yet() { return fail(ErrorCode::not_yet_uploaded, "its bytes were not uploaded yet"); }

}  // namespace

bool is_media_id(std::string_view text) {
  return !text.empty() && text.size() <= limits::media_id_bytes && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  });
}

struct MediaRepository::Impl : std::enable_shared_from_this<Impl> {
  explicit Impl(MediaContext given)
      : context(std::move(given)),
        files(context.folder, context.random),
        remote(context, [this](const ServerName& origin, const std::string& id,
                               const FetchedMedia& fetched) { return keep(origin, id, fetched); }),
        thumbnails(files, context.pool) {}

  // Somebody who asked for bytes that are awaited.
  struct Waiter {
    Found done;
    net::Scheduler::Handle timer;
  };
  using Waiters = std::list<std::shared_ptr<Waiter>>;

  const MediaContext context;
  MediaFiles files;
  RemoteMedia remote;
  Thumbnails thumbnails;
  std::mutex mutex;
  std::unordered_map<std::string, Waiters> waiting;  // by id
  std::size_t waiting_count = 0;
  bool closed = false;
  std::mutex evicting;
  std::optional<std::int64_t> cached_bytes;  // unknown until the first fetch

  // -- uploads
  storage::Media new_media(const UserId& uploader) const {
    storage::Media media;
    media.origin = context.us;
    media.id = base64url_encode(context.random.bytes(18));
    media.uploader = uploader;
    media.created_ms = context.clock.now_ms();
    return media;
  }

  Result<void> admit(const UserId& uploader, std::string_view bytes, const Description& description) {
    const auto size = static_cast<std::int64_t>(bytes.size());
    if (size > context.limits.max_bytes) return fail(ErrorCode::too_large, "the file is too large");
    if (description.file_name.size() > limits::media_file_name_bytes)
      return fail(ErrorCode::invalid_param, "the file's name is too long");
    auto use = context.store.use(uploader, 0);
    if (!use) return tl::make_unexpected(use.error());
    if (use->bytes + size > context.limits.user_bytes)
      return fail(ErrorCode::forbidden, "your uploads take all the room that you have here");
    return {};
  }

  Result<void> write(storage::Media& media, std::string_view bytes, const Description& description,
                     const std::function<Result<void>()>& record) {
    if (auto admitted = admit(*media.uploader, bytes, description); !admitted) return admitted;
    media.size = static_cast<std::int64_t>(bytes.size());
    media.content_type = clean_content_type(description.content_type);
    media.file_name = description.file_name;
    return files.write(bytes, [&](const std::string& hash) {
      media.hash = hash;
      return record();
    });
  }

  bool is_too_late(const storage::Media& media) const {
    return media.hash.empty() && media.created_ms + awaited_ms < context.clock.now_ms();
  }

  Result<void> complete(const UserId& uploader, const std::string& id, std::string_view bytes,
                        const Description& description) {
    auto found = context.store.find(context.us, id);
    if (!found) return tl::make_unexpected(found.error());
    if (!*found || is_too_late(**found)) return no_such_media();
    storage::Media media = std::move(**found);
    if (media.uploader != uploader) return fail(ErrorCode::forbidden, "somebody else made this id");
    const auto there_already = [] { return fail(ErrorCode::cannot_overwrite_media, "it was uploaded already"); };
    if (!media.hash.empty()) return there_already();
    return write(media, bytes, description, [&]() -> Result<void> {
      auto completed = context.store.complete(media);
      if (!completed) return tl::make_unexpected(completed.error());
      if (!*completed) return there_already();
      return {};
    });
  }

  // -- downloads
  Result<MediaFile> open(storage::Media media) const {
    auto file = files.open(media.hash);
    if (!file) return tl::make_unexpected(file.error());
    return MediaFile{std::move(media), std::move(*file), {}};
  }

  // Of ours; not_yet_uploaded while its bytes are awaited.
  Result<MediaFile> find_own(const std::string& id) const {
    auto found = context.store.find(context.us, id);
    if (!found) return tl::make_unexpected(found.error());
    if (!*found || is_too_late(**found)) return no_such_media();
    if ((*found)->hash.empty()) return not_yet();
    return open(std::move(**found));
  }

  void get_own(const Wanted& wanted, Found done) {
    auto found = find_own(wanted.id);
    const bool waits = !found && found.error().code == ErrorCode::not_yet_uploaded && wanted.wait.count() > 0;
    if (!waits) return done(std::move(found));
    if (!wait(wanted, done)) return done(not_yet());
    // The bytes may have come between the two.
    if (auto again = find_own(wanted.id); again || again.error().code != ErrorCode::not_yet_uploaded) wake(wanted.id);
  }

  // False when there are too many who wait; `done` is then still the caller's.
  bool wait(const Wanted& wanted, Found& done) {
    std::scoped_lock lock(mutex);
    if (closed || waiting_count == limits::media_waiting_requests) return false;
    auto waiter = std::make_shared<Waiter>();
    waiter->done = std::move(done);
    waiter->timer =
        context.scheduler.after(wanted.wait, [weak = weak_from_this(), id = wanted.id, which = std::weak_ptr(waiter)] {
          const auto self = weak.lock();
          const auto waiter_then = which.lock();
          if (self && waiter_then && self->take_out(id, waiter_then)) waiter_then->done(not_yet());
        });
    waiting[wanted.id].push_back(std::move(waiter));
    ++waiting_count;
    return true;
  }

  bool take_out(const std::string& id, const std::shared_ptr<Waiter>& waiter) {
    std::scoped_lock lock(mutex);
    const auto found = waiting.find(id);
    if (found == waiting.end()) return false;
    const bool was_there = found->second.remove(waiter) > 0;
    if (was_there) --waiting_count;
    if (found->second.empty()) waiting.erase(found);
    return was_there;
  }

  void wake(const std::string& id) {
    Waiters woken;
    {
      std::scoped_lock lock(mutex);
      auto found = waiting.extract(id);
      if (found.empty()) return;
      woken = std::move(found.mapped());
      waiting_count -= woken.size();
    }
    const auto found = find_own(id);
    for (const auto& waiter : woken) waiter->done(found);
  }

  void close() {
    std::unordered_map<std::string, Waiters> all;
    {
      std::scoped_lock lock(mutex);
      closed = true;
      all.swap(waiting);
    }
    for (const auto& [id, waiters] : all) {
      for (const auto& waiter : waiters) waiter->done(fail(ErrorCode::cancelled, "shutting down"));
    }
  }

  void get_remote(const Wanted& wanted, Found done) {
    auto found = context.store.find(wanted.origin, wanted.id);
    if (!found) return done(tl::make_unexpected(found.error()));
    if (*found) {
      if (auto opened = open(std::move(**found))) return done(std::move(opened));
      // Evicted in this moment, or somebody removed the file: it is fetched anew.
    }
    if (!wanted.from_others) return done(no_such_media());
    remote.fetch(wanted.origin, wanted.id, wanted.wait, std::move(done));
  }

  // -- the cache of other servers' media
  Result<MediaFile> keep(const ServerName& origin, const std::string& id, const FetchedMedia& fetched) {
    storage::Media media;
    media.origin = origin;
    media.id = id;
    media.size = static_cast<std::int64_t>(fetched.bytes.size());
    media.content_type = fetched.content_type;
    media.file_name = fetched.file_name;
    media.created_ms = context.clock.now_ms();
    auto written = files.write(fetched.bytes, [&](const std::string& hash) {
      media.hash = hash;
      return context.store.add(media);
    });
    if (!written) return tl::make_unexpected(written.error());
    auto opened = open(media);  // before anything is evicted: what is open stays readable
    if (auto evicted = evict(media.size); !evicted) log::warn("media", evicted.error().text);
    return opened;
  }

  Result<void> evict(std::int64_t added_bytes) {
    std::scoped_lock lock(evicting);
    if (cached_bytes) {
      *cached_bytes += added_bytes;
    } else {
      auto counted = context.store.cached_bytes();
      if (!counted) return tl::make_unexpected(counted.error());
      cached_bytes = *counted;
    }
    while (*cached_bytes > context.limits.remote_cache_bytes) {
      auto oldest = context.store.oldest_cached(evicted_at_once);
      if (!oldest) return tl::make_unexpected(oldest.error());
      if (oldest->empty()) break;
      for (const storage::Media& media : *oldest) {
        if (*cached_bytes <= context.limits.remote_cache_bytes) break;
        if (auto removed = context.store.remove(media.origin, media.id); !removed) return removed;
        *cached_bytes -= media.size;
        auto gone = files.remove_unless(media.hash, [&] { return context.store.is_used(media.hash); });
        if (!gone) return gone;
      }
    }
    return {};
  }
};

MediaRepository::MediaRepository(MediaContext context) : impl_(std::make_shared<Impl>(std::move(context))) {}

MediaRepository::~MediaRepository() = default;

Result<storage::Media> MediaRepository::create(const UserId& uploader) {
  auto use = impl_->context.store.use(uploader, impl_->context.clock.now_ms() - awaited_ms);
  if (!use) return tl::make_unexpected(use.error());
  if (use->awaited >= limits::media_awaited_per_user)
    return fail(ErrorCode::limit_exceeded, "too many of your uploads are awaited already");
  storage::Media media = impl_->new_media(uploader);
  if (auto added = impl_->context.store.add(media); !added) return tl::make_unexpected(added.error());
  return media;
}

Result<storage::Media> MediaRepository::upload(const UserId& uploader, std::string_view bytes,
                                               const Description& description) {
  storage::Media media = impl_->new_media(uploader);
  auto written = impl_->write(media, bytes, description, [&] { return impl_->context.store.add(media); });
  if (!written) return tl::make_unexpected(written.error());
  return media;
}

Result<void> MediaRepository::complete(const UserId& uploader, const std::string& id, std::string_view bytes,
                                       const Description& description) {
  auto completed = impl_->complete(uploader, id, bytes, description);
  if (completed) impl_->wake(id);
  return completed;
}

void MediaRepository::get(Wanted wanted, Found done) {
  if (!is_media_id(wanted.id)) return done(no_such_media());
  if (wanted.origin == impl_->context.us) return impl_->get_own(wanted, std::move(done));
  impl_->get_remote(wanted, std::move(done));
}

void MediaRepository::get_thumbnail(Wanted wanted, const ThumbnailSize& size, Found done) {
  const bool ours = wanted.origin == impl_->context.us;
  auto finish = [ours, done = std::move(done)](Result<MediaFile> made) {
    // 'Security considerations': 413 for what is ours, 502 for what is of others.
    if (!made && made.error().code == ErrorCode::too_large && !ours) {
      made = fail(ErrorCode::remote_media_too_large, made.error().text);
    }
    done(std::move(made));
  };
  get(std::move(wanted), [impl = impl_, size, finish = std::move(finish)](Result<MediaFile> found) {
    if (!found) return finish(std::move(found));
    impl->thumbnails.make(std::move(*found), size, finish);
  });
}

void MediaRepository::close() { impl_->close(); }

}  // namespace skerry::homeserver
