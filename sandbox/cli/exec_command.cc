// exec.
#include <algorithm>
#include <chrono>
#include <iostream>
#include <thread>

#include <nlohmann/json.hpp>

#include "sandbox/cli/commands.h"
#include "sandbox/people/client_api.h"
#include "sandbox/people/environment.h"
#include "sandbox/people/passwords.h"
#include "sandbox/world/appservices.h"
#include "sandbox/world/foreground.h"
#include "sandbox/world/interrupt.h"
#include "sandbox/world/names.h"
#include "sandbox/world/own_sandbox.h"

namespace skerry::sandbox {

namespace {

constexpr int failed_status = 125;  // as of env and timeout: ours, not the program's
constexpr int usage_status = 2;
constexpr const char* room_alias = "room";
constexpr std::chrono::seconds room_time{30};
constexpr std::chrono::milliseconds room_step{5};

int complain(const std::string& text, int status) {
  std::cerr << "skerry: " << text << "\n";
  return status;
}

// The users as they were typed, and how many servers they need.
struct Cast {
  std::size_t servers = 1;
  std::vector<UserId> users;
};

Result<Cast> read_cast(const Arguments& args) {
  Cast cast;
  const auto known = server_names(args.servers.value_or(max_servers));
  for (const std::string& typed : args.users) {
    const bool placed = typed.find(typed.starts_with('@') ? ':' : '@') != std::string::npos;
    auto user = parse_user(known, typed, placed ? "" : known.front());
    if (!user) return tl::make_unexpected(user.error());
    const auto home = std::find(known.begin(), known.end(), user->server().str());
    cast.servers = std::max(cast.servers, static_cast<std::size_t>(home - known.begin()) + 1);
    cast.users.push_back(std::move(*user));
  }
  for (const std::string& typed : args.appservices) {
    auto given = parse_appservice(known, typed);
    if (!given) return tl::make_unexpected(given.error());
    const auto home = std::find(known.begin(), known.end(), given->server);
    cast.servers = std::max(cast.servers, static_cast<std::size_t>(home - known.begin()) + 1);
  }
  cast.servers = args.servers.value_or(cast.servers);
  if (args.with_room && cast.users.empty()) {
    return fail(ErrorCode::invalid_param, "a room needs somebody to make it: --users alice");
  }
  auto prefixes = user_prefixes(server_names(cast.servers), cast.users);
  if (!prefixes) return tl::make_unexpected(prefixes.error());
  return cast;
}

ClientApi api_of(OwnSandbox& sandbox, const Account& account) {
  return ClientApi(sandbox.web().client(), sandbox.url(account.user.server().str()), account.access_token);
}

Result<std::vector<Account>> register_users(OwnSandbox& sandbox, const std::vector<UserId>& users) {
  std::vector<Account> accounts;
  for (const UserId& user : users) {
    if (interrupted()) return fail(ErrorCode::cancelled, "interrupted");
    const std::string password = make_password();
    const ClientApi nobody(sandbox.web().client(), sandbox.url(user.server().str()));
    const auto made = register_account(nobody, std::string(user.localpart()), password);
    if (!made) return tl::make_unexpected(made.error());
    if (auto kept = remember_password(sandbox.folder(), user, password); !kept) {
      return tl::make_unexpected(kept.error());
    }
    accounts.push_back({user, made->access_token, made->device_id, password});
  }
  return accounts;
}

// Waits until this account's server knows of so many members.
Result<void> wait_for_members(const ClientApi& api, const std::string& room_id, std::size_t members) {
  const auto deadline = std::chrono::steady_clock::now() + room_time;
  while (true) {
    const auto answer = api.get("/rooms/" + net::percent_encode(room_id) + "/joined_members");
    if (!answer) return tl::make_unexpected(answer.error());
    const Json* joined = find_object(*answer, "joined");
    if (joined != nullptr && joined->size() == members) return {};
    if (interrupted()) return fail(ErrorCode::cancelled, "interrupted");
    if (std::chrono::steady_clock::now() > deadline) {
      return fail(ErrorCode::timeout, "not everybody sees everybody in the room");
    }
    std::this_thread::sleep_for(room_step);
  }
}

// A public room of the first one's, with everybody in it: each server knows so.
Result<CommonRoom> make_common_room(OwnSandbox& sandbox, const std::vector<Account>& accounts) {
  const Account& first = accounts.front();
  const auto made =
      api_of(sandbox, first)
          .post(
              "/createRoom",
              {{"preset", "public_chat"}, {"visibility", "public"}, {"name", "Room"}, {"room_alias_name", room_alias}});
  if (!made) return tl::make_unexpected(made.error());
  const std::string* id = find_string(*made, "room_id");
  if (id == nullptr) return fail(ErrorCode::remote_error, "a room without an id was made");
  CommonRoom room{*id, "#" + std::string(room_alias) + ":" + first.user.server().str()};
  for (const Account& account : accounts) {
    if (interrupted()) return fail(ErrorCode::cancelled, "interrupted");
    if (account.user == first.user) continue;
    const auto joined = api_of(sandbox, account).post("/join/" + net::percent_encode(room.alias), Json::object());
    if (!joined) return tl::make_unexpected(joined.error());
  }
  for (const Account& account : accounts) {
    auto seen = wait_for_members(api_of(sandbox, account), room.id, accounts.size());
    if (!seen) return tl::make_unexpected(seen.error());
  }
  return room;
}

// All that the program finds in its environment.
Result<Variables> furnish(OwnSandbox& sandbox, const std::vector<UserId>& users, bool with_room) {
  const auto accounts = register_users(sandbox, users);
  if (!accounts) return tl::make_unexpected(accounts.error());
  const auto room = with_room ? make_common_room(sandbox, *accounts) : CommonRoom();
  if (!room) return tl::make_unexpected(room.error());
  auto variables = trust_variables(sandbox.status(), sandbox.folder());
  if (variables) variables->merge(sandbox_variables(sandbox.status(), sandbox.folder(), *accounts, *room));
  return variables;
}

int give_up(const Error& error) {
  if (const int signal = interrupted_by(); signal != 0) return signal_status + signal;
  return complain(error.text, failed_status);
}

}  // namespace

int exec_command(const Arguments& args) {
  const Inheritance inheritance;
  catch_interrupts();
  const auto cast = read_cast(args);
  if (!cast) return complain(cast.error().text, usage_status);
  const std::string& program = args.foreign_words.front();
  if (const int status = missing_program(program); status != 0) {
    return complain(program + ": there is no such program, or it cannot be run", status);
  }
  ServerTraits traits;
  traits.cheap_passwords = true;  // nobody is going to guess them
  traits.real_limits = args.limits == "real";
  const auto sandbox = OwnSandbox::start(cast->servers, traits, args.appservices);
  if (!sandbox) return give_up(sandbox.error());
  const auto variables = furnish(**sandbox, cast->users, args.with_room);
  if (!variables) return give_up(variables.error());
  if (args.keep) {
    if (auto kept = (*sandbox)->keep(); !kept) return give_up(kept.error());
  }
  if (interrupted()) return signal_status + interrupted_by();
  const auto status = run_in_foreground(args.foreign_words, *variables, inheritance);
  if (args.keep) {
    const std::string& folder = (*sandbox)->folder().path;
    std::cerr << "skerry: the network is still up in " << folder << "; see it with  skerry status --dir " << folder
              << "  and end it with  skerry reset --dir " << folder << "\n";
  }
  return status ? *status : complain(status.error().text, failed_status);
}

}  // namespace skerry::sandbox
