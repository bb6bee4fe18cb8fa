// POST /_matrix/media/v3/upload                                 a file, answered with its mxc:// URI once it is on the
// disk POST /_matrix/media/v1/create                                 a URI whose file follows PUT
// /_matrix/media/v3/upload/{serverName}/{mediaId}          the file of such a URI GET
// /_matrix/client/v1/media/download/{serverName}/{mediaId}[/{fileName}]
//                                                               a file of this server or, through it, of another
// GET  /_matrix/client/v1/media/thumbnail/{serverName}/{mediaId}  an image, made smaller
// GET  /_matrix/client/v1/media/config                          how large a file may be
// GET  /_matrix/media/v3/download, /thumbnail, /config          the deprecated ones; files only where configured
// Client-server API, 'Content repository'.
#include <nlohmann/json.hpp>

#include "core/limits.h"
#include "homeserver/client_api/common.h"
#include "homeserver/client_api/handlers.h"
#include "homeserver/media/answers.h"
#include "homeserver/rate_limiter.h"

namespace skerry::homeserver::client_api {

namespace {

std::string uri_of(const storage::Media& media) { return "mxc://" + media.origin.str() + "/" + media.id; }

MediaRepository::Description description_of(const Call& call) {
  const std::string* name = call.query_value("filename");
  return {net::find_header(call.request.headers, "Content-Type").value_or(""), name == nullptr ? "" : *name};
}

// 'Client behaviour': the deprecated endpoints are frozen, and all media here came later than that.
bool is_frozen(Services& services, const Call& call) {
  return !call.caller && !services.config.media.unauthenticated_downloads;
}

Result<MediaRepository::Wanted> wanted_of(Services& services, const Call& call) {
  if (is_frozen(services, call)) return fail(ErrorCode::not_found, "media are given to authenticated users only");
  auto origin = path_id<ServerName>(call, 0);
  if (!origin) return tl::make_unexpected(origin.error());
  auto wait = media_wait(call);
  if (!wait) return tl::make_unexpected(wait.error());
  const std::string* allow_remote = call.query_value("allow_remote");
  return MediaRepository::Wanted{*origin, call.parameters.at(1), allow_remote == nullptr || *allow_remote != "false",
                                 *wait};
}

}  // namespace

void upload_media(Services& services, Call call, Reply reply) {
  if (auto wait = services.rate_limiter.media(call.caller->user)) return reply.limited(*wait);
  auto media = services.media.upload(call.caller->user, call.request.body, description_of(call));
  if (!media) return reply.error(media.error());
  reply.json({{"content_uri", uri_of(*media)}});
}

void create_media(Services& services, Call call, Reply reply) {
  if (auto wait = services.rate_limiter.media(call.caller->user)) return reply.limited(*wait);
  auto media = services.media.create(call.caller->user);
  if (!media) return reply.error(media.error());
  const std::int64_t expires_ms = media->created_ms + std::chrono::milliseconds(limits::media_awaited_time).count();
  reply.json({{"content_uri", uri_of(*media)}, {"unused_expires_at", expires_ms}});
}

void upload_created_media(Services& services, Call call, Reply reply) {
  if (auto wait = services.rate_limiter.media(call.caller->user)) return reply.limited(*wait);
  if (call.parameters.at(0) != services.config.server_name.str())
    return reply.error({ErrorCode::not_found, "that URI was not made here"});
  auto completed =
      services.media.complete(call.caller->user, call.parameters.at(1), call.request.body, description_of(call));
  if (!completed) return reply.error(completed.error());
  reply.json(nothing());
}

void download_media(Services& services, Call call, Reply reply) {
  auto wanted = wanted_of(services, call);
  if (!wanted) return reply.error(wanted.error());
  const std::string file_name = call.parameters.size() > 2 ? call.parameters[2] : std::string();
  services.media.get(std::move(*wanted), [shared = share(std::move(reply)), file_name](Result<MediaFile> found) {
    if (!found) return shared->error(found.error());
    if (!file_name.empty()) found->media.file_name = file_name;
    shared->raw(media_answer(*found));
  });
}

void get_thumbnail(Services& services, Call call, Reply reply) {
  auto wanted = wanted_of(services, call);
  if (!wanted) return reply.error(wanted.error());
  auto size = thumbnail_size(call);
  if (!size) return reply.error(size.error());
  services.media.get_thumbnail(std::move(*wanted), *size, [shared = share(std::move(reply))](const auto& made) {
    if (!made) return shared->error(made.error());
    shared->raw(media_answer(*made));
  });
}

void get_media_config(Services& services, Call, Reply reply) {
  reply.json({{"m.upload.size", services.config.media.max_bytes}});
}

}  // namespace skerry::homeserver::client_api
