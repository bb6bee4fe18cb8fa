// chat, register, client, welcome.
#include <array>
#include <iostream>
#include <optional>

#include <nlohmann/json.hpp>

#include "sandbox/cli/commands.h"
#include "sandbox/people/client_api.h"
#include "sandbox/people/client_program.h"
#include "sandbox/people/passwords.h"
#include "sandbox/world/bring_up.h"
#include "sandbox/world/interrupt.h"
#include "sandbox/world/names.h"
#include "sandbox/world/web.h"

namespace skerry::sandbox {

namespace {

constexpr const char* lobby = "lobby";  // the local part of the first room's alias
constexpr const char* first_user = "alice";
constexpr const char* second_user = "bob";

Result<SandboxStatus> status_of(const Folder& folder) {
  auto controller = Controller::connect(folder);
  if (!controller) {
    return fail(ErrorCode::not_found, controller.error().text + "; `skerry up` starts one");
  }
  return controller->status();
}

// A folder's sandbox and one of its users, who speaks through skerry-client.
class ClientUser {
 public:
  ClientUser(Folder folder, SandboxStatus status, UserId user)
      : folder_(std::move(folder)), status_(std::move(status)), user_(std::move(user)) {}

  // Makes sure that there is a session: that of before, else by the password that is remembered, else by a new account.
  Result<void> sign_in() {
    if (has_session()) return {};
    Web web;
    const ClientApi nobody(web.client(), status_.server(user_.server().str()).client_url);
    const auto free = name_is_free(nobody, localpart());
    if (!free) return tl::make_unexpected(free.error());
    if (*free) {
      const std::string password = make_password();
      if (auto kept = remember_password(folder_, user_, password); !kept) return kept;
      return discard(run({"register", localpart()}, password));
    }
    const auto password = remembered_password(folder_, user_);
    if (!password) {
      return fail(ErrorCode::forbidden, user_.str() + " has an account, whose password is not known here:  skerry " +
                                            "client login " + user_.str() + "  asks for it");
    }
    return discard(run({"login", user_.str()}, *password));
  }

  // One command of the client. Errors: remote_error with its words.
  Result<std::string> run(const std::vector<std::string>& words, const std::string& password = {}) const {
    auto ran = run_client(folder_, arguments(words), password);
    if (!ran) return tl::make_unexpected(ran.error());
    if (ran->status != 0) return fail(ErrorCode::remote_error, ran->errors.substr(0, ran->errors.find('\n')));
    return ran->output;
  }

  Result<void> become(const std::vector<std::string>& words) const {
    return tl::make_unexpected(become_client(folder_, arguments(words)));
  }

  std::string localpart() const { return std::string(user_.localpart()); }
  const UserId& id() const { return user_; }

 private:
  static Result<void> discard(Result<std::string> output) {
    if (!output) return tl::make_unexpected(output.error());
    return {};
  }

  bool has_session() const {
    const auto sessions = run({"accounts", "--json"});
    return sessions && sessions->find("\"" + user_.str() + "\"") != std::string::npos;
  }

  std::vector<std::string> arguments(const std::vector<std::string>& words) const {
    std::vector<std::string> out = {"--ca-file", status_.ca_file, "--server",
                                    status_.server(user_.server().str()).client_url};
    const bool signs_in = words.size() > 0 && (words.front() == "register" || words.front() == "login");
    if (!signs_in) out.insert(out.end(), {"--account", user_.str()});
    out.insert(out.end(), words.begin(), words.end());
    return out;
  }

  Folder folder_;
  SandboxStatus status_;
  UserId user_;
};

Result<ClientUser> client_user(const Folder& folder, const SandboxStatus& status, const std::string& typed,
                               const std::string& server) {
  const auto user = parse_user(status.names(), typed, server);
  if (!user) return tl::make_unexpected(user.error());
  const ServerStatus& home = status.server(user->server().str());
  if (home.state != ServerState::running) {
    return fail(ErrorCode::unreachable, home.name + " is " + to_text(home.state));
  }
  ClientUser out(folder, status, *user);
  if (auto signed_in = out.sign_in(); !signed_in) return tl::make_unexpected(signed_in.error());
  return out;
}

// The account that the client's words name; nothing when they name none that this sandbox has the password of.
std::optional<UserId> remembered_account(const Folder& folder, const SandboxStatus& status,
                                         const std::vector<std::string>& words) {
  constexpr std::string_view option = "--account=";
  std::string typed;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if ((words[i] == "--account" || words[i] == "-a") && i + 1 < words.size()) typed = words[i + 1];
    if (words[i].starts_with(option)) typed = words[i].substr(option.size());
  }
  const auto user = parse_user(status.names(), typed);
  return user && remembered_password(folder, *user) ? std::optional(*user) : std::nullopt;
}

std::string number_word(std::size_t number) {
  constexpr std::array<const char*, 10> words = {"No",   "One", "Two",   "Three", "Four",
                                                 "Five", "Six", "Seven", "Eight", "Nine"};
  return number < words.size() ? words[number] : std::to_string(number);
}

}  // namespace

Result<void> chat_command(const Arguments& args) {
  const Folder folder = choose_folder(args.dir);
  const auto status = status_of(folder);
  if (!status) return tl::make_unexpected(status.error());
  auto user = client_user(folder, *status, args.user, args.server);
  if (!user) return tl::make_unexpected(user.error());
  std::vector<std::string> words;
  if (!args.room.empty()) {
    if (auto joined = user->run({"join", args.room}); !joined) return tl::make_unexpected(joined.error());
    words = {"--room", args.room};
  }
  return user->become(words);
}

Result<void> register_command(const Arguments& args) {
  const Folder folder = choose_folder(args.dir);
  const auto status = status_of(folder);
  if (!status) return tl::make_unexpected(status.error());
  const auto user = parse_user(status->names(), args.user, args.server);
  if (!user) return tl::make_unexpected(user.error());
  const std::string& url = status->server(user->server().str()).client_url;
  const std::string password = args.password.empty() ? make_password() : args.password;
  Web web;
  const auto made = register_account(ClientApi(web.client(), url), std::string(user->localpart()), password);
  if (!made) return tl::make_unexpected(made.error());
  if (auto kept = remember_password(folder, *user, password); !kept) return kept;
  if (args.json) {
    std::cout << dump({{"user_id", made->user_id},
                       {"access_token", made->access_token},
                       {"device_id", made->device_id},
                       {"client_url", url}})
              << "\n";
    return {};
  }
  std::cout << made->user_id << " is registered; sent: " << made->fields_sent << " - no phone, no email\n"
            << "password      " << password << "\naccess token  " << made->access_token << "\ndevice        "
            << made->device_id << "\nclient URL    " << url << "\n";
  return {};
}

Result<void> client_command(const Arguments& args) {
  const Folder folder = choose_folder(args.dir);
  auto status = status_of(folder);
  if (!status) status = last_status(folder);
  if (status) {
    // Registered here and not signed in yet: whatever fails, the client tells it better.
    if (const auto user = remembered_account(folder, *status, args.client_words)) {
      (void)client_user(folder, *status, user->str(), {});
    }
  }
  const std::vector<std::string> words = status ? client_arguments(*status, args.client_words) : args.client_words;
  return tl::make_unexpected(become_client(folder, words));
}

Result<void> welcome_command(const Arguments& args) {
  catch_interrupts();
  UpOptions options;
  options.folder = choose_folder(args.dir);
  const auto sandbox = bring_up(options);
  if (!sandbox) return tl::make_unexpected(sandbox.error());
  const auto& servers = sandbox->status.servers;
  auto alice = client_user(options.folder, sandbox->status, first_user, servers.front().name);
  if (!alice) return tl::make_unexpected(alice.error());
  const std::string alias = "#" + std::string(lobby) + ":" + servers.front().name;
  if (!alice->run({"join", alias})) {
    auto made = alice->run({"create", "--public", "--name", "Lobby", "--alias", lobby});
    if (!made) return tl::make_unexpected(made.error());
  }
  const std::string other = second_user + ("@" + servers[servers.size() > 1 ? 1 : 0].name);
  const std::string message =
      "Welcome. Open a second terminal, and be somebody on another server there:  " + args.how_called + " chat " +
      other + " --room '" + alias + "'";
  if (auto sent = alice->run({"send", alias, "--notice", "--", message}); !sent) {
    return tl::make_unexpected(sent.error());
  }
  return alice->become({"--room", alias, "--status-note",
                        number_word(servers.size()) + " servers still run. Stop them:  " + args.how_called + " down"});
}

}  // namespace skerry::sandbox
