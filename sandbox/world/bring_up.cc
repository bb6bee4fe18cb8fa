#include "sandbox/world/bring_up.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <condition_variable>
#include <fcntl.h>
#include <mutex>
#include <sys/socket.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "sandbox/world/appservices.h"
#include "sandbox/world/child.h"
#include "sandbox/world/files.h"
#include "sandbox/world/interrupt.h"
#include "sandbox/world/names.h"
#include "sandbox/world/plan.h"
#include "sandbox/world/synapse.h"
#include "sandbox/world/web.h"

namespace skerry::sandbox {

namespace {

using Steady = std::chrono::steady_clock;

constexpr std::chrono::seconds report_time{60};
constexpr std::chrono::seconds down_time{20};
constexpr std::chrono::seconds start_time{30};
constexpr std::chrono::seconds synapse_start_time{120};
constexpr std::chrono::milliseconds start_time_per_server{500};
constexpr std::chrono::milliseconds first_pause{5};
constexpr std::chrono::milliseconds longest_pause{200};
constexpr std::chrono::milliseconds server_look_interval{250};
constexpr std::chrono::seconds request_time{5};
constexpr std::size_t shown_log_lines = 8;

// Asks servers, each in its own rhythm, until all have answered.
class Readiness {
 public:
  Readiness(const SandboxStatus& status, const std::vector<std::string>& names) : web_(status.ca_file) {
    for (const std::string& name : names) {
      const ServerStatus& server = status.server(name);
      net::OutgoingRequest client;
      client.endpoint = net::parse_url(server.client_url)->endpoint;
      client.target = "/_matrix/client/versions";
      client.timeout = request_time;
      net::OutgoingRequest federation;
      const auto colon = server.federation_address.rfind(':');
      federation.endpoint.connect_host = server.federation_address.substr(0, colon);
      std::from_chars(server.federation_address.data() + colon + 1,
                      server.federation_address.data() + server.federation_address.size(), federation.endpoint.port);
      federation.endpoint.host_header = name;
      federation.endpoint.tls_name = name;
      federation.target = "/_matrix/federation/v1/version";
      federation.timeout = request_time;
      waiting_.push_back({name, {std::move(client), std::move(federation)}, 0, first_pause, {}});
    }
  }
  ~Readiness() {
    web_.client().close();
    web_.io().stop();  // nothing of this is touched any more
  }

  void begin() {
    for (std::size_t i = 0; i < waiting_.size(); ++i) ask(i);
  }

  // True when all have answered; waits `time` for it at most.
  bool wait(std::chrono::milliseconds time) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, time, [this] { return answered_ == waiting_.size(); });
  }

  std::string first_silent() {
    std::scoped_lock lock(mutex_);
    for (const Waiting& server : waiting_) {
      if (server.answers < server.requests.size()) return server.name;
    }
    return "";
  }

 private:
  struct Waiting {
    std::string name;
    std::array<net::OutgoingRequest, 2> requests;
    std::size_t answers = 0;
    std::chrono::milliseconds pause{};
    net::Scheduler::Handle timer;
  };

  // On an Io thread but for the first call; one request per server is under way at a time.
  void ask(std::size_t index) {
    net::OutgoingRequest request;
    {
      std::scoped_lock lock(mutex_);
      request = waiting_[index].requests[waiting_[index].answers];
    }
    web_.client().send(std::move(request), [this, index](const Result<net::HttpResponse>& response) {
      if (!response && response.error().code == ErrorCode::cancelled) return;
      std::unique_lock lock(mutex_);
      Waiting& server = waiting_[index];
      if (response && response->status == 200) {
        if (++server.answers == server.requests.size()) {
          ++answered_;
          changed_.notify_all();
          return;
        }
        lock.unlock();
        return ask(index);
      }
      const auto pause = server.pause;
      server.pause = std::min(pause * 2, longest_pause);
      server.timer = web_.io().after(pause, [this, index] { ask(index); });
    });
  }

  Web web_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Waiting> waiting_;
  std::size_t answered_ = 0;
};

Error with_log(const std::string& text, const std::string& log) {
  const std::string lines = last_lines(log, shown_log_lines);
  return {ErrorCode::storage, text + (lines.empty() ? "" : "; the end of " + log + ":\n" + lines)};
}

Json keep_word() { return {{"keep", true}}; }

Result<std::vector<GivenAppservice>> given_appservices(const UpOptions& options,
                                                       const std::vector<std::string>& servers) {
  std::vector<GivenAppservice> list;
  for (const std::string& typed : options.appservices) {
    auto given = parse_appservice(servers, typed);
    if (!given) return tl::make_unexpected(given.error());
    list.push_back(std::move(*given));
  }
  return list;
}

// A supervisor that was just started, until it is kept or gone.
class Starting {
 public:
  static Result<Starting> begin(const UpOptions& options) {
    const std::size_t remembered = remembered_servers(options.folder);
    const std::size_t servers = options.servers.value_or(remembered == 0 ? 3 : remembered);
    auto appservices = given_appservices(options, server_names(servers));
    if (!appservices) return tl::make_unexpected(appservices.error());
    if (auto made = make_folder(options.folder.path); !made) return tl::make_unexpected(made.error());
    if (auto kept = keep_appservices(options.folder, *appservices); !kept) return tl::make_unexpected(kept.error());
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
      return tl::make_unexpected(system_error("socketpair"));
    }
    LineChannel channel{Descriptor(ends[0])};
    Descriptor other(ends[1]);
    std::vector<std::string> words = {options.program.empty() ? program_folder() + "/skerry" : options.program,
                                      "supervise",
                                      "--dir",
                                      options.folder.path,
                                      "--servers",
                                      std::to_string(servers),
                                      "--starter",
                                      std::to_string(other.get())};
    if (options.traits.direct) words.emplace_back("--direct");
    if (options.traits.real_limits) words.emplace_back("--real-limits");
    if (options.traits.cheap_passwords) words.emplace_back("--cheap-passwords");
    if (options.tied) words.emplace_back("--ephemeral");
    auto spawned = spawn_daemon(words, options.folder.supervisor_log(), other.get());
    if (!spawned) return tl::make_unexpected(spawned.error());
    return Starting(std::move(channel), options.folder, *spawned);
  }

  Result<void> wait_for_report() {
    auto report = channel_.receive(report_time, interrupted);
    if (!report && report.error().code == ErrorCode::unreachable) {
      return tl::make_unexpected(with_log("the supervisor ended", folder_.supervisor_log()));
    }
    if (!report) return tl::make_unexpected(report.error());
    if (report->value("ok", false)) return {};
    const std::string* text = find_string(*report, "error");
    return fail(ErrorCode::storage, text != nullptr ? *text : "the supervisor failed");
  }

  Result<void> keep() { return channel_.send(keep_word()); }

  // The supervisor takes everything down, and is waited for.
  void give_up() {
    channel_.finish();
    while (channel_.receive(down_time)) {
    }
    wait_for_end(process_, down_time);
  }

  Descriptor tie() { return channel_.release(); }

 private:
  Starting(LineChannel channel, Folder folder, pid_t supervisor)
      : channel_(std::move(channel)), folder_(std::move(folder)), process_(watch_process(supervisor)) {}

  LineChannel channel_;
  Folder folder_;
  Descriptor process_;
};

Result<Sandbox> find(const UpOptions& options, Controller& controller) {
  auto status = controller.status();
  if (!status) return tl::make_unexpected(status.error());
  const auto differs = [&](const std::string& what) {
    return fail(ErrorCode::invalid_param, "the sandbox in " + options.folder.path + " is up " + what +
                                              "; `skerry down` stops it, and keeps its data");
  };
  const std::size_t own = static_cast<std::size_t>(
      std::count_if(status->servers.begin(), status->servers.end(),
                    [](const ServerStatus& server) { return server.kind == ServerKind::skerry; }));
  if (options.servers && *options.servers != own) return differs("with " + std::to_string(own) + " servers");
  if (options.traits.direct && !status->direct) return differs("with a gateway");
  if (options.traits.real_limits && !status->real_limits) return differs("without rate limits");
  auto appservices = given_appservices(options, status->names());
  if (!appservices) return tl::make_unexpected(appservices.error());
  for (const GivenAppservice& given : *appservices) {
    if (!is_kept(options.folder, given)) return differs("without the application service of " + given.file);
  }
  std::vector<std::string> expected;
  for (const ServerStatus& server : status->servers) {
    if (!server.pid) {
      if (auto there = make_kind_ready(server.kind, server.program); !there) return tl::make_unexpected(there.error());
      if (auto started = controller.command("start", server.name); !started) {
        return tl::make_unexpected(started.error());
      }
    }
    if (server.reachable) expected.push_back(server.name);
  }
  if (auto answering = wait_until_answering(options.folder, controller, expected); !answering) {
    return tl::make_unexpected(answering.error());
  }
  status = controller.status();
  if (!status) return tl::make_unexpected(status.error());
  return Sandbox{std::move(*status), true, {}};
}

Result<SandboxStatus> wait_for_all(Starting& starting, const Folder& folder) {
  if (auto reported = starting.wait_for_report(); !reported) return tl::make_unexpected(reported.error());
  auto controller = Controller::connect(folder);
  if (!controller) return tl::make_unexpected(controller.error());
  auto status = controller->status();
  if (!status) return status;
  if (auto answering = wait_until_answering(folder, *controller, status->names()); !answering) {
    return tl::make_unexpected(answering.error());
  }
  return controller->status();
}

}  // namespace

Result<void> make_kind_ready(ServerKind kind, const std::string& before) {
  return kind == ServerKind::synapse ? install_synapse(before) : Result<void>();
}

Result<void> wait_until_answering(const Folder& folder, Controller& controller, const std::vector<std::string>& names) {
  auto status = controller.status();
  if (!status) return tl::make_unexpected(status.error());
  Readiness readiness(*status, names);
  readiness.begin();
  const bool slow = std::any_of(names.begin(), names.end(), [&](const std::string& name) {
    return status->server(name).kind == ServerKind::synapse;
  });
  const auto deadline = Steady::now() + (slow ? synapse_start_time : start_time) + start_time_per_server * names.size();
  auto next_look = Steady::now() + server_look_interval;
  while (!readiness.wait(std::chrono::milliseconds(50))) {
    if (interrupted()) return fail(ErrorCode::cancelled, "interrupted");
    if (Steady::now() > deadline) {
      const std::string name = readiness.first_silent();
      return tl::make_unexpected(with_log(name + " does not answer", folder.server_log(name)));
    }
    if (Steady::now() < next_look) continue;
    next_look = Steady::now() + server_look_interval;
    status = controller.status();
    if (!status) return tl::make_unexpected(status.error());
    for (const std::string& name : names) {
      if (!status->server(name).pid) return tl::make_unexpected(with_log(name + " ended", folder.server_log(name)));
    }
  }
  return {};
}

Result<Sandbox> bring_up(const UpOptions& options) {
  if (auto controller = Controller::connect(options.folder)) return find(options, *controller);
  for (const std::string& program : remembered_programs(options.folder, ServerKind::synapse)) {
    if (auto there = make_kind_ready(ServerKind::synapse, program); !there) return tl::make_unexpected(there.error());
  }
  auto starting = Starting::begin(options);
  if (!starting) return tl::make_unexpected(starting.error());
  auto status = wait_for_all(*starting, options.folder);
  if (status && interrupted()) status = fail(ErrorCode::cancelled, "interrupted");
  if (!status) {
    starting->give_up();
    return tl::make_unexpected(status.error());
  }
  Sandbox sandbox{std::move(*status), false, {}};
  if (options.tied) {
    sandbox.tie = starting->tie();
  } else if (auto kept = starting->keep(); !kept) {
    return tl::make_unexpected(kept.error());
  }
  return sandbox;
}

Result<void> keep(Sandbox& sandbox) {
  LineChannel channel(std::move(sandbox.tie));
  auto told = channel.send(keep_word());
  sandbox.tie = channel.release();
  return told;
}

}  // namespace skerry::sandbox
