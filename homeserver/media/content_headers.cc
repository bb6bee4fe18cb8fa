#include "homeserver/media/content_headers.h"

#include <algorithm>
#include <iterator>

#include "core/limits.h"
#include "core/utf8.h"
#include "net/http.h"

namespace skerry::homeserver {

namespace {

constexpr std::string_view inline_types[] = {
    "text/css",   "text/plain",  "text/csv",        "application/json", "application/ld+json", "image/jpeg",
    "image/gif",  "image/png",   "image/apng",      "image/webp",       "image/avif",          "video/mp4",
    "video/webm", "video/ogg",   "video/quicktime", "audio/mp4",        "audio/webm",          "audio/aac",
    "audio/mpeg", "audio/ogg",   "audio/wave",      "audio/wav",        "audio/x-wav",         "audio/x-pn-wav",
    "audio/flac", "audio/x-flac"};

constexpr std::string_view extended_charset = "utf-8''";

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  }
  return result;
}

// Takes a quoted string off the front of `text`, its escapes resolved.
std::string take_quoted(std::string_view& text) {
  std::string value;
  std::size_t at = 1;
  for (; at < text.size() && text[at] != '"'; ++at) {
    if (text[at] == '\\' && at + 1 < text.size()) ++at;
    value += text[at];
  }
  text.remove_prefix(std::min(at + 1, text.size()));
  return value;
}

std::string_view take_until(std::string_view& text, std::string_view ends) {
  const auto end = std::min(text.find_first_of(ends), text.size());
  const std::string_view taken = text.substr(0, end);
  text.remove_prefix(end);
  return taken;
}

bool is_control(char c) { return (c >= 0 && c < ' ') || c == 0x7f; }

bool is_plain(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c < 0x7f && c != '"' && c != '\\'; });
}

std::string base_type(std::string_view content_type) {
  return lower(trimmed(content_type.substr(0, content_type.find(';'))));
}

}  // namespace

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

const std::string* HeaderValue::parameter(std::string_view name) const {
  for (const auto& [key, text] : parameters) {
    if (key == name) return &text;
  }
  return nullptr;
}

HeaderValue parse_header_value(std::string_view text) {
  HeaderValue parsed;
  parsed.value = lower(trimmed(take_until(text, ";")));
  while (!text.empty()) {
    text.remove_prefix(1);  // ';'
    const std::string name = lower(trimmed(take_until(text, "=;")));
    if (text.empty() || text.front() == ';') continue;
    text.remove_prefix(1);  // '='
    text = text.substr(std::min(text.find_first_not_of(" \t"), text.size()));
    if (!text.empty() && text.front() == '"') {
      parsed.parameters.emplace_back(name, take_quoted(text));
      take_until(text, ";");
    } else {
      parsed.parameters.emplace_back(name, trimmed(take_until(text, ";")));
    }
  }
  return parsed;
}

std::string file_name_of(std::string_view content_disposition) {
  const HeaderValue header = parse_header_value(content_disposition);
  std::string name;
  // RFC 6266, 4.3: the extended form is preferred.
  if (const std::string* extended = header.parameter("filename*");
      extended != nullptr &&
      lower(std::string_view(*extended).substr(0, extended_charset.size())) == extended_charset) {
    if (auto decoded = net::percent_decode(std::string_view(*extended).substr(extended_charset.size())))
      name = *decoded;
  }
  if (const std::string* plain = header.parameter("filename"); name.empty() && plain != nullptr) name = *plain;
  const bool good = name.size() <= limits::media_file_name_bytes && is_valid_utf8(name) &&
                    std::none_of(name.begin(), name.end(), is_control);
  return good ? name : std::string();
}

std::string clean_content_type(std::string_view text) {
  text = trimmed(text);
  const bool good = !text.empty() && text.size() <= limits::media_type_bytes && text.find('/') != text.npos &&
                    std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c < 0x7f; });
  return good ? std::string(text) : "application/octet-stream";
}

std::string content_disposition(std::string_view content_type, const std::string& file_name) {
  const bool shown = std::count(std::begin(inline_types), std::end(inline_types), base_type(content_type)) > 0;
  std::string value = shown ? "inline" : "attachment";
  if (file_name.empty()) return value;
  if (is_plain(file_name)) return value + "; filename=\"" + file_name + "\"";
  return value + "; filename*=" + std::string(extended_charset) + net::percent_encode(file_name);
}

}  // namespace skerry::homeserver
