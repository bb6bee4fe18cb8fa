#include "homeserver/media/answers.h"

#include <algorithm>
#include <charconv>

#include "core/limits.h"
#include "homeserver/media/content_headers.h"
#include "homeserver/media/multipart.h"

namespace skerry::homeserver {

namespace {

std::string random_word(net::Random& random) {
  constexpr char digits[] = "0123456789abcdef";
  std::string word;
  for (const char byte : random.bytes(16)) {
    word += digits[static_cast<unsigned char>(byte) >> 4];
    word += digits[static_cast<unsigned char>(byte) & 15];
  }
  return word;
}

net::Headers headers_of(const storage::Media& media) {
  return {{"Content-Type", media.content_type},
          {"Content-Disposition", content_disposition(media.content_type, media.file_name)}};
}

}  // namespace

Result<std::chrono::milliseconds> media_wait(const Call& call) {
  const std::string* text = call.query_value("timeout_ms");
  if (text == nullptr) return limits::media_wait;
  std::int64_t number = -1;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), number);
  if (error != std::errc{} || end != text->data() + text->size() || number < 0)
    return fail(ErrorCode::invalid_param, "timeout_ms must be a whole number");
  return std::min<std::chrono::milliseconds>(std::chrono::milliseconds(number), limits::media_longest_wait);
}

net::HttpResponse media_answer(const MediaFile& found) {
  net::HttpResponse response;
  response.headers = headers_of(found.media);
  response.headers.emplace_back("Content-Security-Policy",
                                "sandbox; default-src 'none'; script-src 'none'; plugin-types application/pdf; "
                                "style-src 'unsafe-inline'; object-src 'self';");
  response.headers.emplace_back("Cross-Origin-Resource-Policy", "cross-origin");
  response.headers.emplace_back("X-Content-Type-Options", "nosniff");
  // An id's bytes never change.
  response.headers.emplace_back("Cache-Control", "private, max-age=86400, immutable");
  response.file = found.file;
  response.body = found.bytes;
  return response;
}

net::HttpResponse media_answer_to_server(const MediaFile& found, net::Random& random) {
  MediaParts parts = media_parts(random_word(random), headers_of(found.media));
  net::HttpResponse response;
  response.headers = {{"Content-Type", std::move(parts.content_type)}};
  response.body = std::move(parts.head);
  if (found.file) {
    response.file = found.file;
    response.after_file = std::move(parts.tail);
  } else {
    response.body += found.bytes + parts.tail;
  }
  return response;
}

}  // namespace skerry::homeserver
