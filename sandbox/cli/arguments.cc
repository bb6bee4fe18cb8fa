#include "sandbox/cli/arguments.h"

#include <CLI/CLI.hpp>

#include "sandbox/world/names.h"

namespace skerry::sandbox {

namespace {

constexpr const char* about =
    "A small internet of Matrix homeservers on this machine: real processes, real TLS, a DNS, a certificate authority\n"
    "and a gateway that can cut servers off.\n";

constexpr const char* footer =
    "\nA sandbox lives in one folder: $XDG_STATE_HOME/skerry (~/.local/state/skerry), or that of --dir. While it is "
    "up,\n"
    "sandbox.json there tells programs where everything is. Several sandboxes can be up side by side. Within `skerry "
    "exec`,\n"
    "commands without --dir mean the network that it made.\n"
    "Users are written alice@alpha.test or @alice:alpha.test.\n"
    "Exit status: 0 done; 1 failed, with the reason on stderr; 2 wrong usage.\n";

constexpr const char* link_footer =
    "\nServers are named as alpha.test, or alpha; `clients` are all that are no servers. Both ways are meant, or with\n"
    "--one-way only the first: the connections that A opens to B, and the bytes that go from A to B.\n"
    "  skerry link alpha bravo --latency 200 --jitter 50\n"
    "  skerry link alpha clients --rate 140\n"
    "  skerry link alpha bravo --down --one-way\n"
    "  skerry link alpha bravo --up\n"
    "A link is as it was set last. `skerry faults` shows what is in force, `skerry heal` ends it.\n";

constexpr const char* partition_footer =
    "\nServers in a group reach each other, but nobody in another group. Who is not named reaches all. `clients` may "
    "be\n"
    "in a group, and `others` are all that are not named, clients too. There is one partition at a time.\n"
    "  skerry partition alpha,bravo / charlie,delta\n"
    "  skerry partition alpha / bravo,clients / charlie\n"
    "  skerry partition alpha / others      is what `skerry block alpha` does\n";

constexpr const char* client_footer =
    "\nEverything behind `client` goes to skerry-client as it stands, with this sandbox's sessions, authority and "
    "servers:\n"
    "  skerry client login alice@alpha.test\n"
    "  skerry client --account alice@alpha.test rooms\n"
    "  skerry client --help      tells what skerry-client can do\n";

constexpr const char* exec_footer =
    "\nThe program finds everything in its environment; sandbox/README.md lists all of it:\n"
    "  SKERRY_ALPHA_URL        the client URL of alpha.test; SKERRY_ALPHA_HTTPS_URL\n"
    "  SKERRY_ALICE_TOKEN      alice's; SKERRY_ALICE_USER_ID, _DEVICE_ID, _PASSWORD, _URL (of her server)\n"
    "  SKERRY_ALICE_BRAVO_...  the same with her server, where several servers have an alice\n"
    "  SKERRY_ROOM_ID          with --room; SKERRY_ROOM_ALIAS\n"
    "  SKERRY_SANDBOX_JSON     a file that tells where everything is; SKERRY_CA_FILE, the authority\n"
    "  SSL_CERT_FILE, REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE, NODE_EXTRA_CA_CERTS\n"
    "                          a file with the authority beside the system's certificates\n"
    "When the program ends, or is ended, the network is gone. SIGTERM, SIGHUP and the end of the caller end both.\n"
    "Exit status: the program's, or 128 and the number of the signal that ended it; 125 when the network could not\n"
    "be made, 126 when the program cannot be run, 127 when there is none, 2 for wrong usage.\n"
    "  skerry exec --users alice,bob@bravo --room -- python3 bot.py\n";

class Parser {
 public:
  explicit Parser(Arguments& arguments) : args_(arguments), app_(about, "skerry") {
    app_.footer(footer);
    app_.set_version_flag("--version", std::string("skerry " SKERRY_VERSION));
    app_.set_help_flag("-h,--help", "Show this help");
    app_.require_subcommand(1);
    add_world_commands();
    add_server_commands();
    add_link_commands();
    add_fault_commands();
    add_people_commands();
    add_exec_command();
    add_doctor_command();
    add_room_commands();
    add_snapshot_commands();
    add_scenario_commands();
    add_bench_command();
    add_internal_commands();
  }

  std::optional<int> run(int argc, const char* const* argv, std::ostream& out, std::ostream& err) {
    try {
      app_.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
      if (error.get_exit_code() == static_cast<int>(CLI::ExitCodes::Success)) return app_.exit(error, out, err);
      if (app_.get_subcommands().empty()) return complain_of_command(app_.remaining(), err);
      const std::string name = app_.get_subcommands().front()->get_name();
      const bool runs_programs = name == "exec";
      err << "skerry: " << error.what() << " (" << (runs_programs ? "the program goes behind --; " : "")
          << "see skerry " << name << " --help)\n";
      return 2;
    }
    const CLI::App* command = app_.get_subcommands().front();
    args_.command = command->get_name();
    if (args_.command == "room" || args_.command == "scenario")
      args_.subcommand = command->get_subcommands().front()->get_name();
    if (args_.command == "client") args_.client_words = command->remaining(true);
    return std::nullopt;
  }

 private:
  int complain_of_command(const std::vector<std::string>& words, std::ostream& err) {
    err << "skerry: " << (words.empty() ? "which command?" : "there is no command " + words.front() + ".")
        << " There are: " << command_names() << " (see --help)\n";
    return 2;
  }

  CLI::App* command(const char* name, const char* text) {
    CLI::App* made = app_.add_subcommand(name, text);
    made->add_option("--dir", args_.dir, "The sandbox's folder")->type_name("DIR");
    return made;
  }

  CLI::App* command_with_json(const char* name, const char* text) {
    CLI::App* made = command(name, text);
    made->add_flag("--json", args_.json, "Print JSON, and nothing else, on stdout");
    return made;
  }

  void add_world_commands() {
    auto* up = command_with_json("up", "Start the servers, and return when all answer");
    up->add_option("--servers", args_.servers, "How many: 3 in a new sandbox, else as many as the last time")
        ->check(CLI::Range(std::size_t{1}, max_servers))
        ->type_name("N");
    up->add_flag("--direct", args_.direct, "Without the gateway, and so without faults of the network");
    add_limits(up);
    add_appservices(up, "Again for more; the next times without it");
    command_with_json("status", "Show the servers: addresses, processes, memory, state");
    command("down", "Stop everything; the data stays");
    command("reset", "Stop everything and remove the data, the client sessions, the authority and the snapshots");
    command_with_json("demo", "Tell what federation is good for, in nine steps that really happen");
  }

  void add_limits(CLI::App* command) {
    command->add_option("--limits", args_.limits, "Rate limits: none, or real, as a public server has them")
        ->check(CLI::IsMember({"none", "real"}))
        ->type_name("WHICH")
        ->capture_default_str();
  }

  void add_appservices(CLI::App* command, const std::string& more) {
    command
        ->add_option("--appservice", args_.appservices,
                     "Let an application service in: its registration file, of the first server or of SERVER. " + more)
        ->type_name("[SERVER=]FILE")
        ->allow_extra_args(false);
  }

  void add_server_commands() {
    const auto add = [this](const char* name, const char* text) {
      command_with_json(name, text)->add_option("servers", args_.names, "As alpha.test, or alpha")->required();
    };
    auto* more = command_with_json("add", "Put a homeserver of another kind beside ours, and return when it answers");
    more->add_option("kind", args_.kind, "synapse: a real Synapse, from its Python packages (a minute the first time)")
        ->required()
        ->check(CLI::IsMember({"synapse"}));
    more->add_option("name", args_.name, "As syn, which becomes syn.test")->required();
    add("kill", "End a server's process at once (SIGKILL)");
    add("start", "Start a server that ended, and return when it answers");
    add("block", "Cut a server from everyone, its own clients too; its process lives on");
    add("unblock", "Let a blocked server be reached again");
    add("freeze", "Stop a server's process without ending it (SIGSTOP): it takes connections, and is silent");
    add("thaw", "Let a frozen server go on");
    auto* logs = command("logs", "Show what a server wrote to its log");
    logs->add_option("server", args_.name, "As alpha.test, or supervisor")->required();
    logs->add_option("--lines", args_.lines, "How many of the last lines")->capture_default_str();
    logs->add_flag("-f,--follow", args_.follow, "Go on as more is written");
  }

  void add_link_commands() {
    CLI::App* link = command_with_json("link", "Make the network between two servers, or a server and clients, bad");
    link->footer(link_footer);
    link->add_option("a", args_.from, "As alpha.test, alpha or clients")->required();
    link->add_option("b", args_.to, "The same")->required();
    link->add_flag("--one-way", args_.one_way, "Only from A to B");
    add_link_modes(*link->add_option_group("What becomes of connections")->require_option(0, 1));
    add_link_weaknesses(*link->add_option_group("What becomes of bytes"));
    link->callback([this, link] {
      if (args_.link.whole() && link->count("--up") == 0) throw CLI::RequiredError("what is to become of it,");
    });
    CLI::App* partition = command_with_json("partition", "Split the network into groups that do not reach each other");
    partition->footer(partition_footer);
    partition->add_option("groups", args_.group_words, "Servers with commas between them, groups with / between them")
        ->required()
        ->type_name("A,B / C,D");
  }

  void add_link_modes(CLI::App& link) {
    const auto add = [&](const char* flag, LinkMode mode, const char* text) {
      link.add_flag_callback(
          flag, [this, mode] { args_.link.mode = mode; }, text);
    };
    add("--up", LinkMode::up, "Nothing is wrong any more");
    add("--down", LinkMode::down, "Reset: open ones at once, new ones on arrival");
    add("--reset", LinkMode::reset, "Reset: open ones at once, new ones with their first bytes");
    add("--stall", LinkMode::stall, "Nothing goes through any more, and nobody is told");
    add("--expired-cert", LinkMode::expired_cert, "The gateway ends TLS with a certificate that expired");
    add("--wrong-cert", LinkMode::wrong_cert, "With one that bears another name");
    add("--untrusted-cert", LinkMode::untrusted_cert, "With one that an unknown authority signed");
    link.add_option_function<int>(
            "--http",
            [this](int status) {
              args_.link.mode = LinkMode::http;
              args_.link.http_status = status;
            },
            "The gateway answers every request with this status")
        ->check(CLI::Range(400, 599))
        ->type_name("STATUS");
  }

  void add_link_weaknesses(CLI::App& link) {
    const auto add = [&](const char* option, auto set, const char* type, const char* text) {
      link.add_option_function<std::int64_t>(option, set, text)->check(CLI::NonNegativeNumber)->type_name(type);
    };
    add(
        "--latency", [this](std::int64_t ms) { args_.link.latency = std::chrono::milliseconds(ms); }, "MS",
        "Late by so much, each way");
    add(
        "--jitter", [this](std::int64_t ms) { args_.link.jitter = std::chrono::milliseconds(ms); }, "MS",
        "And by up to so much more, at random; in order");
    add(
        "--rate", [this](std::int64_t kbit) { args_.link.rate_kbit = kbit; }, "KBIT",
        "At most so many kbit/s on each connection, each way");
  }

  void add_fault_commands() {
    CLI::App* clock = command_with_json("clock", "Set a server's clock wrong; +0s ends that");
    clock->add_option("server", args_.name, "As alpha.test, or alpha")->required();
    clock->add_option("offset", args_.duration, "+1h, -90s, 250ms, +1d12h")->required()->type_name("OFFSET");
    CLI::App* backoff = command_with_json("backoff", "Bound how long servers rest before they try one again");
    backoff->add_option("--max", args_.duration, "2s, 10m")->required()->type_name("TIME");
    CLI::App* dns = command_with_json("dns", "Let the DNS answer wrong about a server; servers look it up anew");
    dns->add_option("server", args_.name, "As alpha.test, or alpha")->required();
    CLI::App* answer = dns->add_option_group("What is answered")->require_option(1);
    const auto add_answer = [&](const char* flag, const char* value, const char* text) {
      answer->add_flag_callback(
          flag, [this, value] { args_.dns_answer = value; }, text);
    };
    add_answer("--nxdomain", "nxdomain", "There is no such name");
    add_answer("--timeout", "timeout", "Nothing");
    answer->add_option("--answer", args_.dns_answer, "Another address")->type_name("ADDR");
    add_answer("--right", "right", "What is right: the fault ends");
    command_with_json("faults", "Show the faults in force, and how often each took hold");
    command_with_json("heal", "End all faults, or those of some kinds")
        ->add_option("kinds", args_.names, "link partition block freeze clock dns backoff");
  }

  void add_people_commands() {
    auto* chat = command("chat", "Open the chat screen as a user, who is registered where that is new");
    chat->add_option("user", args_.user, "alice@alpha.test, or alice with --server")->required();
    chat->add_option("--server", args_.server, "Where the user lives");
    chat->add_option("--room", args_.room, "Join this room first (#alias:server or !id), and open it");
    auto* reg = command_with_json("register", "Make an account: a user name and a password, nothing else");
    reg->add_option("user", args_.user, "alice@alpha.test, or alice with --server")->required();
    reg->add_option("--server", args_.server, "Where the user is to live");
    reg->add_option("--password", args_.password, "Without it, one is made up, and kept in the sandbox's folder");
    auto* client = command("client", "Run skerry-client with this sandbox's sessions, authority and servers");
    client->prefix_command();
    client->set_help_flag();  // its words are skerry-client's
    client->footer(client_footer);
  }

  void add_exec_command() {
    CLI::App* exec = app_.add_subcommand("exec", "Run a program on a network of its own, which ends with it");
    exec->add_option("--servers", args_.servers, "How many servers: without it, as many as the users need")
        ->check(CLI::Range(std::size_t{1}, max_servers))
        ->type_name("N");
    exec->add_option("--users", args_.users, "Users to register: alice (on the first server), bob@bravo")
        ->delimiter(',')
        ->allow_extra_args(false)
        ->type_name("USER,...");
    exec->add_flag("--room", args_.with_room, "A public room with all users in it");
    add_appservices(exec, "Again for more");
    add_limits(exec);
    exec->add_flag("--keep", args_.keep, "Leave the network up, and say where it is");
    exec->add_option("COMMAND", args_.foreign_words, "Behind `--`: the program and its arguments")->required();
    exec->footer(exec_footer);
  }

  void add_doctor_command() {
    CLI::App* doctor =
        command_with_json("doctor", "Ask a server what a foreign server would ask, and tell what is wrong");
    doctor->add_option("server", args_.server, "As alpha.test, or alpha; without it, all of the sandbox");
    doctor->add_flag("--outside", args_.outside, "The server is not one of a sandbox; the options below imply it");
    doctor->add_option("--dns", args_.dns, "Ask this DNS server instead of the system's")->type_name("ADDRESS:PORT");
    doctor->add_option("--ca", args_.ca_files, "Trust these certificates too, PEM")->type_name("FILE");
    doctor->add_option("--allow", args_.allow, "Private addresses that other servers would call, as 127.0.0.0/8")
        ->type_name("RANGE");
    doctor->add_option("--https-port", args_.https_port, "Where .well-known is asked")->capture_default_str();
  }

  void add_snapshot_commands() {
    auto* snapshot = command_with_json("snapshot", "Keep the sandbox's whole state under a name, also while it is up");
    snapshot->add_option("name", args_.snapshot, "Letters, digits, '-', '_' and '.'")->required();
    snapshot->add_flag("--replace", args_.replace, "Also where there is one of that name");
    auto* restore =
        command_with_json("restore", "Go back to a snapshot; servers that are up are restarted, later data is lost");
    restore->add_option("name", args_.snapshot, "As skerry snapshots lists them")->required();
    auto* snapshots = command_with_json("snapshots", "List the snapshots");
    snapshots->add_option("--remove", args_.snapshot, "Remove this one")->type_name("NAME");
  }

  void add_scenario_commands() {
    auto* seed = command_with_json("seed", "Fill the sandbox with the users, rooms and messages of a world file");
    seed->footer(
        "\nThe same file and seed give the same names, passwords, texts and order, on every machine; event ids and\n"
        "times differ. Everything is checked before anything is done. docs/scenarios.md tells the format,\n"
        "configs/worlds/ has samples.\n");
    seed->add_option("file", args_.file, "TOML")->required()->type_name("FILE");
    seed->add_option("--seed", args_.seed, "A number, in place of the file's")->type_name("S");
    CLI::App* scenario =
        app_.add_subcommand("scenario", "Play a story of servers, users and faults, and check its end");
    scenario->require_subcommand(1);
    scenario->footer("\nconfigs/scenarios/ has a dozen; docs/scenarios.md tells the format.\n");
    for (CLI::App* made :
         {scenario->add_subcommand("run", "Play it in a sandbox of its own, which is gone afterwards"),
          scenario->add_subcommand("check", "Say whether it can be played, and what the seed decides")}) {
      made->add_option("file", args_.file, "TOML")->required()->type_name("FILE");
      made->add_option("--seed", args_.seed, "A number, in place of the file's")->type_name("S");
      made->add_flag("--json", args_.json, "Print JSON, and nothing else, on stdout");
    }
  }

  void add_bench_command() {
    CLI::App* bench = app_.add_subcommand("bench", "Measure a homeserver, beside the limits of this machine");
    bench->add_option("groups", args_.names,
                      "sends sync growth start memory waiting federation joins; without any: all");
    bench
        ->add_option("--target", args_.target,
                     "Load this homeserver instead of our own: sends, sync, growth; its "
                     "registration must be open and its rate limits off")
        ->type_name("URL");
    bench->add_flag("--quick", args_.quick, "Small numbers: whether it works, not how fast");
    bench->add_flag("--json", args_.json, "Print JSON, an object a line");
  }

  void add_room_commands() {
    CLI::App* room = app_.add_subcommand("room", "Look into a room: its state, its events, why it is as it is");
    room->require_subcommand(1);
    const auto add = [&](const char* name, const char* text) {
      CLI::App* made = room->add_subcommand(name, text);
      made->add_flag("--json", args_.json, "Print JSON, and nothing else, on stdout");
      return made;
    };
    CLI::App* resolve = add("resolve", "Resolve states, or replay a history, of events from files");
    resolve->add_option("--room-version", args_.room_version, "1 to 12")->required()->type_name("V");
    resolve->add_option("--events", args_.event_files, "JSON array of PDUs, each with its event_id")->required();
    resolve->add_option("--state", args_.state_files, "JSON array of ids of state events; one file a state");
    resolve->add_flag("--explain", args_.explain, "Tell each step");
    const auto add_for_sandbox = [&](const char* name, const char* text) {
      CLI::App* made = add(name, text);
      made->add_option("--dir", args_.dir, "The sandbox's folder")->type_name("DIR");
      return made;
    };
    CLI::App* graph = add_for_sandbox("graph", "Show how a room's events follow each other");
    graph->add_option("room", args_.room, "!id, or #alias:server")->required();
    graph->add_option("--format", args_.format, "text, dot, svg or json")
        ->check(CLI::IsMember({"text", "dot", "svg", "json"}))
        ->capture_default_str();
    graph->add_option("--around", args_.around, "Show the events around this one")->type_name("EVENT");
    graph->add_option("--most", args_.most, "How many events at most")->capture_default_str();
    CLI::App* explain = add_for_sandbox("explain", "Tell what was checked of an event, and which rule said no");
    explain->add_option("event", args_.event, "$id")->required();
    for (CLI::App* made : {graph, explain}) {
      made->add_option("--server", args_.server, "As alpha.test; without it, the first that knows it");
    }
    add_for_sandbox("diff", "Tell in what the servers differ about a room")
        ->add_option("room", args_.room, "!id, or #alias:server")
        ->required();
  }

  // For run.sh, and for this program itself.
  void add_internal_commands() {
    auto* welcome = command("welcome", "Start or find the sandbox, and open the chat screen as alice");
    welcome->group("");
    welcome->add_option("--command", args_.how_called);
    auto* supervise = command("supervise", "Be the supervisor of a sandbox");
    supervise->group("");
    supervise->add_option("--servers", args_.servers)->required();
    supervise->add_flag("--direct", args_.direct);
    supervise->add_flag("--cheap-passwords", args_.cheap_passwords);
    supervise->add_flag("--real-limits", args_.real_limits);
    supervise->add_flag("--ephemeral", args_.ephemeral);
    supervise->add_option("--starter", args_.starter);
  }

  std::string command_names() {
    std::string names;
    for (const CLI::App* sub : app_.get_subcommands([](const CLI::App* each) { return !each->get_group().empty(); })) {
      names += (names.empty() ? "" : " ") + sub->get_name();
    }
    return names;
  }

  Arguments& args_;
  CLI::App app_;
};

}  // namespace

std::optional<int> parse_arguments(int argc, const char* const* argv, Arguments& arguments, std::ostream& out,
                                   std::ostream& err) {
  return Parser(arguments).run(argc, argv, out, err);
}

}  // namespace skerry::sandbox
