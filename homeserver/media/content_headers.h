// What the headers of media say: Content-Type and Content-Disposition. Client-server API, 'Serving inline content';
// RFC 6266 and RFC 8187. Pure.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace skerry::homeserver {

// Without the spaces and tabs around it.
std::string_view trimmed(std::string_view text);

// "attachment; filename=\"a b\"": the value in lower case, and its parameters, unquoted, their names in lower case.
struct HeaderValue {
  std::string value;
  std::vector<std::pair<std::string, std::string>> parameters;

  const std::string* parameter(std::string_view name) const;  // first one; null when absent
};
HeaderValue parse_header_value(std::string_view text);

// The file name that a Content-Disposition of others gives, in either form. Empty when it gives none that is valid
// UTF-8 without control characters, within limits::media_file_name_bytes.
std::string file_name_of(std::string_view content_disposition);

// As it may stand in a header; "application/octet-stream" for what is absent, too long or has odd characters.
std::string clean_content_type(std::string_view text);

// "inline" for types that cannot do harm there, else "attachment"; with the name, where there is one.
std::string content_disposition(std::string_view content_type, const std::string& file_name);

}  // namespace skerry::homeserver
