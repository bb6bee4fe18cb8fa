// POST /createRoom: makes a room with everything that the request implies, all or nothing; invitations to users of
// other servers follow, and one that fails does not undo the room. Client-server API, 'Creation'.
#include <algorithm>
#include <set>

#include <nlohmann/json.hpp>

#include "core/limits.h"
#include "homeserver/client_api/common.h"
#include "homeserver/client_api/handlers.h"
#include "homeserver/rate_limiter.h"
#include "net/log.h"

namespace skerry::homeserver::client_api {

namespace {

constexpr std::size_t max_invites = 200;
constexpr std::size_t max_initial_state = 200;

enum class Preset { private_chat, trusted_private_chat, public_chat };

// What the request asks for, checked.
struct WantedRoom {
  const RoomRules* rules = nullptr;
  UserId creator;
  Preset preset = Preset::private_chat;
  bool published = false;
  bool direct = false;
  std::optional<RoomAlias> alias;
  std::optional<std::string> name;
  std::optional<std::string> topic;
  std::vector<UserId> invite;
  Json create_content = Json::object();
  Json power_override = Json::object();
  struct State {
    std::string type;
    std::string key;
    Json content;
  };
  std::vector<State> initial_state;
};

Result<std::vector<UserId>> read_invites(const Json& body) {
  std::vector<UserId> users;
  const Json* list = find_member(body, "invite");
  if (list == nullptr || list->is_null()) return users;
  if (!list->is_array() || list->size() > max_invites)
    return fail(ErrorCode::bad_json, "invite must be an array of at most 200 user ids");
  for (const Json& entry : *list) {
    auto user = entry.is_string() ? UserId::parse(entry.get<std::string>()) : fail(ErrorCode::bad_json, "");
    if (!user) return fail(ErrorCode::invalid_param, "invite must hold user ids");
    if (std::find(users.begin(), users.end(), *user) == users.end()) users.push_back(*user);
  }
  return users;
}

Result<std::vector<WantedRoom::State>> read_initial_state(const Json& body) {
  std::vector<WantedRoom::State> state;
  const Json* list = find_member(body, "initial_state");
  if (list == nullptr || list->is_null()) return state;
  if (!list->is_array() || list->size() > max_initial_state)
    return fail(ErrorCode::bad_json, "initial_state must be an array of at most 200 events");
  for (const Json& entry : *list) {
    const std::string* type = entry.is_object() ? find_string(entry, "type") : nullptr;
    const Json* content = entry.is_object() ? find_object(entry, "content") : nullptr;
    if (type == nullptr || content == nullptr)
      return fail(ErrorCode::bad_json, "initial_state entries need type and content");
    auto key = optional_string(entry, "state_key");
    if (!key) return tl::make_unexpected(key.error());
    state.push_back({*type, key->value_or(""), *content});
  }
  return state;
}

Result<void> read_preset(const Json& body, WantedRoom& wanted) {
  auto visibility = optional_string(body, "visibility");
  if (!visibility) return tl::make_unexpected(visibility.error());
  if (*visibility && **visibility != "public" && **visibility != "private") {
    return fail(ErrorCode::invalid_param, "visibility must be public or private");
  }
  wanted.published = *visibility && **visibility == "public";
  auto preset = optional_string(body, "preset");
  if (!preset) return tl::make_unexpected(preset.error());
  const std::string name = preset->value_or(wanted.published ? "public_chat" : "private_chat");
  if (name == "private_chat") {
    wanted.preset = Preset::private_chat;
  } else if (name == "trusted_private_chat") {
    wanted.preset = Preset::trusted_private_chat;
  } else if (name == "public_chat") {
    wanted.preset = Preset::public_chat;
  } else {
    return fail(ErrorCode::invalid_param, "unknown preset");
  }
  return {};
}

Result<Json> optional_object(const Json& body, const char* key) {
  const Json* member = find_member(body, key);
  if (member == nullptr || member->is_null()) return Json::object();
  if (!member->is_object()) return fail(ErrorCode::bad_json, std::string(key) + " must be an object");
  return *member;
}

Result<WantedRoom> read_request(const Services& services, const UserId& creator, const Json& body) {
  WantedRoom wanted;
  wanted.creator = creator;
  auto version = optional_string(body, "room_version");
  if (!version) return tl::make_unexpected(version.error());
  wanted.rules = find_room_rules(version->value_or(std::string(default_room_version)));
  if (wanted.rules == nullptr)
    return fail(ErrorCode::unsupported_room_version, "this server does not know that room version");
  if (auto preset = read_preset(body, wanted); !preset) return tl::make_unexpected(preset.error());
  auto alias = optional_string(body, "room_alias_name");
  if (!alias) return tl::make_unexpected(alias.error());
  if (*alias) {
    auto parsed = RoomAlias::parse("#" + **alias + ":" + services.config.server_name.str());
    if (!parsed || (*alias)->find(':') != std::string::npos)
      return fail(ErrorCode::invalid_param, "not an alias: " + **alias);
    wanted.alias = *parsed;
  }
  auto name = optional_string(body, "name");
  auto topic = optional_string(body, "topic");
  auto invites = read_invites(body);
  auto state = read_initial_state(body);
  auto create_content = optional_object(body, "creation_content");
  auto power = optional_object(body, "power_level_content_override");
  if (!name) return tl::make_unexpected(name.error());
  if (!topic) return tl::make_unexpected(topic.error());
  if (!invites) return tl::make_unexpected(invites.error());
  if (!state) return tl::make_unexpected(state.error());
  if (!create_content) return tl::make_unexpected(create_content.error());
  if (!power) return tl::make_unexpected(power.error());
  wanted.name = std::move(*name);
  wanted.topic = std::move(*topic);
  wanted.invite = std::move(*invites);
  wanted.initial_state = std::move(*state);
  wanted.create_content = std::move(*create_content);
  wanted.power_override = std::move(*power);
  const Json* direct = find_member(body, "is_direct");
  wanted.direct = direct != nullptr && *direct == true;
  return wanted;
}

// trusted_private_chat gives the invited the creator's power: in version 12 they become creators as well.
void add_creators(WantedRoom& wanted) {
  if (!wanted.rules->creators_are_privileged || wanted.preset != Preset::trusted_private_chat) return;
  Json& creators = wanted.create_content["additional_creators"];
  if (!creators.is_array()) creators = Json::array();
  for (const UserId& user : wanted.invite) {
    if (user != wanted.creator && std::find(creators.begin(), creators.end(), Json(user.str())) == creators.end()) {
      creators.push_back(user.str());
    }
  }
  if (creators.empty()) wanted.create_content.erase("additional_creators");
}

Json power_levels(const WantedRoom& wanted) {
  Json content = {{"users_default", 0},
                  {"events_default", 0},
                  {"state_default", 50},
                  {"ban", 50},
                  {"kick", 50},
                  {"redact", 50},
                  {"invite", 0},
                  {"users", Json::object()},
                  {"events",
                   {{"m.room.name", 50},
                    {"m.room.avatar", 50},
                    {"m.room.canonical_alias", 50},
                    {"m.room.topic", 50},
                    {"m.room.power_levels", 100},
                    {"m.room.history_visibility", 100},
                    {"m.room.encryption", 100},
                    {"m.room.server_acl", 100},
                    {"m.room.tombstone", 100}}}};
  if (wanted.rules->creators_are_privileged) {
    content["events"]["m.room.tombstone"] = 150;  // above what anyone but a creator can be given by default
  } else {
    content["users"][wanted.creator.str()] = 100;
    if (wanted.preset == Preset::trusted_private_chat) {
      for (const UserId& user : wanted.invite) content["users"][user.str()] = 100;
    }
  }
  content.update(wanted.power_override);
  return content;
}

class Drafts {
 public:
  explicit Drafts(UserId sender) : sender_(std::move(sender)) {}
  void add(const std::string& type, const std::string& key, const Json& content) {
    EventDraft draft;
    draft.sender = sender_;
    draft.type = type;
    draft.state_key = key;
    draft.content_json = dump(content);
    drafts_.push_back(std::move(draft));
  }
  std::vector<EventDraft> take() && { return std::move(drafts_); }

 private:
  UserId sender_;
  std::vector<EventDraft> drafts_;
};

// The events after the create event, in the specification's order.
std::vector<EventDraft> drafts_of(const WantedRoom& wanted, const Json& member) {
  std::set<std::pair<std::string, std::string>> overridden;  // by initial_state
  for (const auto& state : wanted.initial_state) overridden.insert({state.type, state.key});
  Drafts drafts(wanted.creator);
  const auto preset_state = [&](const std::string& type, const Json& content) {
    if (!overridden.contains({type, ""})) drafts.add(type, "", content);
  };
  drafts.add("m.room.member", wanted.creator.str(), member);                                     // 2
  drafts.add("m.room.power_levels", "", power_levels(wanted));                                   // 3
  if (wanted.alias) drafts.add("m.room.canonical_alias", "", {{"alias", wanted.alias->str()}});  // 4
  const bool open = wanted.preset == Preset::public_chat;                                        // 5
  preset_state("m.room.join_rules", {{"join_rule", open ? "public" : "invite"}});
  preset_state("m.room.history_visibility", {{"history_visibility", "shared"}});
  preset_state("m.room.guest_access", {{"guest_access", open ? "forbidden" : "can_join"}});
  for (const auto& state : wanted.initial_state) {  // 6
    const bool replaced = (state.type == "m.room.name" && state.key.empty() && wanted.name) ||
                          (state.type == "m.room.topic" && state.key.empty() && wanted.topic);
    if (!replaced) drafts.add(state.type, state.key, state.content);
  }
  if (wanted.name) drafts.add("m.room.name", "", {{"name", *wanted.name}});  // 7
  if (wanted.topic) {
    drafts.add("m.room.topic", "",
               {{"topic", *wanted.topic}, {"m.topic", {{"m.text", Json::array({Json{{"body", *wanted.topic}}})}}}});
  }
  return std::move(drafts).take();
}

// 8. After the room stands: each invitation is a transaction with another server of its own.
void invite_all(Services& services, const WantedRoom& wanted, const RoomId& room) {
  for (const UserId& user : wanted.invite) {
    if (user == wanted.creator) continue;
    (void)services.appservice_queries.look_for(user);
    auto invited =
        services.membership.invite(wanted.creator, user, room, wanted.direct ? R"({"is_direct":true})" : "{}");
    if (!invited) log::warn("rooms", "an invitation of " + room.str() + " failed: " + invited.error().text);
  }
}

}  // namespace

void create_room(Services& services, Call call, Reply reply) {
  const UserId creator = call.caller->user;
  if (auto wait = services.rate_limiter.message(*call.caller)) return reply.limited(*wait);
  auto read = read_request(services, creator, *call.body);
  if (!read) return reply.error(read.error());
  auto wanted = std::make_shared<WantedRoom>(std::move(*read));
  add_creators(*wanted);
  if (wanted->alias) {
    if (auto may = may_name(services, *call.caller, *wanted->alias); !may) return reply.error(may.error());
    auto taken = services.database.rooms().resolve_alias(*wanted->alias);
    if (!taken) return reply.error(taken.error());
    if (*taken) return reply.error({ErrorCode::room_in_use, "that alias is taken"});
  }
  auto shared = share(std::move(reply));
  services.pipeline.create_room(
      std::string(wanted->rules->version), creator, dump(wanted->create_content),
      drafts_of(*wanted, join_content(services, creator)), [&services, wanted, shared](Result<RoomId> room) {
        if (!room) {
          const bool refused = room.error().code == ErrorCode::forbidden;
          return shared->error(refused ? Error{ErrorCode::invalid_room_state, room.error().text} : room.error());
        }
        // The commit's thread must not wait: the rest goes on elsewhere.
        const bool queued = services.outbound.post([&services, wanted, shared, id = *room] {
          if (wanted->alias) {
            auto added = services.database.rooms().add_alias(*wanted->alias, id, wanted->creator);
            if (!added) return shared->error(added.error());
          }
          if (wanted->published) {
            if (auto done = services.database.rooms().set_published(id, true); !done)
              return shared->error(done.error());
          }
          invite_all(services, *wanted, id);
          shared->json({{"room_id", id.str()}});
        });
        if (!queued)
          shared->error({ErrorCode::limit_exceeded, "too much is going on here; the room was made: " + room->str()});
      });
}

}  // namespace skerry::homeserver::client_api
