#include "sandbox/cli/commands.h"

#include <iostream>
#include <map>

#include "sandbox/demo/demo.h"

namespace skerry::sandbox {

namespace {

using Command = Result<void> (*)(const Arguments&);

const std::map<std::string, Command>& commands() {
  static const std::map<std::string, Command> table = {{"up", up_command},
                                                       {"demo", demo_command},
                                                       {"status", status_command},
                                                       {"down", down_command},
                                                       {"reset", reset_command},
                                                       {"add", add_command},
                                                       {"kill", kill_command},
                                                       {"start", start_command},
                                                       {"block", block_command},
                                                       {"unblock", unblock_command},
                                                       {"logs", logs_command},
                                                       {"chat", chat_command},
                                                       {"client", client_command},
                                                       {"register", register_command},
                                                       {"doctor", doctor_command},
                                                       {"room", room_command},
                                                       {"scenario", scenario_command},
                                                       {"seed", seed_command},
                                                       {"snapshot", snapshot_command},
                                                       {"restore", restore_command},
                                                       {"snapshots", snapshots_command},
                                                       {"welcome", welcome_command}};
  return table;
}

}  // namespace

int run_command(const Arguments& args) {
  if (args.command == "exec") return exec_command(args);
  const auto done = commands().at(args.command)(args);
  if (!done) {
    std::cerr << "skerry: " << done.error().text << "\n";
    return 1;
  }
  if (!std::cout.flush()) {
    std::cerr << "skerry: what was to be said could not be written\n";
    return 1;
  }
  return 0;
}

}  // namespace skerry::sandbox
