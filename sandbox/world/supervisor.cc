#include "sandbox/world/supervisor.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <fcntl.h>
#include <malloc.h>
#include <memory>
#include <optional>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <tuple>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "net/io.h"
#include "net/log.h"
#include "sandbox/world/child.h"
#include "sandbox/world/control.h"
#include "sandbox/world/dns_server.h"
#include "sandbox/world/fault_control.h"
#include "sandbox/world/fault_request.h"
#include "sandbox/world/files.h"
#include "sandbox/world/gateway.h"
#include "sandbox/world/server_processes.h"
#include "sandbox/world/snapshot.h"
#include "sandbox/world/status.h"

namespace skerry::sandbox {

namespace {

using Steady = std::chrono::steady_clock;

// Servers that did not end by themselves until then are killed: what they acknowledged is on disk.
constexpr std::chrono::seconds stop_time{5};
constexpr int io_threads = 1;

// Signals come as readable descriptors, and children inherit none of this (see spawn_child).
Descriptor receive_signals() {
  sigset_t signals;
  ::sigemptyset(&signals);
  for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGCHLD}) ::sigaddset(&signals, number);
  ::sigprocmask(SIG_BLOCK, &signals, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  return Descriptor(::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
}

void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

class Supervisor {
 public:
  explicit Supervisor(const SupervisorOptions& options)
      : options_(options), folder_(options.folder), starter_(options.starter), signals_(receive_signals()) {}

  int run() {
    auto started = start();
    if (!started) {
      log::error("supervisor", started.error().text);
      tell_starter({{"ok", false}, {"error", started.error().text}});
      begin_to_stop();
    } else {
      log::info("supervisor", std::to_string(servers_.all().size()) + " servers started");
      tell_starter({{"ok", true}, {"supervisor_pid", ::getpid()}});
    }
    while (!ended()) turn();
    finish();
    return started ? 0 : 1;
  }

 private:
  Result<void> start();
  Result<void> add(const Json& request);
  void turn();
  void read_signals();
  void reap();
  void listen_to_starter();
  void tell_starter(const Json& object);
  void handle(ControlServer::ConnectionId id, const Json& request);
  Result<void> command(const std::string& name, const Json& request);
  Result<void> command_server(const std::string& name, ServerProcess& server);
  Result<void> snapshot(const std::string& name, bool replace);
  Result<void> restore(const std::string& name);
  void begin_to_stop();
  bool ended() const;
  void finish();
  SandboxStatus status() const;
  void write_status() const;

  const SupervisorOptions options_;
  const Folder folder_;
  Descriptor starter_;
  bool starter_silent_ = false;  // it will say nothing more; it still may wait for our end
  bool kept_ = false;
  Descriptor signals_;
  Descriptor lock_;
  Plan plan_;
  std::unique_ptr<DnsServer> dns_;
  std::string dns_address_;  // with port
  std::unique_ptr<net::Io> io_;
  std::shared_ptr<FaultBoard> board_ = std::make_shared<FaultBoard>();
  ServerProcesses servers_{folder_, *board_};
  FaultControl faults_{*board_, servers_};
  std::unique_ptr<Gateway> gateway_;
  std::optional<ControlServer> control_;
  std::optional<Steady::time_point> stop_deadline_;
  std::vector<ControlServer::ConnectionId> waiting_for_end_;
};

Result<void> Supervisor::start() {
  lock_ = Descriptor(::open(folder_.lock_file().c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!lock_.open()) return tl::make_unexpected(system_error(folder_.lock_file()));
  if (::flock(lock_.get(), LOCK_EX | LOCK_NB) != 0) {
    lock_.close();
    return fail(ErrorCode::storage, "another sandbox is running in " + folder_.path);
  }
  raise_descriptor_limit();
  if (auto finished = finish_restore(folder_); !finished) return finished;
  auto plan = make_plan(folder_, options_.servers, options_.traits);
  if (!plan) return tl::make_unexpected(plan.error());
  plan_ = std::move(*plan);
  if (auto remembered = remember_plan(folder_, plan_); !remembered) return remembered;
  auto control = ControlServer::listen(folder_.control_socket());
  if (!control) return tl::make_unexpected(control.error());
  control_ = std::move(*control);
  auto dns = DnsServer::start(dns_address(plan_.slot.number), plan_.zone(),
                              [board = board_](const std::string& name) { return board->judge_question(name); });
  if (!dns) return tl::make_unexpected(dns.error());
  dns_ = std::move(*dns);
  dns_address_ = dns_address(plan_.slot.number) + ":" + std::to_string(dns_->port());
  servers_.set_dns_address(dns_address_);
  if (!options_.traits.direct) {
    io_ = std::make_unique<net::Io>(io_threads);
    gateway_ = std::make_unique<Gateway>(*io_, board_, folder_);
    faults_.set_gateway(gateway_.get());
    for (const ServerPlan& server : plan_.servers) {
      if (auto added = gateway_->add(server, plan_.ports); !added) return added;
    }
  }
  if (auto written = servers_.write_settings(plan_, plan_.servers); !written) return written;
  for (const ServerPlan& server : plan_.servers) servers_.add(server);
  if (auto spawned = servers_.spawn_all(); !spawned) return spawned;
  write_status();
  ::malloc_trim(0);
  return {};
}

void Supervisor::turn() {
  std::vector<pollfd> waiting = {{signals_.get(), POLLIN, 0}, {starter_silent_ ? -1 : starter_.get(), POLLIN, 0}};
  if (control_) control_->add_to(waiting);
  int timeout_ms = -1;
  if (stop_deadline_) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(*stop_deadline_ - Steady::now());
    timeout_ms = static_cast<int>(std::max<std::int64_t>(left.count() + 1, 0));
  }
  if (::poll(waiting.data(), waiting.size(), timeout_ms) < 0) return;
  if (control_) {
    control_->handle(&waiting[2], [this](ControlServer::ConnectionId id, const Json& request) { handle(id, request); });
  }
  if (waiting[1].revents != 0) listen_to_starter();
  if (waiting[0].revents != 0) read_signals();
  if (stop_deadline_ && Steady::now() >= *stop_deadline_) {
    servers_.kill_all();
  }
}

void Supervisor::read_signals() {
  signalfd_siginfo signal{};
  while (::read(signals_.get(), &signal, sizeof signal) == static_cast<ssize_t>(sizeof signal)) {
    if (signal.ssi_signo == static_cast<std::uint32_t>(SIGCHLD)) continue;
    log::info("supervisor", "ends by signal " + std::to_string(signal.ssi_signo));
    begin_to_stop();
  }
  reap();
}

void Supervisor::reap() {
  if (servers_.reap()) write_status();
}

// Its only word is that it keeps the sandbox.
void Supervisor::listen_to_starter() {
  std::array<char, 256> buffer;
  const ssize_t size = ::recv(starter_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (size > 0) {
    kept_ = true;
    return;
  }
  if (!kept_) {
    log::info("supervisor", "whoever wanted this sandbox is gone");
    begin_to_stop();
  }
  starter_silent_ = true;
}

void Supervisor::tell_starter(const Json& object) {
  if (!starter_.open()) return;
  const std::string line = dump(object) + "\n";
  (void)!::send(starter_.get(), line.data(), line.size(), MSG_NOSIGNAL);
}

void Supervisor::handle(ControlServer::ConnectionId id, const Json& request) {
  const std::string* command_name = find_string(request, "op");
  const std::string name = command_name != nullptr ? *command_name : "";
  if (name == "down") {
    waiting_for_end_.push_back(id);
    return begin_to_stop();
  }
  if (name == "status") {
    reap();
    return control_->answer(id, {{"ok", true}, {"sandbox", full_json(status())}});
  }
  if (name == "faults") return control_->answer(id, {{"ok", true}, {"faults", faults_json(faults_.list())}});
  const auto done = command(name, request);
  if (!done) return control_->answer(id, {{"ok", false}, {"error", done.error().text}});
  write_status();
  control_->answer(id, {{"ok", true}});
}

Result<void> Supervisor::command(const std::string& name, const Json& request) {
  if (stop_deadline_) return fail(ErrorCode::cancelled, "the sandbox is going down");
  reap();
  if (name == "add") return add(request);
  const std::string* which = find_string(request, "name");
  if (name == "snapshot") return snapshot(which != nullptr ? *which : "", request.value("replace", false));
  if (name == "restore") return restore(which != nullptr ? *which : "");
  if (name == "fault") {
    const auto faults = parse_fault_request(request, servers_.names());
    return faults ? faults_.put(*faults) : tl::make_unexpected(faults.error());
  }
  if (name == "heal") {
    const std::string* kind = find_string(request, "kind");
    faults_.end([&](const Fault& fault) { return kind == nullptr || to_text(fault.kind) == *kind; });
    return {};
  }
  const std::string* typed = find_string(request, "server");
  auto found = servers_.find(typed != nullptr ? *typed : "");
  if (!found) return tl::make_unexpected(found.error());
  return command_server(name, **found);
}

Result<void> Supervisor::command_server(const std::string& name, ServerProcess& server) {
  if (name == "kill") {
    if (server.pid == 0) return fail(ErrorCode::invalid_param, server.plan.name + " is not running");
    servers_.kill(server);
    return {};
  }
  if (name == "start") return server.pid != 0 ? Result<void>() : servers_.spawn(server);
  for (const auto& [begin, end, kind] :
       {std::tuple{"block", "unblock", FaultKind::block}, std::tuple{"freeze", "thaw", FaultKind::freeze}}) {
    Fault fault;
    fault.kind = kind;
    fault.server = server.plan.name;
    if (kind == FaultKind::block) fault.groups = {{fault.server}, {others_party}};
    if (name == begin) return faults_.put({fault});
    if (name != end) continue;
    faults_.end([&](const Fault& each) { return each.key() == fault.key(); });
    return {};
  }
  return fail(ErrorCode::unrecognized, "the supervisor knows no " + name);
}

// What cannot be undone comes last, so that a server that could not be added is not there.
Result<void> Supervisor::add(const Json& request) {
  const std::string* name = find_string(request, "server");
  const std::string* kind_name = find_string(request, "kind");
  const auto kind = parse_server_kind(kind_name != nullptr ? *kind_name : "");
  if (!kind) return tl::make_unexpected(kind.error());
  const std::string* program = find_string(request, "program");
  if (program == nullptr || program->empty()) return fail(ErrorCode::missing_param, "which program runs it?");
  if (auto planned = plan_another(plan_, name != nullptr ? *name : "", *kind, *program); !planned) return planned;
  const ServerPlan server = plan_.servers.back();
  auto done = servers_.write_settings(plan_, {server});
  if (done && gateway_) done = gateway_->add(server, plan_.ports);
  if (!done) {
    plan_.servers.pop_back();
    return done;
  }
  dns_->set_zone(plan_.zone());
  servers_.add(server);
  log::info("supervisor", server.name + " is added");
  if (auto remembered = remember_plan(folder_, plan_); !remembered) return remembered;
  return servers_.spawn(servers_.all().back());
}

// All servers stand still at once while the copy is made. What one of them got from another was on that one's disk
// before it was sent, so the servers stopped first know nothing less than the later ones: the copies fit together.
Result<void> Supervisor::snapshot(const std::string& name, bool replace) {
  const auto began = Steady::now();
  const std::vector<pid_t> standing = servers_.stop_all();
  auto taken = copy_snapshot(folder_, name, replace);
  for (const pid_t pid : standing) ::kill(pid, SIGCONT);
  const auto stood = std::chrono::duration_cast<std::chrono::milliseconds>(Steady::now() - began);
  if (taken) taken = keep_snapshot(folder_, name);
  if (taken)
    log::info("supervisor", "snapshot " + name + "; the servers stood still " + std::to_string(stood.count()) + " ms");
  return taken;
}

// Where it fails the state is as it was, and the servers run again all the same.
Result<void> Supervisor::restore(const std::string& name) {
  if (auto found = find_snapshot(folder_, name); !found) return tl::make_unexpected(found.error());
  const auto then = remembered_names({folder_.snapshots() + "/" + name});
  const auto now = plan_.names();
  if (then != now) {
    const std::string numbers = then.size() == now.size() ? "other servers than are up"
                                                          : std::to_string(then.size()) + " servers, and " +
                                                                std::to_string(now.size()) + " are up";
    return fail(ErrorCode::invalid_param, "the snapshot is of " + numbers + ": skerry down, then restore, then up");
  }
  servers_.kill_all();
  servers_.forget_steering();  // the folders are replaced
  auto done = restore_snapshot(folder_, name);
  if (done) done = remember_plan(folder_, plan_);  // this sandbox's places go on
  if (done) done = servers_.write_settings(plan_, plan_.servers);
  if (auto spawned = servers_.spawn_all(); !spawned && done) done = spawned;
  log::info("supervisor", "restored " + name);
  return done;
}

void Supervisor::begin_to_stop() {
  if (stop_deadline_) return;
  stop_deadline_ = Steady::now() + stop_time;
  servers_.terminate_all();
}

bool Supervisor::ended() const { return stop_deadline_ && servers_.all_ended(); }

// Everything is released before anybody is told: who waits for the answer finds nothing listening.
void Supervisor::finish() {
  faults_.set_gateway(nullptr);
  gateway_.reset();
  io_.reset();
  dns_.reset();
  plan_.slot.held.close();
  if (!servers_.all().empty()) write_status();
  if (control_) ::unlink(folder_.control_socket().c_str());
  if (options_.ephemeral && !kept_ && lock_.open()) (void)remove_contents(folder_);
  lock_.close();
  log::info("supervisor", "ended");
  if (!control_) return;
  for (const auto id : waiting_for_end_) control_->answer(id, {{"ok", true}});
  control_->flush();
}

SandboxStatus Supervisor::status() const {
  SandboxStatus status;
  status.ca_file = folder_.ca_file();
  status.dns_address = dns_address_;
  status.supervisor_pid = ::getpid();
  status.direct = options_.traits.direct;
  status.real_limits = options_.traits.real_limits;
  status.https_port = plan_.ports.https;
  for (const ServerProcess& server : servers_.all()) {
    ServerStatus entry;
    entry.name = server.plan.name;
    entry.kind = server.plan.kind;
    entry.program = server.plan.program;
    entry.client_url = plan_.client_url(server.plan);
    entry.federation_address = plan_.federation_address(server.plan);
    entry.own_client_url = "http://" + server.plan.own + ":" + std::to_string(plan_.ports.client);
    if (server.pid != 0) {
      entry.pid = server.pid;
      entry.memory_bytes = memory_bytes(server.pid);
      entry.state = board_->find("block " + entry.name) ? ServerState::blocked : ServerState::running;
      entry.reachable = board_->reaches(clients_party, entry.name);
    } else {
      entry.state = server.killed ? ServerState::killed : ServerState::stopped;
    }
    status.servers.push_back(std::move(entry));
  }
  status.faults = faults_.list();
  return status;
}

void Supervisor::write_status() const {
  const auto written = write_file(folder_.sandbox_json(), public_json(status()).dump(1) + "\n");
  if (!written) log::warn("supervisor", written.error().text);
}

}  // namespace

int run_supervisor(const SupervisorOptions& options) {
  ::prctl(PR_SET_NAME, "skerry-sandbox");
  ::umask(077);
  return Supervisor(options).run();
}

}  // namespace skerry::sandbox
