// The heads of HTTP/1.1 messages as bytes. Not for other folders.
#pragma once

#include <cstdint>
#include <string>

#include "net/http.h"

namespace skerry::net {

struct OutgoingRequest;

// All of it: text, file, and text.
std::uint64_t body_size(const HttpResponse& response);

// Up to and with the empty line. Headers that frame the message are the sender's own business and left out, like those
// that would break out of their line.
// `now_ms` becomes the Date (RFC 9110, 6.6.1).
std::string response_head(const HttpResponse& response, bool keep_alive, std::int64_t now_ms);
std::string request_head(const OutgoingRequest& request);

// True when method, target and Host are single words of printable ASCII: anything else could smuggle a second request.
bool is_clean_request(const OutgoingRequest& request);

}  // namespace skerry::net
