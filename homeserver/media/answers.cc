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

// Not below 0.
std::optional<std::int64_t> whole_number(const std::string& text) {
  std::int64_t number = 0;
  const char* end = text.data() + text.size();
  const auto [parsed_to, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc{} || parsed_to != end || number < 0) return std::nullopt;
  return number;
}

net::Headers headers_of(const storage::Media& media) {
  return {{"Content-Type", media.content_type},
          {"Content-Disposition", content_disposition(media.content_type, media.file_name)}};
}

}  // namespace

Result<std::chrono::milliseconds> media_wait(const Call& call) {
  const std::string* text = call.query_value("timeout_ms");
  if (text == nullptr) return limits::media_wait;
  const auto number = whole_number(*text);
  if (!number) return fail(ErrorCode::invalid_param, "timeout_ms must be a whole number");
  const std::chrono::milliseconds longest = limits::media_longest_wait;
  return std::chrono::milliseconds(std::min<std::int64_t>(*number, longest.count()));
}

Result<ThumbnailSize> thumbnail_size(const Call& call) {
  ThumbnailSize size;
  for (const auto& [name, side] : {std::pair{"width", &size.width}, std::pair{"height", &size.height}}) {
    const std::string* text = call.query_value(name);
    if (text == nullptr) return fail(ErrorCode::missing_param, std::string(name) + " is required");
    const auto number = whole_number(*text);
    if (!number || *number < 1 || *number > limits::thumbnail_longest_side)
      return fail(ErrorCode::invalid_param, std::string(name) + " is no size that a thumbnail can have");
    *side = static_cast<int>(*number);
  }
  const std::string* method = call.query_value("method");
  size.crop = method != nullptr && *method == "crop";
  if (method != nullptr && !size.crop && *method != "scale")
    return fail(ErrorCode::invalid_param, "method must be crop or scale");
  return size;
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
