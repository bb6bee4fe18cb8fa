// GET /rooms/{roomId}/hierarchy          the rooms of a space that the caller is in or may enter, depth first, in pages
// GET /room_summary/{roomIdOrAlias}      what a room tells about itself
// What this server is not in, it asks of the servers that the space, or the caller (`via`), names.
// Client-server API, 'Spaces', 'Room summaries'.
#include <algorithm>
#include <charconv>
#include <map>
#include <set>

#include <nlohmann/json.hpp>

#include "homeserver/client_api/common.h"
#include "homeserver/client_api/handlers.h"
#include "homeserver/rooms/room_summary.h"
#include "net/http.h"

namespace skerry::homeserver::client_api {

namespace {

constexpr std::int64_t page_rooms = 50;
constexpr std::int64_t most_depth = 20;
constexpr std::size_t walked_rooms = 1'000;     // of one space, over all pages
constexpr std::size_t waiting_rooms = 10'000;   // children seen, and not walked yet
constexpr std::size_t servers_asked = 3;        // for one room
constexpr std::size_t requests_to_others = 20;  // for one answer
constexpr std::chrono::milliseconds summary_time{10'000};

// A room of a hierarchy: its summary with children_state, and its children.
struct SpaceRoom {
  Json summary;
  std::vector<SpaceChild> children;
};

// What rooms tell to one user, of this server's own or by asking others.
class Summaries {
 public:
  Summaries(Services& services, const UserId& user) : services_(services), user_(user) {}

  // Nothing when the room is not to be had, or not for this user. Errors: storage.
  Result<std::optional<SpaceRoom>> find(const RoomId& room, const std::vector<ServerName>& via) {
    auto here = services_.reader.server_in_room(room, services_.config.server_name);
    if (!here) return tl::make_unexpected(here.error());
    if (*here) return own(room);
    auto found = remote(room, via);
    if (!found) return std::nullopt;
    auto allowed = may_enter(room, found->summary);
    if (!allowed) return tl::make_unexpected(allowed.error());
    if (!*allowed) return std::nullopt;
    return found;
  }

 private:
  Result<std::optional<SpaceRoom>> own(const RoomId& room) {
    auto allowed = may_preview(services_.database.rooms(), services_.reader, room, user_);
    if (!allowed) return tl::make_unexpected(allowed.error());
    if (!*allowed) return std::nullopt;
    auto summary = room_summary(services_.database.rooms(), services_.reader, room);
    if (!summary) return tl::make_unexpected(summary.error());
    auto children = space_children(services_.database.rooms(), services_.reader, room);
    if (!children) return tl::make_unexpected(children.error());
    return SpaceRoom{std::move(*summary), std::move(*children)};
  }

  std::optional<SpaceRoom> remote(const RoomId& room, const std::vector<ServerName>& via) {
    // A parent's answer told of it already; of a space that is not enough, for its children.
    if (const auto told = told_.find(room); told != told_.end() && told->second.value("room_type", "") != "m.space")
      return SpaceRoom{told->second, {}};
    std::size_t asked = 0;
    for (const ServerName& server : via) {
      if (server == services_.config.server_name) continue;
      if (++asked > servers_asked || ++requests_ > requests_to_others) break;
      federation::FederationRequest request;
      request.destination = server;
      request.target = "/_matrix/federation/v1/hierarchy/" + net::percent_encode(room.str());
      request.timeout = summary_time;
      auto answer = services_.federation.call(std::move(request));
      if (!answer || !answer->is_object()) continue;
      if (auto found = read_answer(*answer, room)) return found;
    }
    return std::nullopt;
  }

  std::optional<SpaceRoom> read_answer(const Json& answer, const RoomId& room) {
    const Json* about = find_object(answer, "room");
    auto summary = about != nullptr ? parse_summary(*about, room) : std::nullopt;
    if (!summary) return std::nullopt;
    SpaceRoom found{std::move(*summary), {}};
    if (const Json* events = find_array(*about, "children_state")) {
      for (const Json& event : *events) {
        if (found.children.size() >= SpaceChild::most) break;
        if (auto child = SpaceChild::parse(event)) found.children.push_back(std::move(*child));
      }
    }
    sort_children(found.children);
    if (const Json* children = find_array(answer, "children")) {
      for (const Json& child : *children) {
        const std::string* id = child.is_object() ? find_string(child, "room_id") : nullptr;
        const auto child_room = id != nullptr ? RoomId::parse(*id) : fail(ErrorCode::invalid_param, "");
        if (!child_room || told_.size() >= walked_rooms) continue;
        if (auto told = parse_summary(child, *child_room)) told_.emplace(*child_room, std::move(*told));
      }
    }
    return found;
  }

  // Of a room of other servers, by what they told.
  Result<bool> may_enter(const RoomId& room, const Json& summary) {
    const std::string rule = summary.value("join_rule", "public");
    if (rule == "public" || rule == "knock" || rule == "knock_restricted" || summary.at("world_readable") == true)
      return true;
    auto invites = services_.database.rooms().stripped_invites(user_);
    if (!invites) return tl::make_unexpected(invites.error());
    for (const storage::StrippedInvite& invite : *invites) {
      if (invite.room == room && invite.membership == "invite") return true;
    }
    if (rule != "restricted" || !summary.contains("allowed_room_ids")) return false;
    for (const Json& id : summary.at("allowed_room_ids")) {
      const auto allowed = RoomId::parse(id.get<std::string>());
      auto membership = services_.database.rooms().membership(*allowed, user_);
      if (!membership) return tl::make_unexpected(membership.error());
      if (*membership && (*membership)->membership == "join") return true;
    }
    return false;
  }

  Services& services_;
  const UserId& user_;
  std::map<RoomId, Json> told_;
  std::size_t requests_ = 0;
};

// What was asked, with how many rooms earlier pages had: the token of the next page holds it all.
struct HierarchyQuery {
  bool suggested_only = false;
  std::int64_t max_depth = most_depth;
  std::int64_t limit = page_rooms;
  std::size_t first = 0;

  std::string token(std::size_t next) const {
    return std::to_string(next) + (suggested_only ? "s" : "a") + std::to_string(max_depth);
  }
};

Result<HierarchyQuery> parse_query(const Call& call) {
  HierarchyQuery query;
  const std::string* suggested = call.query_value("suggested_only");
  query.suggested_only = suggested != nullptr && *suggested == "true";
  auto limit = query_number(call, "limit");
  if (!limit) return tl::make_unexpected(limit.error());
  if (*limit && **limit == 0) return fail(ErrorCode::invalid_param, "limit must be greater than zero");
  query.limit = std::min(limit->value_or(page_rooms), page_rooms);
  auto depth = query_number(call, "max_depth");
  if (!depth) return tl::make_unexpected(depth.error());
  query.max_depth = std::min(depth->value_or(most_depth), most_depth);
  if (const std::string* from = call.query_value("from")) {
    std::from_chars(from->data(), from->data() + from->size(), query.first);
    if (query.first == 0 || query.token(query.first) != *from)
      return fail(ErrorCode::invalid_param, "from is no token of this server, or of another query");
  }
  return query;
}

// Depth first, each room once.
class Walk {
 public:
  Walk(Summaries& summaries, const HierarchyQuery& query) : summaries_(summaries), query_(query) {}

  Result<Json> from(const RoomId& root) {
    Json rooms = Json::array();
    std::size_t shown = 0;
    bool more = false;
    push(root, {}, 0);
    while (!stack_.empty()) {
      const Step step = std::move(stack_.back());
      stack_.pop_back();
      if (seen_.size() >= walked_rooms || !seen_.insert(step.room).second) continue;
      if (static_cast<std::int64_t>(rooms.size()) >= query_.limit) {
        more = true;
        break;
      }
      auto found = summaries_.find(step.room, step.via);
      if (!found) return tl::make_unexpected(found.error());
      if (!*found && step.depth == 0) return fail(ErrorCode::forbidden, "you may not look into this room");
      if (!*found) continue;
      descend(**found, step.depth);
      if (shown++ >= query_.first) rooms.push_back(std::move((*found)->summary));
    }
    Json body = {{"rooms", std::move(rooms)}};
    if (more) body["next_batch"] = query_.token(shown);
    return body;
  }

 private:
  struct Step {
    RoomId room;
    std::vector<ServerName> via;
    std::int64_t depth;
  };

  void push(const RoomId& room, const std::vector<ServerName>& via, std::int64_t depth) {
    if (stack_.size() < waiting_rooms && !seen_.contains(room)) stack_.push_back({room, via, depth});
  }

  void descend(SpaceRoom& room, std::int64_t depth) {
    if (query_.suggested_only) std::erase_if(room.children, [](const SpaceChild& child) { return !child.suggested; });
    Json& state = room.summary["children_state"] = Json::array();
    for (const SpaceChild& child : room.children) state.push_back(*child.stripped);
    if (depth >= query_.max_depth) return;
    for (auto child = room.children.rbegin(); child != room.children.rend(); ++child)
      push(child->room, child->via, depth + 1);
  }

  Summaries& summaries_;
  const HierarchyQuery& query_;
  std::vector<Step> stack_;
  std::set<RoomId> seen_;
};

}  // namespace

void get_hierarchy(Services& services, Call call, Reply reply) {
  auto room = path_id<RoomId>(call, 0);
  if (!room) return reply.error(room.error());
  auto query = parse_query(call);
  if (!query) return reply.error(query.error());
  Summaries summaries(services, call.caller->user);
  reply.result(Walk(summaries, *query).from(*room));
}

void get_room_summary(Services& services, Call call, Reply reply) {
  std::vector<ServerName> via;
  for (const std::string& text : call.query_values("via")) {
    if (auto server = ServerName::parse(text)) via.push_back(*server);
  }
  Result<RoomId> room = fail(ErrorCode::invalid_param, "");
  if (call.parameters[0].starts_with('#')) {
    auto alias = path_id<RoomAlias>(call, 0);
    if (!alias) return reply.error(alias.error());
    auto resolved = services.membership.resolve_alias(*alias);
    if (!resolved) return reply.error({ErrorCode::not_found, "there is no such room"});
    via.insert(via.end(), resolved->servers.begin(), resolved->servers.end());
    room = resolved->room;
  } else {
    room = path_id<RoomId>(call, 0);
    if (!room) return reply.error(room.error());
  }
  auto found = Summaries(services, call.caller->user).find(*room, via);
  if (!found) return reply.error(found.error());
  if (!*found) return reply.error({ErrorCode::not_found, "there is no such room, or not for you"});
  Json summary = std::move((*found)->summary);
  auto membership = services.reader.membership(*room, call.caller->user);
  if (!membership) return reply.error(membership.error());
  if (!membership->empty()) summary["membership"] = *membership;
  reply.json(summary);
}

}  // namespace skerry::homeserver::client_api
