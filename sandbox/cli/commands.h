// The commands of skerry: each takes the parsed command line and answers an error, which becomes one message on stderr.
#pragma once

#include "core/result.h"
#include "sandbox/cli/arguments.h"

namespace skerry::sandbox {

// cli/world_commands.cc
Result<void> up_command(const Arguments& args);
Result<void> status_command(const Arguments& args);
Result<void> down_command(const Arguments& args);
Result<void> reset_command(const Arguments& args);
// cli/server_commands.cc
Result<void> add_command(const Arguments& args);
Result<void> kill_command(const Arguments& args);
Result<void> start_command(const Arguments& args);
Result<void> block_command(const Arguments& args);
Result<void> unblock_command(const Arguments& args);
Result<void> logs_command(const Arguments& args);
// cli/people_commands.cc
Result<void> chat_command(const Arguments& args);
Result<void> register_command(const Arguments& args);
Result<void> client_command(const Arguments& args);
Result<void> welcome_command(const Arguments& args);
// cli/exec_command.cc: the exit status, everything said
int exec_command(const Arguments& args);
// cli/doctor_command.cc
Result<void> doctor_command(const Arguments& args);
// cli/snapshot_commands.cc
Result<void> snapshot_command(const Arguments& args);
Result<void> restore_command(const Arguments& args);
Result<void> snapshots_command(const Arguments& args);
// cli/scenario_commands.cc
Result<void> seed_command(const Arguments& args);
Result<void> scenario_command(const Arguments& args);
// cli/room_commands.cc
Result<void> room_command(const Arguments& args);

// The exit status.
int run_command(const Arguments& args);

}  // namespace skerry::sandbox
