// m.room.server_acl: which servers may take part ('Server Access Control Lists (ACLs) for rooms').
#include <algorithm>

#include <nlohmann/json.hpp>

#include "homeserver/rooms/reader.h"

namespace skerry::homeserver {

namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

// 'Glob-style matching': `*` is any run of characters, `?` is one, letters match without case. Takes pattern x text
// steps at most.
bool glob_matches(std::string_view pattern, std::string_view text) {
  std::size_t p = 0;
  std::size_t t = 0;
  std::size_t star = std::string_view::npos;
  std::size_t retry = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      retry = t;
    } else if (p < pattern.size() && (pattern[p] == '?' || lower(pattern[p]) == lower(text[t]))) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++retry;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

bool any_matches(const Json& content, std::string_view list, std::string_view name) {
  const Json* patterns = find_array(content, list);
  return patterns != nullptr && std::any_of(patterns->begin(), patterns->end(), [&](const Json& pattern) {
           return pattern.is_string() && glob_matches(pattern.get_ref<const std::string&>(), name);
         });
}

std::string_view without_port(const ServerName& server) {
  const std::string_view name = server.str();
  const auto colon = name.rfind(':');
  const bool has_port = colon != std::string_view::npos && name.find(']', colon) == std::string_view::npos;
  return has_port ? name.substr(0, colon) : name;
}

}  // namespace

bool server_acl_allows(const Json& content, const ServerName& server) {
  const Json* literals = find_member(content, "allow_ip_literals");
  const bool no_literals = literals != nullptr && literals->is_boolean() && !literals->get<bool>();
  if (no_literals && server.is_ip_literal()) return false;
  const std::string_view name = without_port(server);
  if (any_matches(content, "deny", name)) return false;
  return any_matches(content, "allow", name);
}

}  // namespace skerry::homeserver
