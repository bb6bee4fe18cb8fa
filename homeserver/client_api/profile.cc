// GET /profile/{userId}, /profile/{userId}/{keyName}     a user's name, picture and other fields; of other servers'
// users too PUT, DELETE /profile/{userId}/{keyName}                changes one's own; name and picture are told to
// one's rooms Client-server API, 'Profiles'.
#include <nlohmann/json.hpp>

#include "core/limits.h"
#include "homeserver/client_api/common.h"
#include "homeserver/client_api/handlers.h"
#include "net/http.h"

namespace skerry::homeserver::client_api {

namespace {

constexpr std::size_t key_bytes = 255;
constexpr std::size_t url_bytes = 1'024;
constexpr std::size_t profile_bytes = 65'536;
constexpr std::chrono::milliseconds profile_time{10'000};

bool is_room_field(const std::string& key) { return key == "displayname" || key == "avatar_url"; }

// m.tz, or the grammar of the appendices, 'Common Namespaced Identifier Grammar'.
bool is_field_name(const std::string& key) {
  if (is_room_field(key) || key == "m.tz") return true;
  const bool characters = key.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-_.") == std::string::npos;
  return characters && !key.empty() && key.front() >= 'a' && key.front() <= 'z' && key.find('.') != std::string::npos;
}

Result<Json> profile_json(const storage::Profile& profile) {
  auto fields = parse_stored(profile.fields_json);
  if (!fields) return fields;
  if (!profile.display_name.empty()) (*fields)["displayname"] = profile.display_name;
  if (!profile.avatar_url.empty()) (*fields)["avatar_url"] = profile.avatar_url;
  return fields;
}

// Asks the user's server; `field` empty: for all.
Result<Json> remote_profile(Services& services, const UserId& user, const std::string& field) {
  federation::FederationRequest request;
  request.destination = user.server();
  request.target = "/_matrix/federation/v1/query/profile?user_id=" + net::percent_encode(user.str());
  if (!field.empty()) request.target += "&field=" + net::percent_encode(field);
  request.timeout = profile_time;
  request.max_response_bytes = 2 * profile_bytes;
  federation::RemoteFailure failure;
  auto answer = services.federation.call(std::move(request), &failure);
  if (!answer && failure.status == 404) return fail(ErrorCode::not_found, "there is no such profile");
  if (answer && !answer->is_object()) return fail(ErrorCode::remote_error, "the user's server answered with nonsense");
  if (!answer) return answer;
  for (const char* key : {"displayname", "avatar_url"}) {
    if (const Json* value = find_member(*answer, key); value != nullptr && !value->is_string()) answer->erase(key);
  }
  return answer;
}

Result<Json> any_profile(Services& services, const UserId& user, const std::string& field) {
  if (user.server() != services.config.server_name) return remote_profile(services, user, field);
  (void)services.appservice_queries.look_for(user);
  auto profile = services.database.accounts().profile(user);
  if (!profile) return tl::make_unexpected(profile.error());
  return profile_json(*profile);
}

Result<void> check_value(const std::string& key, const Json& value) {
  if (!is_room_field(key) && key != "m.tz") return {};
  if (!value.is_string()) return fail(ErrorCode::bad_json, key + " must be a string");
  const auto& text = value.get_ref<const std::string&>();
  if (key == "avatar_url") {
    const bool good = text.empty() || (text.rfind("mxc://", 0) == 0 && text.size() <= url_bytes);
    return good ? Result<void>() : fail(ErrorCode::invalid_param, "avatar_url must be an mxc:// URI");
  }
  if (text.size() > limits::display_name_bytes) {
    return fail(ErrorCode::invalid_param,
                key + " is longer than " + std::to_string(limits::display_name_bytes) + " bytes");
  }
  return {};
}

// Sets a field, or removes it when `value` is null.
Result<void> set_field(storage::Profile& profile, const std::string& key, const Json* value) {
  if (is_room_field(key)) {
    (key == "displayname" ? profile.display_name : profile.avatar_url) =
        value != nullptr ? value->get<std::string>() : std::string();
    return {};
  }
  auto fields = parse_stored(profile.fields_json);
  if (!fields) return tl::make_unexpected(fields.error());
  if (value != nullptr) {
    (*fields)[key] = *value;
  } else {
    fields->erase(key);
  }
  profile.fields_json = dump(*fields);
  return {};
}

// Answers {} when the last room has been told; what fails there (one may be muted) is no failure of the profile.
struct Telling {
  explicit Telling(Reply answer) : reply(std::move(answer)) {}
  ~Telling() { reply.json(nothing()); }
  Telling(const Telling&) = delete;
  Telling& operator=(const Telling&) = delete;
  Reply reply;
};

// Name and picture stand in the membership events of all rooms that the user is in: each gets a new one.
void tell_rooms(Services& services, const UserId& user, const storage::Profile& profile, Reply reply) {
  const auto telling = std::make_shared<Telling>(std::move(reply));
  auto memberships = services.database.rooms().memberships_of(user);
  if (!memberships) return telling->reply.error(memberships.error());
  for (const storage::Membership& membership : *memberships) {
    if (membership.membership != "join") continue;
    auto member = services.reader.state_event(membership.room, "m.room.member", user.str());
    if (!member || !*member) continue;
    const Json& before = (*member)->content();
    Json after = before;
    const auto put = [&](const char* key, const std::string& value) {
      if (value.empty()) {
        after.erase(key);
      } else {
        after[key] = value;
      }
    };
    put("displayname", profile.display_name);
    put("avatar_url", profile.avatar_url);
    after.erase("join_authorised_via_users_server");  // signed for the join alone
    if (after == before) continue;
    EventDraft draft;
    draft.room = membership.room;
    draft.sender = user;
    draft.type = "m.room.member";
    draft.state_key = user.str();
    draft.content_json = dump(after);
    services.pipeline.submit_local(std::move(draft), [telling](const Result<EventId>&) {});
  }
}

// Reads the caller's profile, changes one field, stores it.
void change_field(Services& services, const Call& call, const Json* value, Reply reply) {
  const UserId& user = call.caller->user;
  const std::string& key = call.parameters[1];
  auto guard = services.accounts.lock(user);
  auto profile = services.database.accounts().profile(user);
  if (!profile) return reply.error(profile.error());
  if (auto set = set_field(*profile, key, value); !set) return reply.error(set.error());
  auto whole = profile_json(*profile);
  if (!whole) return reply.error(whole.error());
  if (value != nullptr && dump(*whole).size() >= profile_bytes) {
    return reply.error(400, {{"errcode", "M_PROFILE_TOO_LARGE"}, {"error", "a profile has less than 64 KiB"}});
  }
  if (auto stored = services.database.accounts().set_profile(user, *profile); !stored) {
    return reply.error(stored.error());
  }
  guard.unlock();
  if (is_room_field(key)) return tell_rooms(services, user, *profile, std::move(reply));
  reply.json(nothing());
}

// Whether this field of this user may be changed by the caller; answers when not.
bool may_change(const Call& call, Reply& reply) {
  const std::string& key = call.parameters[1];
  if (auto own = own_user(call, 0); !own) return reply.error(own.error()), false;
  if (key.size() > key_bytes) {
    reply.error(400, {{"errcode", "M_KEY_TOO_LARGE"}, {"error", "a profile field's name has at most 255 bytes"}});
    return false;
  }
  if (!is_field_name(key)) return reply.error({ErrorCode::invalid_param, "that is no profile field"}), false;
  return true;
}

}  // namespace

void get_profile(Services& services, Call call, Reply reply) {
  auto user = path_id<UserId>(call, 0);
  if (!user) return reply.error(user.error());
  reply.result(any_profile(services, *user, ""));
}

void get_profile_field(Services& services, Call call, Reply reply) {
  auto user = path_id<UserId>(call, 0);
  if (!user) return reply.error(user.error());
  const std::string& key = call.parameters[1];
  if (!is_field_name(key) || key.size() > key_bytes) {
    return reply.error({ErrorCode::invalid_param, "that is no profile field"});
  }
  auto profile = any_profile(services, *user, key);
  if (!profile) return reply.error(profile.error());
  const Json* value = find_member(*profile, key);
  if (value == nullptr) return reply.error({ErrorCode::not_found, "the profile has no such field"});
  reply.json({{key, *value}});
}

void put_profile_field(Services& services, Call call, Reply reply) {
  if (!may_change(call, reply)) return;
  const std::string& key = call.parameters[1];
  const Json* value = find_member(*call.body, key);
  if (value == nullptr) return reply.error({ErrorCode::missing_param, key + " is required"});
  if (is_room_field(key) && value->is_null()) return change_field(services, call, nullptr, std::move(reply));
  if (auto good = check_value(key, *value); !good) return reply.error(good.error());
  change_field(services, call, value, std::move(reply));
}

void delete_profile_field(Services& services, Call call, Reply reply) {
  if (!may_change(call, reply)) return;
  change_field(services, call, nullptr, std::move(reply));
}

}  // namespace skerry::homeserver::client_api
