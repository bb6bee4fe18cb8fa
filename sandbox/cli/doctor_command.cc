// doctor: what is wrong with a server, as others see it.
#include <algorithm>
#include <future>
#include <iostream>

#include <nlohmann/json.hpp>

#include "net/runtime.h"
#include "sandbox/cli/commands.h"
#include "sandbox/doctor/doctor.h"
#include "sandbox/world/controller.h"
#include "sandbox/world/names.h"
#include "storage/inspection.h"

namespace skerry::sandbox {

namespace {

bool is_frozen(const SandboxStatus& status, const std::string& server) {
  return std::any_of(status.faults.begin(), status.faults.end(),
                     [&](const Fault& fault) { return fault.kind == FaultKind::freeze && fault.server == server; });
}

// What only the one who runs the sandbox can know: whether the process lives.
Finding process_finding(const SandboxStatus& status, const ServerStatus& server) {
  const std::string name = server.name;
  if (is_frozen(status, name)) {
    return {"process", Outcome::wrong, "it is frozen: it takes connections, and is silent", "skerry thaw " + name};
  }
  switch (server.state) {
    case ServerState::running:
      return {"process", Outcome::good, "it runs", ""};
    case ServerState::blocked:
      return {"process", Outcome::wrong, "it runs, and the gateway cuts it from everyone", "skerry unblock " + name};
    case ServerState::stopped:
      return {"process", Outcome::wrong, "it does not run", "skerry start " + name};
    case ServerState::killed:
      return {"process", Outcome::wrong, "it was ended by a signal",
              "skerry start " + name + ", or see skerry logs " + name};
  }
  return {};
}

// Who of the others has given the server up for a while. A server without a database of ours is passed over.
void add_backoffs(const Folder& folder, const SandboxStatus& status, const std::string& server, Diagnosis& diagnosis) {
  const auto name = ServerName::parse(server);
  if (!name) return;
  bool asked = false;
  bool held = false;
  for (const ServerStatus& other : status.servers) {
    if (other.name == server) continue;
    const auto database = storage::inspect_sqlite(folder.server(other.name) + "/data");
    const auto destination = database ? (*database)->destination(*name) : tl::make_unexpected(database.error());
    if (!destination) continue;
    asked = true;
    const std::int64_t wait_ms = destination->retry_at_ms - net::system_clock().now_ms();
    if (wait_ms <= 0) continue;
    held = true;
    diagnosis.findings.push_back(
        {"backoff", Outcome::wrong,
         other.name + " could not reach it, and tries again in " + std::to_string((wait_ms + 999) / 1'000) + " s",
         "Once it is mended: wait, or let it send something to " + other.name + ", which ends the wait at once."});
  }
  if (asked && !held)
    diagnosis.findings.push_back({"backoff", Outcome::good, "no other server waits before trying again", ""});
}

DoctorOptions options_in(const SandboxStatus& status, const ServerStatus& server) {
  DoctorOptions options;
  options.dns = {status.dns_address};
  options.trust.system_store = false;
  options.trust.ca_files = {status.ca_file};
  options.policy = net::AddressPolicy::allow_all();
  options.https_port = status.https_port;
  options.client_url = server.client_url;
  return options;
}

// All at once: each waits mostly.
std::vector<Diagnosis> examine_sandbox(const Folder& folder, const SandboxStatus& status,
                                       const std::vector<std::string>& names) {
  std::vector<std::future<Diagnosis>> under_way;
  std::vector<Diagnosis> diagnoses;
  constexpr std::size_t at_once = 8;
  for (std::size_t begun = 0; diagnoses.size() < names.size();) {
    for (; begun < names.size() && begun < diagnoses.size() + at_once; ++begun) {
      const ServerStatus& server = status.server(names[begun]);
      under_way.push_back(std::async(std::launch::async, [&folder, &status, &server] {
        Diagnosis diagnosis = examine(server.name, options_in(status, server));
        diagnosis.findings.insert(diagnosis.findings.begin() + 1, process_finding(status, server));
        add_backoffs(folder, status, server.name, diagnosis);
        return diagnosis;
      }));
    }
    diagnoses.push_back(under_way[diagnoses.size()].get());
  }
  return diagnoses;
}

Result<std::vector<Diagnosis>> in_sandbox(const Arguments& args) {
  const Folder folder = choose_folder(args.dir);
  auto controller = Controller::connect(folder);
  if (!controller) return tl::make_unexpected(controller.error());
  const auto status = controller->status();
  if (!status) return tl::make_unexpected(status.error());
  std::vector<std::string> names = status->names();
  if (!args.server.empty()) {
    auto name = find_server(names, args.server);
    if (!name) return tl::make_unexpected(name.error());
    names = {std::move(*name)};
  }
  return examine_sandbox(folder, *status, names);
}

Result<std::vector<Diagnosis>> elsewhere(const Arguments& args) {
  if (args.server.empty()) return fail(ErrorCode::missing_param, "which server? Name it before --dns, --ca, --allow");
  DoctorOptions options;
  options.dns = args.dns;
  options.trust.ca_files = args.ca_files;
  options.https_port = args.https_port;
  auto policy = net::AddressPolicy::make(args.allow);
  if (!policy) return tl::make_unexpected(policy.error());
  options.policy = std::move(*policy);
  return std::vector<Diagnosis>{examine(args.server, options)};
}

}  // namespace

Result<void> doctor_command(const Arguments& args) {
  const bool outside = args.outside || !args.dns.empty() || !args.ca_files.empty() || !args.allow.empty();
  const auto diagnoses = outside ? elsewhere(args) : in_sandbox(args);
  if (!diagnoses) return tl::make_unexpected(diagnoses.error());
  std::size_t ill = 0;
  Json servers = Json::array();
  for (const Diagnosis& diagnosis : *diagnoses) {
    ill += diagnosis.healthy() ? 0 : 1;
    if (args.json) servers.push_back(to_json(diagnosis));
    if (!args.json) std::cout << to_text(diagnosis) << "\n";
  }
  if (args.json) std::cout << dump({{"healthy", ill == 0}, {"servers", std::move(servers)}}) << "\n";
  if (ill == 0) return {};
  return fail(ErrorCode::remote_error, "something is wrong with " + std::to_string(ill) + " of " +
                                           std::to_string(diagnoses->size()) + " servers");
}

}  // namespace skerry::sandbox
