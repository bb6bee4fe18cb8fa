// Media as answers, to clients and to other servers.
#pragma once

#include <chrono>

#include "homeserver/media/repository.h"
#include "homeserver/route.h"

namespace skerry::homeserver {

// What the query's timeout_ms says, bounded. Errors: invalid_param.
Result<std::chrono::milliseconds> media_wait(const Call& call);

// The query's width, height and method. Errors: missing_param, invalid_param.
Result<ThumbnailSize> thumbnail_size(const Call& call);

// The file, for a client: with its type, its name, and the headers that keep it from doing harm in a browser.
net::HttpResponse media_answer(const MediaFile& found);

// The file in multipart/mixed, for another server. `random` makes a boundary that nobody can put into a file.
net::HttpResponse media_answer_to_server(const MediaFile& found, net::Random& random);

}  // namespace skerry::homeserver
