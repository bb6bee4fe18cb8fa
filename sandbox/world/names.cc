#include "sandbox/world/names.h"

#include <algorithm>
#include <array>

namespace skerry::sandbox {

namespace {

constexpr std::array<std::string_view, 26> alphabet = {
    "alpha",   "bravo", "charlie", "delta",  "echo",     "foxtrot", "golf",   "hotel",  "india",
    "juliett", "kilo",  "lima",    "mike",   "november", "oscar",   "papa",   "quebec", "romeo",
    "sierra",  "tango", "uniform", "victor", "whiskey",  "xray",    "yankee", "zulu"};
constexpr std::string_view domain = ".test";
constexpr std::size_t shown_names = 30;
constexpr std::size_t longest_label = 63;

std::string list(const std::vector<std::string>& names) {
  std::string text;
  for (std::size_t i = 0; i < names.size() && i < shown_names; ++i) text += (i == 0 ? "" : " ") + names[i];
  if (names.size() > shown_names) text += " ... " + names.back();
  return text;
}

}  // namespace

std::string server_name(std::size_t index) {
  if (index < alphabet.size()) return std::string(alphabet[index]) + std::string(domain);
  std::string number = std::to_string(index + 1);
  if (number.size() < 3) number.insert(0, 3 - number.size(), '0');
  return "s" + number + std::string(domain);
}

std::vector<std::string> server_names(std::size_t count) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < count; ++i) names.push_back(server_name(i));
  return names;
}

Result<std::string> find_server(const std::vector<std::string>& known, std::string_view typed) {
  for (const std::string& name : known) {
    if (name == typed || name == std::string(typed) + std::string(domain)) return name;
  }
  return fail(ErrorCode::not_found, "there is no server " + std::string(typed) + " here; there are: " + list(known));
}

Result<std::string> new_server_name(const std::vector<std::string>& known, std::string_view typed) {
  std::string name(typed);
  if (!name.ends_with(domain)) name += domain;
  const std::string label = name.substr(0, name.size() - domain.size());
  const bool plain = !label.empty() && label.size() <= longest_label && label.front() != '-' && label.back() != '-' &&
                     label.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") == std::string::npos;
  if (!plain) {
    return fail(
        ErrorCode::invalid_param,
        std::string(typed) + " is no name for a server: small letters, digits and hyphens, as in syn or syn.test");
  }
  if (std::find(known.begin(), known.end(), name) != known.end()) {
    return fail(ErrorCode::invalid_param, name + " is here already");
  }
  const auto ours = server_names(max_servers);
  if (std::find(ours.begin(), ours.end(), name) != ours.end()) {
    return fail(ErrorCode::invalid_param, name + " is kept for a server of `skerry up --servers N`: take another name");
  }
  return name;
}

Result<UserId> parse_user(const std::vector<std::string>& known, std::string_view typed, std::string_view server) {
  const bool whole = typed.starts_with('@');
  const auto separator = whole ? typed.find(':') : typed.find('@');
  const std::string localpart(typed.substr(0, separator).substr(whole ? 1 : 0));
  const std::string_view named = separator == std::string_view::npos ? server : typed.substr(separator + 1);
  if (named.empty()) {
    return fail(ErrorCode::invalid_param, "on which server? Write " + localpart + "@" +
                                              (known.empty() ? "SERVER" : known.front()) + " or add --server");
  }
  const auto name = find_server(known, named);
  if (!name) return tl::make_unexpected(name.error());
  if (!server.empty()) {
    const auto wanted = find_server(known, server);
    if (!wanted) return tl::make_unexpected(wanted.error());
    if (*wanted != *name) return fail(ErrorCode::invalid_param, std::string(typed) + " is not on " + *wanted);
  }
  const auto user = UserId::parse("@" + localpart + ":" + *name);
  if (!user || localpart.empty()) {
    return fail(ErrorCode::invalid_param,
                std::string(typed) + " is no user: write alice@alpha.test or @alice:alpha.test");
  }
  return *user;
}

}  // namespace skerry::sandbox
