#include "client/cli/command.h"

#include <functional>
#include <map>

#include <nlohmann/json.hpp>

#include "client/sdk/api.h"
#include "client/sdk/chat.h"
#include "client/sdk/discovery.h"
#include "client/sdk/http_transport.h"
#include "client/sdk/room.h"

namespace skerry::client {
namespace {

using Command = Done (*)(const Environment&);

const std::map<std::string, Command>& commands() {
  static const std::map<std::string, Command> table = {
      {"register", register_command}, {"login", login_command},       {"logout", logout_command},
      {"whoami", whoami_command},     {"accounts", accounts_command}, {"rooms", rooms_command},
      {"create", create_command},     {"join", join_command},         {"invite", invite_command},
      {"leave", leave_command},       {"members", members_command},   {"send", send_command},
      {"read", read_command},         {"tail", tail_command},         {"knock", knock_command}};
  return table;
}

}  // namespace

tl::unexpected<SafeText> sorry(const SafeText& what, const ApiError& error) {
  return tl::make_unexpected(what + ": " + explain(error));
}

void Environment::say(const SafeText& line) const {
  if (!args.json) out << line.str() << '\n' << std::flush;
}

void Environment::print(const Json& object) const {
  // Escaped beyond ASCII: exact for programs, and harmless on a terminal.
  if (args.json) out << object.dump(-1, ' ', true, Json::error_handler_t::replace) << '\n' << std::flush;
}

Outcome<Account> Environment::account() const {
  auto sessions = store.sessions();
  if (!sessions) return sorry(sessions.error().text);
  auto stored = pick_session(*sessions, to_user_id(args.account));
  if (!stored) return sorry(stored.error().text);
  if (!args.server.empty()) {
    auto url = discover_homeserver(io, args.server, args.ca_files);
    if (!url) return sorry(url.error().text);
    stored->homeserver = *url;
  }
  stored->ca_files.insert(stored->ca_files.end(), args.ca_files.begin(), args.ca_files.end());
  auto transport = HttpTransport::make(io, stored->homeserver, stored->ca_files);
  if (!transport) return sorry(stored->homeserver + ": " + transport.error().text);
  Account found{std::move(*stored), std::move(*transport), nullptr};
  found.session = std::make_unique<Session>(*found.transport, found.stored.user_id, found.stored.access_token);
  return found;
}

std::string to_user_id(const std::string& typed) {
  const auto at = typed.find('@');
  if (at == std::string::npos || at == 0) return typed;
  return "@" + typed.substr(0, at) + ":" + typed.substr(at + 1);
}

namespace {

// The ids of one's rooms and invitations that `fits` takes.
Outcome<std::vector<std::string>> own_rooms(Session& session, const std::function<bool(const Room&)>& fits) {
  api::SyncRequest request;
  request.timeline_limit = 1;
  auto answer = session.call(api::sync(request));
  if (!answer) return sorry("Your rooms could not be listed", answer.error());
  std::vector<std::string> found;
  const auto look = [&](const auto& update) {
    Room candidate(update.room_id, session.user_id());
    candidate.apply(update);
    if (fits(candidate)) found.push_back(update.room_id);
  };
  for (const auto& update : answer->joined) look(update);
  for (const auto& update : answer->invited) look(update);
  return found;
}

// The server that an alias names may be away: a room that one is in is known all the same.
Outcome<std::string> find_by_alias(Session& session, const std::string& alias) {
  auto id = session.call(api::resolve_alias(alias));
  if (id) return *id;
  const auto own = own_rooms(session, [&alias](const Room& room) {
    const RoomEvent* address = room.state_event("m.room.canonical_alias");
    return address != nullptr && address->text("alias") == alias;
  });
  if (own && own->size() == 1) return own->front();
  return sorry(SafeText("No room was found at ") + alias, id.error());
}

}  // namespace

Outcome<std::string> find_room(Session& session, const std::string& room) {
  if (room.starts_with('!')) return room;
  if (room.starts_with('#') && room.find(':') != std::string::npos) return find_by_alias(session, room);
  const auto found = own_rooms(session, [&room](const Room& own) { return own.name() == SafeText(room); });
  if (!found) return tl::make_unexpected(found.error());
  if (found->empty()) return sorry(SafeText("You have no room named '") + room + "' ('rooms' lists them)");
  if (found->size() > 1) {
    SafeText text = SafeText("Several rooms are named '") + room + "':";
    for (const std::string& id : *found) text += SafeText(" ") + SafeText(id);
    return sorry(text);
  }
  return found->front();
}

int run_command(const Arguments& args, net::Io& io, std::ostream& out, std::ostream& err) {
  const auto complain = [&err](const SafeText& text) {
    err << "skerry-client: " << text.str() << std::endl;
    return 1;
  };
  auto store = ClientStore::open(args.state_dir);
  if (!store) return complain(store.error().text);
  const auto command = commands().find(args.command);
  if (command == commands().end()) return complain(SafeText("no command ") + args.command);
  const Done done = command->second(Environment{args, io, *store, out});
  if (!done) return complain(done.error());
  if (!out.flush()) return complain("what was to be said could not be written");
  return 0;
}

}  // namespace skerry::client
