// multipart/mixed, as servers hand media to each other. Server-server API, 'Content Repository'; RFC 2046, 5.1. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "net/http.h"

namespace skerry::homeserver {

struct Part {
  net::Headers headers;
  std::string_view body;  // inside the text that was parsed
};

// The parts of an untrusted body, whose Content-Type is `content_type`. What stands before the first part and behind
// the last one is ignored. Errors: remote_error (no boundary, no end, more than `most` parts, a head over
// limits::multipart_head_bytes or malformed).
Result<std::vector<Part>> parse_multipart(std::string_view content_type, std::string_view body, std::size_t most);

// The answer to a server that asks for media: a part of metadata, and one whose bytes follow `head` and precede `tail`.
struct MediaParts {
  std::string content_type;
  std::string head;
  std::string tail;
};
// REQUIRES: `boundary` is of letters and digits, and not to be guessed by who made the bytes.
MediaParts media_parts(const std::string& boundary, const net::Headers& headers);

}  // namespace skerry::homeserver
