#include "sandbox/world/status.h"

#include <array>
#include <stdexcept>

#include <nlohmann/json.hpp>

namespace skerry::sandbox {

namespace {

constexpr int format_version = 1;
constexpr std::array states = {ServerState::running, ServerState::blocked, ServerState::stopped, ServerState::killed};

ServerState state_of(const std::string& text) {
  for (const ServerState state : states) {
    if (to_text(state) == text) return state;
  }
  throw std::out_of_range("unknown state " + text);
}

}  // namespace

std::string to_text(ServerState state) {
  switch (state) {
    case ServerState::running:
      return "running";
    case ServerState::blocked:
      return "blocked";
    case ServerState::stopped:
      return "stopped";
    case ServerState::killed:
      return "killed";
  }
  return "";
}

std::vector<std::string> SandboxStatus::names() const {
  std::vector<std::string> out;
  for (const ServerStatus& server : servers) out.push_back(server.name);
  return out;
}

const ServerStatus& SandboxStatus::server(const std::string& name) const {
  for (const ServerStatus& server : servers) {
    if (server.name == name) return server;
  }
  throw std::out_of_range("no server " + name);
}

Json public_json(const SandboxStatus& status) {
  Json servers = Json::array();
  for (const ServerStatus& server : status.servers) {
    servers.push_back({{"name", server.name},
                       {"kind", to_text(server.kind)},
                       {"client_url", server.client_url},
                       {"federation_address", server.federation_address},
                       {"pid", server.pid ? Json(*server.pid) : Json()},
                       {"memory_bytes", server.memory_bytes},
                       {"state", to_text(server.state)}});
  }
  return {{"version", format_version},
          {"servers", std::move(servers)},
          {"ca_file", status.ca_file},
          {"dns_address", status.dns_address},
          {"faults", faults_json(status.faults)}};
}

Json full_json(const SandboxStatus& status) {
  Json json = public_json(status);
  for (std::size_t i = 0; i < status.servers.size(); ++i) {
    json["servers"][i]["own_client_url"] = status.servers[i].own_client_url;
    json["servers"][i]["reachable"] = status.servers[i].reachable;
    json["servers"][i]["program"] = status.servers[i].program;
  }
  json["supervisor_pid"] = status.supervisor_pid;
  json["direct"] = status.direct;
  json["real_limits"] = status.real_limits;
  json["https_port"] = status.https_port;
  return json;
}

Result<SandboxStatus> parse_status(const Json& json) {
  try {
    if (json.at("version").get<int>() != format_version) {
      return fail(ErrorCode::bad_json, "a sandbox of another version of this program");
    }
    SandboxStatus status;
    status.ca_file = json.at("ca_file").get<std::string>();
    status.dns_address = json.at("dns_address").get<std::string>();
    status.supervisor_pid = json.value("supervisor_pid", 0);
    status.direct = json.value("direct", false);
    status.real_limits = json.value("real_limits", false);
    status.https_port = json.value("https_port", std::uint16_t{0});
    for (const Json& entry : json.at("servers")) {
      ServerStatus server;
      server.name = entry.at("name").get<std::string>();
      server.client_url = entry.at("client_url").get<std::string>();
      server.federation_address = entry.at("federation_address").get<std::string>();
      if (!entry.at("pid").is_null()) server.pid = entry.at("pid").get<pid_t>();
      server.memory_bytes = entry.at("memory_bytes").get<std::uint64_t>();
      server.state = state_of(entry.at("state").get<std::string>());
      const auto kind = parse_server_kind(entry.value("kind", to_text(ServerKind::skerry)));
      if (!kind) return tl::make_unexpected(kind.error());
      server.kind = *kind;
      server.own_client_url = entry.value("own_client_url", std::string());
      server.reachable = entry.value("reachable", true);
      server.program = entry.value("program", std::string());
      status.servers.push_back(std::move(server));
    }
    for (const Json& entry : json.value("faults", Json::array())) {
      auto fault = parse_fault(entry);
      if (!fault) return tl::make_unexpected(fault.error());
      status.faults.push_back(std::move(*fault));
    }
    return status;
  } catch (const std::exception& error) {
    return fail(ErrorCode::bad_json, std::string("not the state of a sandbox: ") + error.what());
  }
}

}  // namespace skerry::sandbox
