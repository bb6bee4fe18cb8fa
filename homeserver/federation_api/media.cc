// GET /media/download/{mediaId}     a file that a user of this server uploaded
// Server-server API, 'Content Repository'.
#include "homeserver/federation_api/handlers.h"
#include "homeserver/media/answers.h"
#include "homeserver/services.h"

namespace skerry::homeserver::federation_api {

void download_media(Services& services, Call call, Reply reply) {
  auto wait = media_wait(call);
  if (!wait) return reply.error(wait.error());
  auto shared = std::make_shared<Reply>(std::move(reply));
  services.media.get({services.config.server_name, call.parameters.at(0), false, *wait},
                     [shared, &random = services.random](const Result<MediaFile>& found) {
                       if (!found) return shared->error(found.error());
                       shared->raw(media_answer_to_server(*found, random));
                     });
}

}  // namespace skerry::homeserver::federation_api
