#include <algorithm>
#include <arpa/inet.h>
#include <charconv>

#include "net/http_client.h"

namespace skerry::net {

namespace {

bool is_ipv6(const std::string& text) {
  in6_addr address{};  // inet_pton reads up to the first NUL, so nothing may stand behind one
  return text.find('\0') == std::string::npos && inet_pton(AF_INET6, text.c_str(), &address) == 1;
}

// A DNS name or an IPv4 address; whether it exists is not asked here.
bool is_host_name(std::string_view text) {
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
           c == '_';
  };
  return !text.empty() && text.size() <= 253 && std::all_of(text.begin(), text.end(), fits);
}

bool is_path(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f && c != '?' && c != '#'; });
}

// "host", "host:port", "1.2.3.4:port", "[::1]:port"; port stays as it is when there is none.
bool parse_authority(std::string_view authority, std::string& host, std::uint16_t& port) {
  std::string_view port_text;
  if (authority.starts_with('[')) {
    const auto close = authority.find(']');
    if (close == std::string_view::npos) return false;
    host = authority.substr(1, close - 1);
    if (!is_ipv6(host)) return false;
    port_text = authority.substr(close + 1);
  } else {
    const auto colon = std::min(authority.find(':'), authority.size());
    host = authority.substr(0, colon);
    if (!is_host_name(host)) return false;
    port_text = authority.substr(colon);
  }
  if (port_text.empty()) return true;
  const char* end = port_text.data() + port_text.size();
  const auto [parsed_to, error] = std::from_chars(port_text.data() + 1, end, port);
  return port_text.front() == ':' && error == std::errc{} && parsed_to == end && port != 0;
}

}  // namespace

Result<ParsedUrl> parse_url(std::string_view url) {
  ParsedUrl parsed;
  std::string_view rest = url;
  if (rest.starts_with("https://")) {
    rest.remove_prefix(8);
    parsed.endpoint.port = 443;
  } else if (rest.starts_with("http://")) {
    rest.remove_prefix(7);
    parsed.endpoint.port = 80;
    parsed.endpoint.tls = false;
  }
  const auto slash = std::min(rest.find('/'), rest.size());
  const std::string_view authority = rest.substr(0, slash);
  std::string_view path = rest.substr(slash);
  while (path.ends_with('/')) path.remove_suffix(1);
  if (parsed.endpoint.port == 0 || !is_path(path) ||
      !parse_authority(authority, parsed.endpoint.connect_host, parsed.endpoint.port)) {
    return fail(ErrorCode::invalid_param, "not an http or https URL: " + std::string(url));
  }
  parsed.base_path = path;
  parsed.endpoint.host_header = authority;
  parsed.endpoint.tls_name = parsed.endpoint.connect_host;
  return parsed;
}

Result<Place> parse_location(std::string_view location, const Endpoint& from) {
  location = location.substr(0, location.find('#'));
  const auto is_odd = [](char c) { return c <= ' ' || c == 0x7f; };
  if (std::any_of(location.begin(), location.end(), is_odd))
    return fail(ErrorCode::invalid_param, "a redirect to something that is no URL");
  if (location.starts_with('/') && !location.starts_with("//")) return Place{from, std::string(location)};
  if (!location.starts_with("https://"))
    return fail(ErrorCode::invalid_param, "a redirect to something else than https");
  const auto path = std::min(location.find_first_of("/?", 8), location.size());
  auto url = parse_url(location.substr(0, path));
  if (!url) return tl::make_unexpected(url.error());
  Place place{std::move(url->endpoint), std::string(location.substr(path))};
  if (!place.target.starts_with('/')) place.target.insert(0, "/");
  return place;
}

}  // namespace skerry::net
