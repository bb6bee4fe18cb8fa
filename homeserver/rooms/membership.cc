#include "homeserver/rooms/membership.h"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "homeserver/rooms/build.h"
#include "homeserver/rooms/once.h"
#include "homeserver/rooms/outside.h"

namespace skerry::homeserver {

namespace {

constexpr std::size_t servers_tried = 10;

// Of two failures the one that tells the user more: what a server said over that none was reached.
Error more_telling(const std::optional<Error>& so_far, Error next) {
  const auto says_little = [](ErrorCode code) {
    return code == ErrorCode::unreachable || code == ErrorCode::timeout || code == ErrorCode::remote_error;
  };
  if (!so_far || (says_little(so_far->code) && !says_little(next.code))) return next;
  return *so_far;
}

bool is_restriction(ErrorCode code) {
  return code == ErrorCode::unable_to_authorise_join || code == ErrorCode::unable_to_grant_join;
}

// 'The joining server MUST also verify': all but content.
Result<void> check_proposal(const Json& pdu, const UserId& user, const RoomId& room, const std::string& membership) {
  const auto is = [&pdu](std::string_view key, std::string_view value) {
    const std::string* found = find_string(pdu, key);
    return found != nullptr && *found == value;
  };
  const Json* content = find_object(pdu, "content");
  const std::string* proposed = content == nullptr ? nullptr : find_string(*content, "membership");
  const bool as_asked = is("type", "m.room.member") && is("room_id", room.str()) && is("sender", user.str()) &&
                        is("state_key", user.str()) && proposed != nullptr && *proposed == membership;
  if (!as_asked) return fail(ErrorCode::remote_error, "the other server proposed another event than was asked for");
  return {};
}

}  // namespace

// One user at a time joins a room through other servers: the next one finds this server in it.
class MembershipService::JoinTurn {
 public:
  JoinTurn(MembershipService& service, RoomId room) : service_(service), room_(std::move(room)) {
    std::unique_lock lock(service_.mutex_);
    service_.joined_.wait(lock, [this] { return !service_.being_joined_.contains(room_); });
    service_.being_joined_.insert(room_);
  }
  ~JoinTurn() {
    const std::lock_guard lock(service_.mutex_);
    service_.being_joined_.erase(room_);
    service_.joined_.notify_all();
  }
  JoinTurn(const JoinTurn&) = delete;
  JoinTurn& operator=(const JoinTurn&) = delete;

 private:
  MembershipService& service_;
  RoomId room_;
};

MembershipService::MembershipService(PipelineContext& context, RoomPipeline& pipeline, RoomReader& reader)
    : context_(context), pipeline_(pipeline), reader_(reader) {}

Result<Json> MembershipService::member_content(const UserId& about, const std::string& membership,
                                               const std::string& extra_content_json) {
  auto content = parse_content(extra_content_json.empty() ? "{}" : extra_content_json);
  if (!content) return content;
  content->erase("join_authorised_via_users_server");  // the pipeline's to set
  (*content)["membership"] = membership;
  const bool shows_profile = membership == "join" || membership == "invite" || membership == "knock";
  if (shows_profile && about.server() == context_.us) {
    const auto profile = context_.database.accounts().profile(about);
    if (profile && !profile->display_name.empty()) (*content)["displayname"] = profile->display_name;
    if (profile && !profile->avatar_url.empty()) (*content)["avatar_url"] = profile->avatar_url;
  }
  return content;
}

Result<EventId> MembershipService::submit(const UserId& sender, const UserId& target, const RoomId& room,
                                          const Json& content) {
  EventDraft draft;
  draft.room = room;
  draft.sender = sender;
  draft.type = "m.room.member";
  draft.state_key = target.str();
  draft.content_json = dump(content);
  Answer<EventId> answer;
  pipeline_.submit_local(std::move(draft), [give = answer.giver()](Result<EventId> event) { give(std::move(event)); });
  return answer.wait();
}

Result<RoomId> MembershipService::join(const UserId& user, const RoomId& room, std::vector<ServerName> via,
                                       const std::string& extra_content_json) {
  auto content = member_content(user, "join", extra_content_json);
  if (!content) return tl::make_unexpected(content.error());
  auto joined_here = join_here(user, room, *content);
  if (!joined_here || *joined_here)
    return joined_here ? Result<RoomId>(room) : tl::make_unexpected(joined_here.error());

  const JoinTurn turn(*this, room);
  std::optional<Error> error;
  joined_here = join_here(user, room, *content, &error);  // another user may have brought this server in meanwhile
  if (!joined_here || *joined_here)
    return joined_here ? Result<RoomId>(room) : tl::make_unexpected(joined_here.error());
  for (const auto& server : candidates(user, room, via)) {
    const auto joined = join_through(server, user, room, *content);
    if (joined) {
      remove_stripped_invite(user, room);
      return room;
    }
    error = more_telling(error, joined.error());
  }
  if (error) return tl::make_unexpected(*error);
  return fail(ErrorCode::not_found, "this server knows neither the room nor a server in it");
}

// True when this server is in the room and let the user join; false when another server has to be asked.
Result<bool> MembershipService::join_here(const UserId& user, const RoomId& room, const Json& content,
                                          std::optional<Error>* why_not) {
  const auto here = reader_.server_in_room(room, context_.us);
  if (!here) return tl::make_unexpected(here.error());
  if (!*here) return false;
  const auto event = submit(user, user, room, content);
  if (event) {
    remove_stripped_invite(user, room);
    return true;
  }
  // Under restricted rules another server may know more rooms, or have somebody who may invite.
  if (!is_restriction(event.error().code)) return tl::make_unexpected(event.error());
  if (why_not != nullptr) *why_not = event.error();
  return false;
}

// Servers that may know the room: those named, the one that invited or took the knock, those in it, and, as a last
// resort, the room id's.
std::vector<ServerName> MembershipService::candidates(const UserId& user, const RoomId& room,
                                                      const std::vector<ServerName>& via) {
  std::vector<ServerName> found;
  const auto add = [&](const ServerName& server) {
    if (server == context_.us || server.empty() || found.size() >= servers_tried) return;
    if (std::find(found.begin(), found.end(), server) == found.end()) found.push_back(server);
  };
  for (const auto& server : via) add(server);
  if (const auto invite = stripped_invite(context_.database.rooms(), user, room)) {
    add(invite->via);
    const auto event = parse_stored(invite->event_json);
    const std::string* sender = event && event->is_object() ? find_string(*event, "sender") : nullptr;
    if (sender != nullptr) {
      if (const auto inviter = UserId::parse(*sender)) add(inviter->server());
    }
  }
  if (const auto servers = context_.database.rooms().joined_servers(room)) {
    for (const auto& server : *servers) add(server);
  }
  if (const auto colon = room.str().find(':'); colon != std::string::npos) {
    if (const auto server = ServerName::parse(room.str().substr(colon + 1))) add(*server);
  }
  return found;
}

Result<MembershipService::Proposed> MembershipService::propose(const ServerName& server, const UserId& user,
                                                               const RoomId& room, const Json& content) {
  const std::string membership = *find_string(content, "membership");
  std::vector<std::string> versions;
  for (const RoomRules* known : all_room_rules()) versions.emplace_back(known->version);
  const auto proposal = context_.remote.make_membership(server, room, user, membership, versions);
  if (!proposal) return tl::make_unexpected(proposal.error());
  Proposed proposed;
  proposed.version = proposal->room_version;
  proposed.rules = find_room_rules(proposed.version);
  if (proposed.rules == nullptr) {
    return fail(ErrorCode::incompatible_room_version, "room version " + proposed.version + " is not known here");
  }
  proposed.pdu = std::make_shared<Json>(*proposal->event);
  Json& pdu = *proposed.pdu;
  if (auto checked = check_proposal(pdu, user, room, membership); !checked) {
    return tl::make_unexpected(checked.error());
  }
  Json ours = content;
  const std::string* voucher = find_string(*find_object(pdu, "content"), "join_authorised_via_users_server");
  if (voucher != nullptr && membership == "join") ours["join_authorised_via_users_server"] = *voucher;
  pdu["content"] = std::move(ours);
  pdu["origin_server_ts"] = context_.clock.now_ms();
  for (const auto* other : {"origin", "event_id", "hashes", "signatures", "unsigned"}) pdu.erase(other);
  name_event(context_, *proposed.rules, pdu);
  if (auto is_signed = hash_and_sign_event(*proposed.rules, pdu, context_.us, context_.key); !is_signed) {
    return tl::make_unexpected(is_signed.error());
  }
  if (auto well_formed = check_format(*proposed.rules, pdu); !well_formed) {
    return fail(ErrorCode::remote_error, "the other server proposed a malformed event: " + well_formed.error().text);
  }
  auto id = event_id_of(*proposed.rules, pdu);
  if (!id) return tl::make_unexpected(id.error());
  proposed.id = std::move(*id);
  return proposed;
}

Result<void> MembershipService::join_through(const ServerName& server, const UserId& user, const RoomId& room,
                                             const Json& content) {
  const auto holding = pipeline_.joining(room);
  const auto proposed = propose(server, user, room, content);
  if (!proposed) return tl::make_unexpected(proposed.error());
  auto joined = context_.remote.send_join(server, room, proposed->id, *proposed->pdu);
  if (!joined) return tl::make_unexpected(joined.error());
  RemoteRoom remote;
  remote.version = proposed->version;
  remote.state_pdus = std::move(joined->state);
  remote.auth_chain_pdus = std::move(joined->auth_chain);
  remote.join_pdu = proposed->pdu;
  if (joined->event) {  // the same event, with the resident server's signature
    const auto id = event_id_of(*proposed->rules, *joined->event);
    if (id && *id == proposed->id) remote.join_pdu = joined->event;
  }
  remote.via = {server};
  for (auto& other : joined->servers_in_room) {
    if (remote.via.size() >= servers_tried) break;
    if (other != server && other != context_.us) remote.via.push_back(std::move(other));
  }
  Answer<EventId> answer;
  pipeline_.install_room(std::move(remote), [give = answer.giver()](Result<EventId> event) { give(std::move(event)); });
  const auto installed = answer.wait();
  if (!installed) return tl::make_unexpected(installed.error());
  return {};
}

Result<RoomId> MembershipService::knock(const UserId& user, const RoomId& room, const std::vector<ServerName>& via,
                                        const std::string& extra_content_json) {
  auto content = member_content(user, "knock", extra_content_json);
  if (!content) return tl::make_unexpected(content.error());
  const auto here = reader_.server_in_room(room, context_.us);
  if (!here) return tl::make_unexpected(here.error());
  if (*here) {
    const auto event = submit(user, user, room, *content);
    if (!event) return tl::make_unexpected(event.error());
    return room;
  }
  std::optional<Error> error;
  for (const auto& server : candidates(user, room, via)) {
    const auto knocked = knock_through(server, user, room, *content);
    if (knocked) return room;
    error = more_telling(error, knocked.error());
  }
  if (error) return tl::make_unexpected(*error);
  return fail(ErrorCode::not_found, "this server knows neither the room nor a server in it");
}

// 'Knocking upon a room'. Until it is answered, the user's clients know of the room what the other server told.
Result<void> MembershipService::knock_through(const ServerName& server, const UserId& user, const RoomId& room,
                                              const Json& content) {
  const auto proposed = propose(server, user, room, content);
  if (!proposed) return tl::make_unexpected(proposed.error());
  auto state = context_.remote.send_knock(server, room, proposed->id, *proposed->pdu);
  if (!state) return tl::make_unexpected(state.error());
  Json known = stripped_state_of(context_.remote, *proposed->rules, room, std::move(*state), server);
  known.push_back(*stripped(*proposed->pdu));
  storage::StrippedInvite knock;
  knock.room = room;
  knock.user = user;
  knock.room_version = proposed->version;
  knock.membership = "knock";
  knock.event_json = dump(*proposed->pdu);
  knock.stripped_state_json = dump(known);
  knock.via = server;
  const auto position = context_.database.rooms().save_stripped_invite(std::move(knock));
  if (!position) return tl::make_unexpected(position.error());
  context_.notify(*position, {user}, room);
  return {};
}

Result<void> MembershipService::leave(const UserId& user, const RoomId& room, const std::string& extra_content_json) {
  auto content = member_content(user, "leave", extra_content_json);
  if (!content) return tl::make_unexpected(content.error());
  const auto here = reader_.server_in_room(room, context_.us);
  if (!here) return tl::make_unexpected(here.error());
  if (*here) {
    const auto event = submit(user, user, room, *content);
    if (!event) return tl::make_unexpected(event.error());
    remove_stripped_invite(user, room);
    return {};
  }
  if (!stripped_invite(context_.database.rooms(), user, room))
    return fail(ErrorCode::forbidden, "the user is not in the room, nor invited, nor knocking");
  for (const auto& server : candidates(user, room, {})) {
    if (leave_through(server, user, room, *content)) break;
  }
  // Whether or not anybody was reached: the invite, or knock, is gone for its user.
  remove_stripped_invite(user, room);
  return {};
}

Result<void> MembershipService::leave_through(const ServerName& server, const UserId& user, const RoomId& room,
                                              const Json& content) {
  const auto proposed = propose(server, user, room, content);
  if (!proposed) return tl::make_unexpected(proposed.error());
  return context_.remote.send_leave(server, room, proposed->id, *proposed->pdu);
}

Result<void> MembershipService::invite(const UserId& sender, const UserId& target, const RoomId& room,
                                       const std::string& extra_content_json) {
  auto content = member_content(target, "invite", extra_content_json);
  if (!content) return tl::make_unexpected(content.error());
  if (target.server() != context_.us) return invite_through(sender, target, room, *content);
  const auto event = submit(sender, target, room, *content);
  if (!event) return tl::make_unexpected(event.error());
  return {};
}

// 'Inviting to a room': the invited user's server signs our event before anybody else sees it.
Result<void> MembershipService::invite_through(const UserId& sender, const UserId& target, const RoomId& room,
                                               const Json& content) {
  EventDraft draft;
  draft.room = room;
  draft.sender = sender;
  draft.type = "m.room.member";
  draft.state_key = target.str();
  draft.content_json = dump(content);
  Answer<EventTemplate> made;
  pipeline_.make_template(std::move(draft),
                          [give = made.giver()](Result<EventTemplate> event) { give(std::move(event)); });
  const auto made_template = made.wait();
  if (!made_template) return tl::make_unexpected(made_template.error());
  const RoomRules* rules = find_room_rules(made_template->room_version);
  Json pdu = *made_template->pdu;
  name_event(context_, *rules, pdu);
  if (auto is_signed = hash_and_sign_event(*rules, pdu, context_.us, context_.key); !is_signed) return is_signed;
  const auto id = event_id_of(*rules, pdu);
  if (!id) return tl::make_unexpected(id.error());
  const auto stripped = reader_.stripped_state(room, true);
  if (!stripped) return tl::make_unexpected(stripped.error());
  auto answer = context_.remote.invite(target.server(), room, *id, made_template->room_version, pdu, *stripped);
  if (!answer) return tl::make_unexpected(answer.error());
  // Of the answer only the other server's signature is taken.
  const Json* signatures = answer->is_object() ? find_object(*answer, "signatures") : nullptr;
  const Json* theirs = signatures == nullptr ? nullptr : find_object(*signatures, target.server().str());
  if (theirs == nullptr) return fail(ErrorCode::remote_error, "the invited user's server did not sign the invite");
  pdu["signatures"][target.server().str()] = *theirs;
  Answer<EventId> committed;
  pipeline_.submit_countersigned(std::move(pdu),
                                 [give = committed.giver()](Result<EventId> event) { give(std::move(event)); });
  const auto event = committed.wait();
  if (!event) return tl::make_unexpected(event.error());
  return {};
}

void MembershipService::remove_stripped_invite(const UserId& user, const RoomId& room) {
  if (!stripped_invite(context_.database.rooms(), user, room)) return;
  const auto position = context_.database.rooms().remove_stripped_invite(room, user);
  if (position) context_.notify(*position, {user}, room);
}

Result<MembershipService::Resolved> MembershipService::resolve_alias(const RoomAlias& alias) {
  if (alias.server() != context_.us) {
    auto found = context_.remote.directory(alias);
    if (!found) return tl::make_unexpected(found.error());
    return Resolved{std::move(found->room), std::move(found->servers)};
  }
  const auto room = context_.database.rooms().resolve_alias(alias);
  if (!room) return tl::make_unexpected(room.error());
  if (!room->has_value()) return fail(ErrorCode::not_found, "there is no such alias");
  auto servers = context_.database.rooms().joined_servers(**room);
  if (!servers) return tl::make_unexpected(servers.error());
  return Resolved{**room, std::move(*servers)};
}

}  // namespace skerry::homeserver
