// rooms, create, join, knock, invite, leave, members.
#include <algorithm>

#include <nlohmann/json.hpp>

#include "client/cli/command.h"
#include "client/sdk/api.h"
#include "client/sdk/room.h"

namespace skerry::client {
namespace {

void show_room(const Environment& env, const Room& room, const std::string& membership) {
  const bool invited = membership == "invite";
  Json line = {{"room_id", room.id()},  {"name", room.name().str()},     {"membership", membership},
               {"unread", room.unread}, {"highlights", room.highlights}, {"topic", room.topic().str()}};
  if (const RoomEvent* alias = room.state_event("m.room.canonical_alias")) line["alias"] = alias->text("alias");
  if (membership == "join") line["joined_members"] = room.joined_count();
  if (invited) line["invited_by"] = room.inviter();
  env.print(line);
  SafeText text = SafeText(room.id()) + "  " + room.name();
  if (room.unread > 0) text += "  (" + std::to_string(room.unread) + " unread)";
  if (invited) text += SafeText("  (invited by ") + SafeText(room.inviter()) + ")";
  if (membership == "knock") text += "  (you knocked, and wait for an answer)";
  env.say(text);
}

template <class Updates>
void show_rooms(const Environment& env, const std::string& own_user_id, const Updates& updates,
                const std::string& membership) {
  for (const auto& update : updates) {
    Room room(update.room_id, own_user_id);
    room.apply(update);
    show_room(env, room, membership);
  }
}

std::vector<std::string> user_ids(const std::vector<std::string>& typed) {
  std::vector<std::string> out;
  for (const std::string& user : typed) out.push_back(to_user_id(user));
  return out;
}

// '#lobby:example.org' and 'lobby' alike.
std::string alias_localpart(const std::string& typed) {
  const std::string name = typed.starts_with('#') ? typed.substr(1) : typed;
  return name.substr(0, name.find(':'));
}

}  // namespace

Done rooms_command(const Environment& env) {
  auto account = env.account();
  if (!account) return sorry(account.error());
  api::SyncRequest request;
  request.timeline_limit = 1;
  auto answer = account->session->call(api::sync(request));
  if (!answer) return sorry("Your rooms could not be listed", answer.error());
  show_rooms(env, account->stored.user_id, answer->invited, "invite");
  show_rooms(env, account->stored.user_id, answer->knocked, "knock");
  show_rooms(env, account->stored.user_id, answer->joined, "join");
  return {};
}

Done create_command(const Environment& env) {
  auto account = env.account();
  if (!account) return sorry(account.error());
  api::CreateRoom room;
  room.name = env.args.name;
  room.topic = env.args.topic;
  room.alias_localpart = alias_localpart(env.args.alias);
  room.invite = user_ids(env.args.invite);
  room.is_public = env.args.is_public;
  auto id = account->session->call(api::create_room(room));
  if (!id) return sorry("The room could not be created", id.error());
  env.print({{"room_id", *id}});
  env.say(*id);
  return {};
}

Done join_command(const Environment& env) {
  auto account = env.account();
  if (!account) return sorry(account.error());
  std::string room = env.args.room;
  const bool alias = room.starts_with('#') && room.find(':') != std::string::npos;
  if (!room.starts_with('!') && !alias) {
    auto found = find_room(*account->session, room);
    if (!found) return sorry(found.error());
    room = *found;
  }
  auto id = account->session->call(api::join(room, env.args.via));
  if (!id) return sorry(SafeText("Joining ") + room + " failed", id.error());
  env.print({{"room_id", *id}});
  env.say(SafeText("Joined ") + *id);
  return {};
}

Done knock_command(const Environment& env) {
  auto account = env.account();
  if (!account) return sorry(account.error());
  const std::string& room = env.args.room;
  auto id = account->session->call(api::knock(room, env.args.via, env.args.reason));
  if (!id) return sorry(SafeText("Knocking on ") + room + " failed", id.error());
  env.print({{"room_id", *id}});
  env.say(SafeText("Knocked on ") + *id + "; 'rooms' shows when you are invited");
  return {};
}

Done invite_command(const Environment& env) {
  auto account = env.account();
  if (!account) return sorry(account.error());
  auto room = find_room(*account->session, env.args.room);
  if (!room) return sorry(room.error());
  const std::string user = to_user_id(env.args.user);
  auto done = account->session->call(api::invite(*room, user));
  if (!done) return sorry(SafeText("Inviting ") + user + " failed", done.error());
  env.print({{"room_id", *room}, {"user_id", user}});
  env.say(SafeText(user) + " is invited");
  return {};
}

Done leave_command(const Environment& env) {
  auto account = env.account();
  if (!account) return sorry(account.error());
  auto room = find_room(*account->session, env.args.room);
  if (!room) return sorry(room.error());
  auto done = account->session->call(api::leave(*room));
  if (!done) return sorry("Leaving failed", done.error());
  env.print({{"room_id", *room}});
  env.say(SafeText("Left ") + *room);
  return {};
}

Done members_command(const Environment& env) {
  auto account = env.account();
  if (!account) return sorry(account.error());
  auto id = find_room(*account->session, env.args.room);
  if (!id) return sorry(id.error());
  auto members = account->session->call(api::members(*id, true));
  if (!members) return sorry("The members could not be listed", members.error());
  Room room(*id, account->stored.user_id);
  for (const RoomEvent& event : *members) room.set_state(event);
  for (const std::string& user : room.known_members()) {
    const std::string membership = room.membership_of(user);
    const std::string name = room.state_event("m.room.member", user)->text("displayname");
    env.print({{"user_id", user}, {"display_name", name}, {"membership", membership}});
    SafeText text(user);
    if (!name.empty()) text += SafeText("  ") + SafeText(name);
    if (membership != "join") text += "  (invited)";
    env.say(text);
  }
  return {};
}

}  // namespace skerry::client
