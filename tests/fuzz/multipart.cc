// multipart/mixed of another server, with the headers of its parts: the first line is the Content-Type.
#include "homeserver/media/multipart.h"

#include "core/limits.h"
#include "homeserver/media/content_headers.h"
#include "tests/fuzz/fuzz.h"

using namespace skerry;
using namespace skerry::homeserver;
using skerry::test::must_hold;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view body = test::text_of(data, size);
  const std::string_view content_type = test::take_line(body);
  const auto parts = parse_multipart(content_type, body, 2);
  if (parts) {
    must_hold(parts->size() <= 2, "no more parts than asked for");
    for (const Part& part : *parts) {
      must_hold(part.body.empty() || (part.body.data() >= body.data() &&
                                      part.body.data() + part.body.size() <= body.data() + body.size()),
                "a part is inside the body");
      for (const auto& [name, value] : part.headers) {
        const std::string type = clean_content_type(value);
        must_hold(type.find_first_of("\r\n") == std::string::npos && type.size() <= limits::media_type_bytes,
                  "a type can be a header again");
        const std::string file_name = file_name_of(value);
        const std::string again = content_disposition(type, file_name);
        must_hold(again.find_first_of("\r\n") == std::string::npos, "a disposition can be a header");
        must_hold(file_name_of(again) == file_name, "a file's name comes back");
      }
    }
  }
  const MediaParts made = media_parts("7f3a90c2", {{"Content-Type", "a/b"}});
  if (body.find("7f3a90c2") != std::string_view::npos) return 0;
  const std::string whole = made.head + std::string(body) + made.tail;
  const auto back = parse_multipart(made.content_type, whole, 2);
  must_hold(back && back->size() == 2 && back->back().body == body, "what is made can be read, whatever the bytes");
  return 0;
}
