#include "sandbox/world/controller.h"

#include <chrono>

#include <nlohmann/json.hpp>

#include "sandbox/world/child.h"
#include "sandbox/world/fault_request.h"
#include "sandbox/world/files.h"

namespace skerry::sandbox {

namespace {

constexpr std::chrono::seconds answer_time{30};
constexpr std::chrono::seconds end_time{30};

}  // namespace

Result<Controller> Controller::connect(const Folder& folder) {
  auto socket = connect_unix(folder.control_socket());
  if (!socket) return fail(ErrorCode::not_found, "no sandbox is up in " + folder.path);
  return Controller(LineChannel(std::move(*socket)));
}

Result<Json> Controller::ask(const Json& request) {
  if (auto sent = channel_.send(request); !sent) return tl::make_unexpected(sent.error());
  auto answer = channel_.receive(answer_time);
  if (!answer) return answer;
  if (answer->is_object() && answer->value("ok", false)) return answer;
  const std::string* text = find_string(*answer, "error");
  return fail(ErrorCode::invalid_param, text != nullptr ? *text : "the supervisor's answer makes no sense");
}

Result<SandboxStatus> Controller::status() {
  auto answer = ask({{"op", "status"}});
  if (!answer) return tl::make_unexpected(answer.error());
  const Json* sandbox = find_object(*answer, "sandbox");
  return parse_status(sandbox != nullptr ? *sandbox : Json());
}

Result<void> Controller::command(const std::string& op, const std::string& server) {
  auto answer = ask({{"op", op}, {"server", server}});
  if (!answer) return tl::make_unexpected(answer.error());
  return {};
}

Result<void> Controller::add(const std::string& server, ServerKind kind, const std::string& program) {
  auto answer = ask({{"op", "add"}, {"server", server}, {"kind", to_text(kind)}, {"program", program}});
  if (!answer) return tl::make_unexpected(answer.error());
  return {};
}

Result<void> Controller::snapshot(const std::string& name, bool replace) {
  auto answer = ask({{"op", "snapshot"}, {"name", name}, {"replace", replace}});
  if (!answer) return tl::make_unexpected(answer.error());
  return {};
}

Result<void> Controller::restore(const std::string& name) {
  auto answer = ask({{"op", "restore"}, {"name", name}});
  if (!answer) return tl::make_unexpected(answer.error());
  return {};
}

Result<void> Controller::put(const std::vector<Fault>& faults) {
  auto answer = ask({{"op", "fault"}, {"faults", faults_json(faults)}});
  if (!answer) return tl::make_unexpected(answer.error());
  return {};
}

Result<void> Controller::link(const std::string& from, const std::string& to, bool one_way,
                              const LinkSettings& settings) {
  const auto faults = link_faults(from, to, one_way, settings);
  return faults ? put(*faults) : tl::make_unexpected(faults.error());
}

Result<void> Controller::partition(const std::vector<std::vector<std::string>>& groups) {
  Fault fault;
  fault.kind = FaultKind::partition;
  fault.groups = groups;
  return put({fault});
}

Result<std::vector<Fault>> Controller::faults() {
  auto answer = ask({{"op", "faults"}});
  if (!answer) return tl::make_unexpected(answer.error());
  std::vector<Fault> faults;
  for (const Json& each : answer->value("faults", Json::array())) {
    auto fault = parse_fault(each);
    if (!fault) return tl::make_unexpected(fault.error());
    faults.push_back(std::move(*fault));
  }
  return faults;
}

Result<void> Controller::heal(std::optional<FaultKind> kind) {
  Json request = {{"op", "heal"}};
  if (kind) request["kind"] = to_text(*kind);
  auto answer = ask(request);
  if (!answer) return tl::make_unexpected(answer.error());
  return {};
}

// The last that is heard of the supervisor is that its end of the socket is closed: by its exit, a moment before it is
// gone.
Result<void> Controller::down() {
  const Descriptor supervisor = watch_process(channel_.peer());
  if (auto sent = channel_.send({{"op", "down"}}); !sent) return {};
  while (true) {
    const auto answer = channel_.receive(end_time);
    if (answer) continue;
    if (answer.error().code == ErrorCode::unreachable) break;
    return tl::make_unexpected(answer.error());
  }
  wait_for_end(supervisor, end_time);
  return {};
}

Result<SandboxStatus> last_status(const Folder& folder) {
  const auto text = read_file(folder.sandbox_json());
  if (!text) return fail(ErrorCode::not_found, "there is no sandbox in " + folder.path + "; `skerry up` starts one");
  const auto json = parse_untrusted(*text, JsonNumbers::canonical);
  if (!json) return tl::make_unexpected(Error{json.error().code, folder.sandbox_json() + ": " + json.error().text});
  auto status = parse_status(*json);
  if (!status) return status;
  for (ServerStatus& server : status->servers) {
    // A supervisor that was killed could not write down that its servers went with it.
    if (server.pid) server.state = ServerState::killed;
    server.pid.reset();
    server.memory_bytes = 0;
  }
  status->faults.clear();
  return status;
}

}  // namespace skerry::sandbox
