#include "core/ids.h"

#include <algorithm>
#include <arpa/inet.h>
#include <array>

#include "core/limits.h"
#include "core/utf8.h"

namespace skerry {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
bool is_alpha(char c) { return is_lower(c) || (c >= 'A' && c <= 'Z'); }

template <class Predicate>
bool all_of(std::string_view text, Predicate predicate) {
  return std::all_of(text.begin(), text.end(), predicate);
}

// inet_pton reads up to the first NUL, so nothing may stand behind one.
bool is_address(int family, std::string_view host) {
  in6_addr address{};  // room enough for either family
  return host.find('\0') == std::string_view::npos && inet_pton(family, std::string(host).c_str(), &address) == 1;
}

bool is_ipv4(std::string_view host) { return is_address(AF_INET, host); }
bool is_ipv6(std::string_view host) { return is_address(AF_INET6, host); }

// Where the host ends and `:port` may begin. IPv6 literals hold colons of their own, inside brackets.
std::size_t host_end(std::string_view name) {
  if (name.starts_with('[')) {
    const std::size_t bracket = name.find(']');
    return bracket == std::string_view::npos ? bracket : bracket + 1;
  }
  return std::min(name.find(':'), name.size());
}

// `:port`, or 0 for anything else.
std::uint16_t parse_port(std::string_view text) {
  if (text.size() < 2 || text.size() > 6 || text[0] != ':' || !all_of(text.substr(1), is_digit)) return 0;
  unsigned port = 0;
  for (const char digit : text.substr(1)) port = port * 10 + static_cast<unsigned>(digit - '0');
  return port > 65'535 ? std::uint16_t{0} : static_cast<std::uint16_t>(port);
}

bool is_host(std::string_view host) {
  if (host.starts_with('[')) return host.ends_with(']') && is_ipv6(host.substr(1, host.size() - 2));
  return !host.empty() && all_of(host, [](char c) { return is_digit(c) || is_alpha(c) || c == '-' || c == '.'; });
}

tl::unexpected<Error> not_an_id(std::string_view what) { return fail(ErrorCode::invalid_param, std::string(what)); }

// `&localpart:server_name`: the localpart is any UTF-8 without ':' and NUL, so the first colon ends it.
bool is_localpart_and_server(char sigil, std::string_view text, bool empty_localpart_allowed) {
  if (text.size() > limits::id_bytes || !text.starts_with(sigil)) return false;
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos || (colon == 1 && !empty_localpart_allowed)) return false;
  const std::string_view localpart = text.substr(1, colon - 1);
  return localpart.find('\0') == std::string_view::npos && is_valid_utf8(localpart) &&
         ServerName::parse(text.substr(colon + 1)).has_value();
}

// The server name within a parsed `&localpart:server_name`.
ServerName server_of(std::string_view id) {
  const std::size_t colon = id.find(':');
  if (colon == std::string_view::npos) return {};
  return ServerName::parse(id.substr(colon + 1)).value_or(ServerName{});
}

bool is_base64url(char c) { return is_digit(c) || is_alpha(c) || c == '-' || c == '_'; }

}  // namespace

Result<ServerName> ServerName::parse(std::string_view text) {
  if (text.empty() || text.size() > limits::server_name_bytes) return not_an_id("a server name has 1 to 230 bytes");
  const std::size_t end = host_end(text);
  if (end == std::string_view::npos || !is_host(text.substr(0, end))) return not_an_id("not a server name");
  if (end != text.size() && parse_port(text.substr(end)) == 0) return not_an_id("not a port after the server name");
  return ServerName(std::string(text));
}

std::string ServerName::host() const {
  const std::string_view host = std::string_view(text_).substr(0, host_end(text_));
  return std::string(host.starts_with('[') ? host.substr(1, host.size() - 2) : host);
}

std::uint16_t ServerName::port() const { return parse_port(std::string_view(text_).substr(host_end(text_))); }

bool ServerName::is_ip_literal() const { return text_.starts_with('[') || is_ipv4(host()); }

Result<UserId> UserId::parse(std::string_view text) {
  if (!is_localpart_and_server('@', text, true)) return not_an_id("not a user id");
  return UserId(std::string(text));
}

Result<UserId> UserId::make_local(std::string_view localpart, const ServerName& server) {
  const auto allowed = [](char c) {
    return is_lower(c) || is_digit(c) || std::string_view("._=-/+").find(c) != std::string_view::npos;
  };
  if (localpart.empty() || !all_of(localpart, allowed)) {
    return fail(ErrorCode::invalid_username, "a user name consists of a-z 0-9 . _ = - / +");
  }
  std::string text = "@" + std::string(localpart) + ":" + server.str();
  if (text.size() > limits::id_bytes) return fail(ErrorCode::invalid_username, "the user id is longer than 255 bytes");
  return UserId(std::move(text));
}

std::string_view UserId::localpart() const {
  const std::string_view text = text_;
  return text.empty() ? text : text.substr(1, text.find(':') - 1);
}

ServerName UserId::server() const { return server_of(text_); }

Result<RoomId> RoomId::parse(std::string_view text) {
  const bool is_hash =
      text.size() > 1 && text.size() <= limits::id_bytes && text[0] == '!' && all_of(text.substr(1), is_base64url);
  if (!is_hash && !is_localpart_and_server('!', text, false)) return not_an_id("not a room id");
  return RoomId(std::string(text));
}

Result<EventId> EventId::parse(std::string_view text) {
  if (text.size() < 2 || text.size() > limits::id_bytes || text[0] != '$' ||
      text.find('\0') != std::string_view::npos || !is_valid_utf8(text)) {
    return not_an_id("not an event id");
  }
  return EventId(std::string(text));
}

ServerName EventId::server() const { return server_of(text_); }

Result<RoomAlias> RoomAlias::parse(std::string_view text) {
  if (!is_localpart_and_server('#', text, false)) return not_an_id("not a room alias");
  return RoomAlias(std::string(text));
}

ServerName RoomAlias::server() const { return server_of(text_); }

Result<KeyId> KeyId::parse(std::string_view text) {
  const std::size_t colon = text.find(':');
  const auto allowed = [](char c) {
    return is_alpha(c) || is_digit(c) || std::string_view("_-.=+/").find(c) != std::string_view::npos;
  };
  if (text.size() > limits::id_bytes || colon == std::string_view::npos || colon == 0 || colon + 1 == text.size() ||
      !all_of(text.substr(0, colon), allowed) || !all_of(text.substr(colon + 1), allowed)) {
    return not_an_id("not a key id");
  }
  return KeyId(std::string(text));
}

std::string_view KeyId::algorithm() const {
  const std::string_view text = text_;
  return text.substr(0, text.find(':'));
}

}  // namespace skerry
