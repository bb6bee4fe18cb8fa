#include "sandbox/world/plan.h"

#include <algorithm>
#include <arpa/inet.h>
#include <chrono>
#include <cstring>
#include <sstream>
#include <thread>

#include <nlohmann/json.hpp>

#include "core/json.h"
#include "sandbox/world/appservices.h"
#include "sandbox/world/files.h"
#include "sandbox/world/names.h"
#include "sandbox/world/synapse.h"

namespace skerry::sandbox {

namespace {

constexpr std::uint16_t usual_federation_port = Ports{}.federation;
// Servers of a supervisor that was killed end within moments; their ports are worth the wait.
constexpr std::chrono::milliseconds port_patience{300};
constexpr std::chrono::milliseconds port_step{10};

struct AddedServer {
  std::string name;
  ServerKind kind{};
  std::string program;
};

// As a public server has them that keeps to what the most widespread software comes with. What other servers may do is
// limited as by default: it is for servers of one operator here as there.
constexpr const char* real_limits =
    "login = { per_second = 0.003, burst = 5 }\n"
    "registration = { per_second = 0.17, burst = 3 }\n"
    "message = { per_second = 0.2, burst = 10 }\n"
    "join = { per_second = 0.1, burst = 10 }\n";

struct Remembered {
  int slot = 0;
  std::size_t servers = 0;
  std::vector<AddedServer> added;
  Ports ports;
};

Remembered remembered(const Folder& folder) {
  Remembered found;
  const auto text = read_file(folder.places_json());
  const auto json = text ? parse_untrusted(*text, JsonNumbers::canonical) : Result<Json>(Json());
  if (!json || !json->is_object()) return found;
  const auto number = [&json](const char* key, std::int64_t most) -> std::int64_t {
    const Json* value = find_member(*json, key);
    if (value == nullptr || !value->is_number_integer()) return 0;
    const auto given = value->get<std::int64_t>();
    return given > 0 && given <= most ? given : 0;
  };
  found.slot = static_cast<int>(number("slot", max_slot));
  found.servers = static_cast<std::size_t>(number("servers", max_servers));
  if (const Json* added = find_array(*json, "added")) {
    for (const Json& each : *added) {
      const std::string* name = find_string(each, "name");
      const std::string* kind = find_string(each, "kind");
      const auto parsed = parse_server_kind(kind != nullptr ? *kind : "");
      const std::string* program = find_string(each, "program");
      if (name != nullptr && parsed) found.added.push_back({*name, *parsed, program != nullptr ? *program : ""});
    }
  }
  const auto port = [&number](const char* key, std::uint16_t usual) {
    const auto value = static_cast<std::uint16_t>(number(key, 65'535));
    return value == 0 ? usual : value;
  };
  found.ports = {port("federation_port", found.ports.federation), port("client_port", found.ports.client),
                 port("https_port", found.ports.https)};
  return found;
}

bool free_everywhere(const std::vector<ServerPlan>& servers, std::uint16_t port) {
  for (const ServerPlan& server : servers) {
    if (!can_listen(server.own, port)) return false;
    if (server.gateway != server.own && !can_listen(server.gateway, port)) return false;
  }
  return true;
}

Result<std::uint16_t> choose_port(const std::vector<ServerPlan>& servers, std::uint16_t wanted, bool expected) {
  const auto deadline = std::chrono::steady_clock::now() + (expected ? port_patience : std::chrono::milliseconds(0));
  while (!free_everywhere(servers, wanted)) {
    if (std::chrono::steady_clock::now() >= deadline) {
      for (std::uint32_t port = wanted + 10'000; port < 32'768; port += 7) {  // below the range of outgoing connections
        if (free_everywhere(servers, static_cast<std::uint16_t>(port))) return static_cast<std::uint16_t>(port);
      }
      return fail(ErrorCode::storage, "no free port for " + servers.front().own);
    }
    std::this_thread::sleep_for(port_step);
  }
  return wanted;
}

std::string toml_text(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    char escaped[8];
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      std::snprintf(escaped, sizeof escaped, "\\u%04x", static_cast<unsigned>(static_cast<unsigned char>(c)));
      out += escaped;
    } else {
      out += c;
    }
  }
  return out + "\"";
}

// At the addresses behind those of the others.
void append(Plan& plan, const std::string& name, ServerKind kind, const std::string& program = {}) {
  const std::size_t index = plan.servers.size();
  const std::string own = own_address(plan.slot.number, index);
  const std::string gateway = plan.traits.direct ? own : gateway_address(plan.slot.number, index);
  plan.servers.push_back({name, own, gateway, kind, program});
}

// Nothing for none.
std::string appservices_table(const std::vector<std::string>& files) {
  std::string list;
  for (const std::string& file : files) list += (list.empty() ? "" : ", ") + toml_text(file);
  return list.empty() ? "" : "\n[appservices]\nregistrations = [" + list + "]\n";
}

}  // namespace

std::string to_text(ServerKind kind) { return kind == ServerKind::synapse ? "synapse" : "skerry"; }

Result<ServerKind> parse_server_kind(std::string_view text) {
  for (const ServerKind kind : {ServerKind::skerry, ServerKind::synapse}) {
    if (to_text(kind) == text) return kind;
  }
  return fail(ErrorCode::invalid_param, std::string(text) + " is no kind of server");
}

std::vector<std::string> Plan::names() const {
  std::vector<std::string> names;
  for (const ServerPlan& server : servers) names.push_back(server.name);
  return names;
}

std::string Plan::client_url(const ServerPlan& server) const {
  return "http://" + server.gateway + ":" + std::to_string(ports.client);
}

std::string Plan::federation_address(const ServerPlan& server) const {
  return server.gateway + ":" + std::to_string(ports.federation);
}

Zone Plan::zone() const {
  Zone zone;
  for (const ServerPlan& server : servers) {
    in_addr address{};
    ::inet_pton(AF_INET, server.gateway.c_str(), &address);
    std::memcpy(zone.addresses[server.name].data(), &address, sizeof address);
    if (ports.federation == usual_federation_port) continue;
    zone.services["_matrix-fed._tcp." + server.name] = {server.name, ports.federation};
    zone.services["_matrix._tcp." + server.name] = {server.name, ports.federation};
  }
  return zone;
}

Result<Plan> make_plan(const Folder& folder, std::size_t servers, const ServerTraits& traits) {
  const Remembered before = remembered(folder);
  Plan plan;
  auto slot = take_slot(before.slot);
  if (!slot) return tl::make_unexpected(slot.error());
  plan.slot = std::move(*slot);
  plan.traits = traits;
  const int number = plan.slot.number;
  for (std::size_t i = 0; i < servers; ++i) append(plan, server_name(i), ServerKind::skerry);
  for (const AddedServer& added : before.added) append(plan, added.name, added.kind, synapse_python(added.program));
  const bool expected = before.slot == number;
  const Ports wanted = expected ? before.ports : Ports{};
  for (const auto& [port, target] :
       {std::pair{wanted.federation, &plan.ports.federation}, std::pair{wanted.client, &plan.ports.client},
        std::pair{wanted.https, &plan.ports.https}}) {
    auto chosen = choose_port(plan.servers, port, expected);
    if (!chosen) return tl::make_unexpected(chosen.error());
    *target = *chosen;
  }
  return plan;
}

Result<void> plan_another(Plan& plan, const std::string& typed, ServerKind kind, const std::string& program) {
  if (plan.servers.size() == max_servers) return fail(ErrorCode::invalid_param, "a sandbox has no more servers");
  const auto name = new_server_name(plan.names(), typed);
  if (!name) return tl::make_unexpected(name.error());
  append(plan, *name, kind, program);
  for (const std::uint16_t port : {plan.ports.federation, plan.ports.client, plan.ports.https}) {
    if (free_everywhere({plan.servers.back()}, port)) continue;
    const std::string address = plan.servers.back().own;
    plan.servers.pop_back();
    return fail(ErrorCode::storage, "port " + std::to_string(port) + " of " + address + " is taken");
  }
  return {};
}

Result<void> remember_plan(const Folder& folder, const Plan& plan) {
  Json added = Json::array();
  for (const ServerPlan& server : plan.servers) {
    if (server.kind == ServerKind::skerry) continue;
    added.push_back({{"name", server.name}, {"kind", to_text(server.kind)}, {"program", server.program}});
  }
  const std::size_t own = plan.servers.size() - added.size();
  return write_file(folder.places_json(), dump({{"slot", plan.slot.number},
                                                {"servers", own},
                                                {"added", std::move(added)},
                                                {"federation_port", plan.ports.federation},
                                                {"client_port", plan.ports.client},
                                                {"https_port", plan.ports.https}}) +
                                              "\n");
}

std::size_t remembered_servers(const Folder& folder) { return remembered(folder).servers; }

std::vector<std::string> remembered_names(const Folder& folder) {
  const Remembered before = remembered(folder);
  std::vector<std::string> names = server_names(before.servers);
  for (const AddedServer& added : before.added) names.push_back(added.name);
  return names;
}

std::vector<std::string> remembered_programs(const Folder& folder, ServerKind kind) {
  std::vector<std::string> programs;
  for (const AddedServer& added : remembered(folder).added) {
    if (added.kind == kind) programs.push_back(added.program);
  }
  return programs;
}

std::string homeserver_config(const Plan& plan, const ServerPlan& server, const Folder& folder,
                              const std::string& dns) {
  std::ostringstream text;
  const auto listener = [&](std::uint16_t port, bool tls, bool client_api, bool federation_api) {
    text << "\n[[listeners]]\naddress = " << toml_text(server.own) << "\nport = " << port << "\n";
    if (tls) text << "tls = true\ncertificate_file = \"certificate.pem\"\nkey_file = \"key.pem\"\n";
    text << "client_api = " << (client_api ? "true" : "false")
         << "\nfederation_api = " << (federation_api ? "true" : "false") << "\n";
  };
  text << "# Written by skerry at each start of the sandbox.\n"
       << "server_name = " << toml_text(server.name) << "\ndata_folder = \"data\"\n";
  listener(plan.ports.federation, true, false, true);
  listener(plan.ports.client, false, true, false);
  listener(plan.ports.https, true, true, false);
  text << "\n[well_known]\nclient_url = " << toml_text(plan.client_url(server)) << "\n"
       << "\n[registration]\nopen = true\n"
       << appservices_table(kept_appservices(folder, server.name))
       << (plan.traits.cheap_passwords ? "\n[passwords]\nmemory_mib = 1\npasses = 1\n" : "") << "\n[rate_limits]\n"
       << (plan.traits.real_limits ? real_limits : "enabled = false\n")
       << "\n[federation]\nsystem_store = false\nca_files = [" << toml_text(folder.ca_file()) << "]\n"
       << "allowed_private_ranges = [\"127.0.0.0/8\"]\nbind_address = " << toml_text(server.own) << "\n"
       << "backoff_first_ms = 100\nbackoff_max_ms = 2000  # who waits ten minutes learns nothing\n"
       << "\n[discovery]\nresolver = [" << toml_text(dns) << "]\nhttps_port = " << plan.ports.https << "\n";
  return text.str();
}

}  // namespace skerry::sandbox
