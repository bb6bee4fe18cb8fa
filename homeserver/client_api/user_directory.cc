// POST /user_directory/search    people by parts of their id or name: those in a room with the caller, and those in
// rooms that are open to anyone. Client-server API, 'User directory'.
#include <algorithm>

#include <nlohmann/json.hpp>

#include "homeserver/client_api/common.h"
#include "homeserver/client_api/handlers.h"
#include "homeserver/rooms/room_summary.h"
#include "storage/people_store.h"

namespace skerry::homeserver::client_api {

namespace {

constexpr std::int64_t default_results = 10;
constexpr std::int64_t most_results = 50;
constexpr std::size_t candidates = 500;
constexpr std::size_t rooms_of_a_candidate = 20;
constexpr std::size_t term_bytes = 255;

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c); });
  return text;
}

// The best comes first: the whole name, then what begins with the term, then what has it somewhere.
int rank(const storage::Person& person, const std::string& term) {
  const std::string name = lower(person.display_name);
  const std::string localpart = lower(person.user.str().substr(1, person.user.str().find(':') - 1));
  if (name == term || localpart == term || lower(person.user.str()) == term) return 0;
  return name.starts_with(term) || localpart.starts_with(term) ? 1 : 2;
}

Result<bool> is_in_a_public_room(Services& services, const UserId& user) {
  auto memberships = services.database.rooms().memberships_of(user);
  if (!memberships) return tl::make_unexpected(memberships.error());
  std::size_t looked_at = 0;
  for (const storage::Membership& membership : *memberships) {
    if (membership.membership != "join") continue;
    if (++looked_at > rooms_of_a_candidate) break;
    auto open = is_public(services.reader, membership.room);
    if (open && *open) return true;
  }
  return false;
}

Result<std::vector<storage::Person>> visible_people(Services& services, const UserId& caller, const std::string& term) {
  auto found = services.database.people().search(caller, term, candidates);
  if (!found) return found;
  std::vector<UserId> users;
  for (const storage::Person& person : *found) users.push_back(person.user);
  auto near = services.database.people().sharing_a_room(caller, users);
  if (!near) return tl::make_unexpected(near.error());
  std::vector<storage::Person> visible;
  for (storage::Person& person : *found) {
    if (person.user == caller) continue;
    bool shown = std::find(near->begin(), near->end(), person.user) != near->end();
    if (!shown) {
      auto in_public = is_in_a_public_room(services, person.user);
      if (!in_public) return tl::make_unexpected(in_public.error());
      shown = *in_public;
    }
    if (shown) visible.push_back(std::move(person));
  }
  std::stable_sort(visible.begin(), visible.end(),
                   [&](const storage::Person& a, const storage::Person& b) { return rank(a, term) < rank(b, term); });
  return visible;
}

}  // namespace

void search_user_directory(Services& services, Call call, Reply reply) {
  auto text = required_string(*call.body, "search_term");
  if (!text) return reply.error(text.error());
  if (text->size() > term_bytes) return reply.error({ErrorCode::invalid_param, "search_term is longer than 255 bytes"});
  std::int64_t limit = default_results;
  if (const Json* wanted = find_member(*call.body, "limit"); wanted != nullptr && !wanted->is_null()) {
    if (!wanted->is_number_integer()) return reply.error({ErrorCode::bad_json, "limit must be a whole number"});
    limit = std::clamp<std::int64_t>(wanted->get<std::int64_t>(), 1, most_results);
  }
  const std::string term = lower(*text);
  std::vector<storage::Person> people;
  if (!term.empty()) {
    auto found = visible_people(services, call.caller->user, term);
    if (!found) return reply.error(found.error());
    people = std::move(*found);
  }
  Json results = Json::array();
  for (const storage::Person& person : people) {
    if (static_cast<std::int64_t>(results.size()) >= limit) break;
    Json entry = {{"user_id", person.user.str()}};
    if (!person.display_name.empty()) entry["display_name"] = person.display_name;
    if (!person.avatar_url.empty()) entry["avatar_url"] = person.avatar_url;
    results.push_back(std::move(entry));
  }
  const bool limited = people.size() > results.size();
  reply.json({{"results", std::move(results)}, {"limited", limited}});
}

}  // namespace skerry::homeserver::client_api
