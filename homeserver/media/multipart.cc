#include "homeserver/media/multipart.h"

#include "core/limits.h"
#include "homeserver/media/content_headers.h"

namespace skerry::homeserver {

namespace {

constexpr std::size_t boundary_bytes = 70;  // RFC 2046, 5.1.1
constexpr std::size_t part_headers = 32;

tl::unexpected<Error> malformed(const char* what) {
  return fail(ErrorCode::remote_error, std::string("the other server's multipart answer is malformed: ") + what);
}

// A line that delimits: "--boundary", white space, and a line's end; with "--" behind it, the last one.
struct Delimiter {
  std::size_t begin = 0;  // where the line break before it stands, which belongs to it
  std::size_t end = 0;    // behind its line break
  bool last = false;
};

// The next delimiter at or after `from`; `npos` as its end when there is none.
Delimiter find_delimiter(std::string_view body, const std::string& mark, std::size_t from) {
  constexpr auto none = std::string_view::npos;
  for (std::size_t at = body.find(mark, from); at != none; at = body.find(mark, at + 1)) {
    const bool begins_line = at == 0 || (at >= 2 && body.substr(at - 2, 2) == "\r\n");
    if (!begins_line) continue;
    Delimiter found{at == 0 ? 0 : at - 2, at + mark.size(), false};
    if (body.substr(found.end, 2) == "--") {
      found.last = true;
      return found;
    }
    while (found.end < body.size() && (body[found.end] == ' ' || body[found.end] == '\t')) ++found.end;
    if (body.substr(found.end, 2) != "\r\n") continue;
    found.end += 2;
    return found;
  }
  return {none, none, false};
}

Result<Part> parse_part(std::string_view text) {
  Part part;
  const std::string_view whole = text;
  while (true) {
    const auto end = text.find("\r\n");
    const auto used = static_cast<std::size_t>(text.data() - whole.data());
    if (end == std::string_view::npos || used + end > limits::multipart_head_bytes) return malformed("a part's head");
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end + 2);
    if (line.empty()) break;
    const auto colon = line.find(':');
    const bool is_header = colon != std::string_view::npos && colon > 0 && line.find('\0') == std::string_view::npos;
    if (!is_header || part.headers.size() == part_headers) return malformed("a part's header");
    part.headers.emplace_back(trimmed(line.substr(0, colon)), trimmed(line.substr(colon + 1)));
  }
  part.body = text;
  return part;
}

}  // namespace

Result<std::vector<Part>> parse_multipart(std::string_view content_type, std::string_view body, std::size_t most) {
  const HeaderValue header = parse_header_value(content_type);
  if (header.value != "multipart/mixed") return malformed("it is of another type");
  const std::string* boundary = header.parameter("boundary");
  if (boundary == nullptr || boundary->empty() || boundary->size() > boundary_bytes) return malformed("no boundary");
  const std::string mark = "--" + *boundary;
  std::vector<Part> parts;
  Delimiter open = find_delimiter(body, mark, 0);
  while (!open.last) {
    if (open.end == std::string_view::npos) return malformed("it has no end");
    if (parts.size() == most) return malformed("too many parts");
    // The line break before a delimiter may be that of the delimiter before it: then the part is empty.
    const Delimiter close = find_delimiter(body, mark, open.end);
    if (close.end == std::string_view::npos) return malformed("it has no end");
    if (close.begin < open.end) return malformed("a part's head");
    auto part = parse_part(body.substr(open.end, close.begin - open.end));
    // A part without a body ends with the empty line of its head, which is the delimiter's as well.
    if (!part && close.begin + 2 <= body.size()) part = parse_part(body.substr(open.end, close.begin + 2 - open.end));
    if (!part) return tl::make_unexpected(part.error());
    parts.push_back(std::move(*part));
    open = close;
  }
  return parts;
}

MediaParts media_parts(const std::string& boundary, const net::Headers& headers) {
  MediaParts made;
  made.content_type = "multipart/mixed; boundary=" + boundary;
  made.head = "--" + boundary + "\r\nContent-Type: application/json\r\n\r\n{}\r\n--" + boundary + "\r\n";
  for (const auto& [name, value] : headers) made.head += name + ": " + value + "\r\n";
  made.head += "\r\n";
  made.tail = "\r\n--" + boundary + "--\r\n";
  return made;
}

}  // namespace skerry::homeserver
