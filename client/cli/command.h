// What the commands share: where they print, whose session they use, how they fail.
#pragma once

#include <memory>
#include <ostream>
#include <string>

#include <tl/expected.hpp>

#include "client/cli/arguments.h"
#include "client/sdk/call.h"
#include "client/sdk/session.h"
#include "client/sdk/transport.h"
#include "client/store/client_store.h"
#include "client/text/safe_text.h"
#include "net/io.h"

namespace skerry::client {

// A command's result; the error is its one line on stderr.
template <class T>
using Outcome = tl::expected<T, SafeText>;
using Done = Outcome<void>;

inline tl::unexpected<SafeText> sorry(SafeText text) { return tl::make_unexpected(std::move(text)); }
// "Sending failed: You are not in the room (M_FORBIDDEN)"
tl::unexpected<SafeText> sorry(const SafeText& what, const ApiError& error);

// A session as a command uses it.
struct Account {
  StoredSession stored;
  std::unique_ptr<Transport> transport;
  std::unique_ptr<Session> session;
};

// The surroundings of one command.
struct Environment {
  const Arguments& args;
  net::Io& io;
  ClientStore& store;
  std::ostream& out;

  // A line for people; nothing with --json.
  void say(const SafeText& line) const;
  // A line for programs, in ASCII; nothing without --json.
  void print(const Json& object) const;
  // The session named by --account, with --server's URL where that is given.
  Outcome<Account> account() const;
};

// Names are looked up: aliases by the directory, anything else among the names of own rooms and invitations.
Outcome<std::string> find_room(Session& session, const std::string& room);

// "alice@example.org" as "@alice:example.org"; all else unchanged.
std::string to_user_id(const std::string& typed);

// cli/account_commands.cc
Done register_command(const Environment& env);
Done login_command(const Environment& env);
Done logout_command(const Environment& env);
Done whoami_command(const Environment& env);
Done accounts_command(const Environment& env);
// cli/room_commands.cc
Done rooms_command(const Environment& env);
Done create_command(const Environment& env);
Done join_command(const Environment& env);
Done knock_command(const Environment& env);
Done invite_command(const Environment& env);
Done leave_command(const Environment& env);
Done members_command(const Environment& env);
// cli/message_commands.cc
Done send_command(const Environment& env);
Done read_command(const Environment& env);
Done tail_command(const Environment& env);

// Runs `args.command`. The exit status; a failure is one line on `err`.
int run_command(const Arguments& args, net::Io& io, std::ostream& out, std::ostream& err);

}  // namespace skerry::client
