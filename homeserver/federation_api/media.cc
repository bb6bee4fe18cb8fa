// GET /media/download/{mediaId}     a file that a user of this server uploaded
// GET /media/thumbnail/{mediaId}    an image of them, made smaller
// Server-server API, 'Content Repository'.
#include "homeserver/federation_api/handlers.h"
#include "homeserver/media/answers.h"
#include "homeserver/services.h"

namespace skerry::homeserver::federation_api {

namespace {

MediaRepository::Found answering(Services& services, Reply reply) {
  auto shared = std::make_shared<Reply>(std::move(reply));
  return [shared, &random = services.random](const Result<MediaFile>& found) {
    if (!found) return shared->error(found.error());
    shared->raw(media_answer_to_server(*found, random));
  };
}

// Of this server: nobody asks us for what others have.
Result<MediaRepository::Wanted> wanted_of(Services& services, const Call& call) {
  auto wait = media_wait(call);
  if (!wait) return tl::make_unexpected(wait.error());
  return MediaRepository::Wanted{services.config.server_name, call.parameters.at(0), false, *wait};
}

}  // namespace

void download_media(Services& services, Call call, Reply reply) {
  auto wanted = wanted_of(services, call);
  if (!wanted) return reply.error(wanted.error());
  services.media.get(std::move(*wanted), answering(services, std::move(reply)));
}

void get_thumbnail(Services& services, Call call, Reply reply) {
  auto wanted = wanted_of(services, call);
  if (!wanted) return reply.error(wanted.error());
  auto size = thumbnail_size(call);
  if (!size) return reply.error(size.error());
  services.media.get_thumbnail(std::move(*wanted), *size, answering(services, std::move(reply)));
}

}  // namespace skerry::homeserver::federation_api
