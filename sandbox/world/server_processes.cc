#include "sandbox/world/server_processes.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <sys/wait.h>

#include "net/log.h"
#include "sandbox/world/authority.h"
#include "sandbox/world/child.h"
#include "sandbox/world/files.h"
#include "sandbox/world/names.h"
#include "sandbox/world/synapse.h"

namespace skerry::sandbox {

ServerProcesses::ServerProcesses(const Folder& folder, FaultBoard& faults) : folder_(folder), faults_(faults) {}

Result<void> ServerProcesses::write_settings(const Plan& plan, const std::vector<ServerPlan>& servers) const {
  for (const ServerPlan& server : servers) {
    const std::string folder = folder_.server(server.name);
    if (auto made = make_folder(folder); !made) return made;
    auto written =
        server.kind == ServerKind::synapse
            ? write_synapse_settings(plan, server, folder_)
            : write_file(folder + "/homeserver.toml", homeserver_config(plan, server, folder_, dns_address_));
    if (!written) return written;
  }
  return write_certificates(folder_, servers);
}

void ServerProcesses::add(const ServerPlan& plan) {
  servers_.emplace_back();
  servers_.back().plan = plan;
}

// A server's steering file goes on while it is down; without one it is made, as the faults in force have it.
Result<void> ServerProcesses::steer(ServerProcess& server) {
  if (server.steering) return {};
  auto steering = homeserver::Steering::create(folder_.server(server.plan.name) + "/steering");
  if (!steering) return tl::make_unexpected(steering.error());
  server.steering = std::move(*steering);
  if (const auto clock = faults_.find("clock " + server.plan.name)) {
    server.steering->set_clock_offset_ms(clock->offset_ms);
  }
  if (const auto backoff = faults_.find("backoff")) server.steering->set_backoff_max_ms(backoff->max_ms);
  return {};
}

Result<void> ServerProcesses::spawn(ServerProcess& server) {
  std::vector<std::string> words;
  if (server.plan.kind == ServerKind::synapse) {
    words = synapse_command(server.plan, folder_, dns_address_);
  } else {
    if (auto steered = steer(server); !steered) return steered;
    const std::string folder = folder_.server(server.plan.name);
    words = {program_folder() + "/skerry-homeserver", "--config", folder + "/homeserver.toml", "--steering",
             folder + "/steering"};
  }
  auto child = spawn_child(words, folder_.server_log(server.plan.name));
  if (!child) return tl::make_unexpected(child.error());
  server.pid = *child;
  return {};
}

Result<void> ServerProcesses::spawn_all() {
  Result<void> done;
  for (ServerProcess& server : servers_) {
    if (server.pid != 0) continue;
    if (auto spawned = spawn(server); !spawned && done) done = spawned;
  }
  return done;
}

void ServerProcesses::kill(ServerProcess& server) {
  if (server.pid == 0) return;
  ::kill(server.pid, SIGKILL);
  while (::waitpid(server.pid, nullptr, 0) < 0 && errno == EINTR) {
  }
  gone(server, true);
  log::info("supervisor", server.plan.name + " is killed");
}

void ServerProcesses::kill_all() {
  for (ServerProcess& server : servers_) kill(server);
}

void ServerProcesses::terminate_all() {
  for (ServerProcess& server : servers_) {
    if (server.pid != 0) ::kill(server.pid, SIGTERM);
    set_frozen(server, false);
  }
}

void ServerProcesses::set_frozen(ServerProcess& server, bool frozen) {
  if (server.pid != 0) ::kill(server.pid, frozen ? SIGSTOP : SIGCONT);
}

bool ServerProcesses::reap() {
  bool found = false;
  for (ServerProcess& server : servers_) {
    int status = 0;
    if (server.pid == 0 || ::waitpid(server.pid, &status, WNOHANG) != server.pid) continue;
    const bool by_signal = WIFSIGNALED(status);
    // One that SIGTERM met before it could handle that was stopped as well.
    gone(server, by_signal && WTERMSIG(status) != SIGTERM);
    found = true;
    const std::string how = by_signal ? "by signal " + std::to_string(WTERMSIG(status))
                                      : "with status " + std::to_string(WEXITSTATUS(status));
    log::info("supervisor", server.plan.name + " ended " + how);
  }
  return found;
}

std::vector<pid_t> ServerProcesses::stop_all() {
  std::vector<pid_t> stopped;
  for (const ServerProcess& server : servers_) {
    const bool frozen = faults_.find("freeze " + server.plan.name).has_value();  // it stands still, and goes on so
    if (server.pid != 0 && !frozen && stop_child(server.pid)) stopped.push_back(server.pid);
  }
  return stopped;
}

void ServerProcesses::forget_steering() {
  for (ServerProcess& server : servers_) server.steering.reset();
}

void ServerProcesses::gone(ServerProcess& server, bool killed) {
  server.pid = 0;
  server.killed = killed;
  faults_.remove("freeze " + server.plan.name);  // that was of the process
}

bool ServerProcesses::all_ended() const {
  return std::all_of(servers_.begin(), servers_.end(), [](const ServerProcess& server) { return server.pid == 0; });
}

std::vector<std::string> ServerProcesses::names() const {
  std::vector<std::string> known;
  for (const ServerProcess& server : servers_) known.push_back(server.plan.name);
  return known;
}

Result<ServerProcess*> ServerProcesses::find(const std::string& typed) {
  const auto name = find_server(names(), typed);
  if (!name) return tl::make_unexpected(name.error());
  return &*std::find_if(servers_.begin(), servers_.end(),
                        [&](const ServerProcess& server) { return server.plan.name == *name; });
}

}  // namespace skerry::sandbox
