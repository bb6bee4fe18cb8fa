#include "client/cli/arguments.h"

#include <algorithm>

#include <CLI/CLI.hpp>

#include "client/store/paths.h"

namespace skerry::client {
namespace {

constexpr const char* about =
    "Matrix in a terminal. Without a command: the chat screen. With one: a single step, for scripts.\n"
    "Text of others is cleaned of everything that could act on the terminal.\n";

constexpr const char* footer =
    "\nFiles: sessions and what was seen last are in client.db below $XDG_STATE_HOME/skerry-client, readable by you "
    "alone;\n"
    "options that you want always may stand in config.toml below $XDG_CONFIG_HOME/skerry-client, as in: server = "
    "\"example.org\".\n"
    "$SKERRY_CLIENT_HOME names one folder for both.\n"
    "Exit status: 0 done; 1 failed, with one line on stderr; 2 wrong usage, or no terminal.\n";

class Parser {
 public:
  explicit Parser(Arguments& arguments) : args_(arguments), app_(about, "skerry-client") {
    app_.footer(footer);
    app_.set_version_flag("--version", std::string("skerry-client " SKERRY_VERSION));
    app_.require_subcommand(0, 1);
    app_.set_help_flag("-h,--help", "Show this help");
    add_global_options();
    add_account_commands();
    add_room_commands();
    add_message_commands();
  }

  std::optional<int> run(int argc, const char* const* argv, std::ostream& out, std::ostream& err) {
    try {
      app_.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
      if (error.get_exit_code() == static_cast<int>(CLI::ExitCodes::Success)) return app_.exit(error, out, err);
      err << "skerry-client: " << error.what() << " (see --help)\n";
      return 2;
    }
    for (const CLI::App* sub : app_.get_subcommands()) args_.command = sub->get_name();
    return std::nullopt;
  }

 private:
  void add_global_options() {
    const Paths paths = default_paths();
    args_.state_dir = paths.state_dir;
    app_.add_option("-s,--server", args_.server,
                    "Homeserver: its URL, or a server name to be found by /.well-known/matrix/client");
    app_.add_option("-a,--account", args_.account,
                    "Which stored session, as @user:server or user; the last signed in without it");
    app_.add_option("--ca-file", args_.ca_files, "PEM file of an authority to trust as well; may be repeated")
        ->allow_extra_args(false)
        ->check(CLI::ExistingFile);
    app_.add_option("--state-dir", args_.state_dir, "Folder of client.db")->capture_default_str();
    app_.set_config("--config", paths.config_dir + "/config.toml", "File with options");
    app_.add_flag("--json", args_.json, "Print JSON, one object a line, in ASCII");
    app_.add_option("--room", args_.room, "Chat screen: the room to open");
    app_.add_option("--status-note", args_.status_note, "Chat screen: a text to print after quitting");
  }

  CLI::App* command(const char* name, const char* text) {
    CLI::App* out = app_.add_subcommand(name, text);
    out->fallthrough();  // global options may follow the command
    out->footer("\nOptions for every command, such as --server, --account and --json: see 'skerry-client --help'.\n");
    return out;
  }

  void add_password_options(CLI::App* sub) {
    auto* group = sub->add_option_group("Password", "Asked without echo where none of these is given");
    group->add_option("--password-file", args_.password_file, "Read it from the first line of a file")
        ->check(CLI::ExistingFile);
    group->add_flag("--password-stdin", args_.password_stdin, "Read it from the first line of stdin");
    group->add_option(
        "--password", args_.password,
        "Here, where everyone on this machine can see it: for sandboxes; $SKERRY_PASSWORD is less visible");
    group->require_option(0, 1);
  }

  void add_account_commands() {
    auto* registration = command("register", "Make an account: a user name and a password, nothing else");
    registration->add_option("user", args_.user, "The name, as in alice; asked for when missing");
    registration->add_option("--token", args_.token, "Registration token, for servers that ask for one");
    add_password_options(registration);

    auto* login = command("login", "Sign in and store the session");
    login->add_option("user", args_.user, "@user:server, or a name with --server; asked for when missing");
    add_password_options(login);

    auto* logout = command("logout", "End the session, on the server and here");
    logout->add_flag("--forget", args_.forget, "Only here, without asking the server");
    command("whoami", "Show whose session it is, as the server says");
    command("accounts", "List the stored sessions");
  }

  void add_room_option(CLI::App* sub, const char* text = "!room:id, #alias:server or the room's name") {
    sub->add_option("room", args_.room, text)->required();
  }

  void add_room_commands() {
    command("rooms", "List rooms, invitations and knocks, with unread counts");

    auto* create = command("create", "Make a room; prints its id");
    create->add_option("--name", args_.name, "Its name");
    create->add_option("--topic", args_.topic, "Its topic");
    create->add_option("--alias", args_.alias, "Local part of its address: lobby for #lobby:server");
    create->add_option("--invite", args_.invite, "Whom to invite; may be repeated")->allow_extra_args(false);
    create->add_flag("--public", args_.is_public, "Everyone may join, and the room is listed");

    auto* join = command("join", "Join a room, or accept an invitation");
    add_room_option(join, "!room:id or #alias:server, or the name of a room you are invited to");
    join->add_option("--via", args_.via, "Server that is in the room; may be repeated")->allow_extra_args(false);

    auto* knock = command("knock", "Ask to be let into a room");
    add_room_option(knock, "!room:id or #alias:server");
    knock->add_option("--via", args_.via, "Server that is in the room; may be repeated")->allow_extra_args(false);
    knock->add_option("--reason", args_.reason, "Why they should let you in");

    auto* invite = command("invite", "Invite someone");
    add_room_option(invite);
    invite->add_option("user", args_.user, "@user:server")->required();

    add_room_option(command("leave", "Leave a room, decline an invitation or take a knock back"));
    add_room_option(command("members", "List who is in a room, or invited"));
  }

  void add_message_commands() {
    auto* send = command("send", "Send a message; prints its event id");
    add_room_option(send);
    send->add_option("text", args_.words,
                     "The message; read from stdin when missing. Write -- before a text that starts with -");
    auto* emote = send->add_flag_callback(
        "--emote", [this] { args_.kind = "m.emote"; }, "As something you do");
    send->add_flag_callback(
            "--notice", [this] { args_.kind = "m.notice"; }, "As something an automaton says")
        ->excludes(emote);

    auto* read = command("read", "Show the newest messages of a room, oldest first");
    add_room_option(read);
    read->add_option("--limit", args_.limit, "How many")->capture_default_str()->check(CLI::Range(1, 10'000));

    auto* tail = command("tail", "Show messages as they come, until it is stopped");
    tail->add_option("room", args_.room, "Of this room only");
    tail->add_option("--timeout", args_.timeout_s, "End after so many seconds")->check(CLI::Range(0.0, 1e9));
    tail->add_option("--count", args_.count, "End after so many messages")->check(CLI::Range(0, 1'000'000'000));
    tail->footer("With --json the first line is {\"listening\":true}: what is sent after it will be shown.");
  }

  Arguments& args_;
  CLI::App app_;
};

}  // namespace

std::optional<int> parse_arguments(int argc, const char* const* argv, Arguments& arguments, std::ostream& out,
                                   std::ostream& err) {
  return Parser(arguments).run(argc, argv, out, err);
}

}  // namespace skerry::client
