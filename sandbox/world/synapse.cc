#include "sandbox/world/synapse.h"

#include <unistd.h>

#include <nlohmann/json.hpp>

#include "core/json.h"
#include "homeserver/signing_key.h"
#include "net/runtime.h"
#include "sandbox/world/files.h"

namespace skerry::sandbox {

namespace {

constexpr const char* launcher_file = "/launch.py";
constexpr const char* config_file = "/homeserver.yaml";
constexpr const char* log_config_file = "/log.yaml";
constexpr const char* signing_key_file = "/signing.key";

// Twisted is what Synapse resolves names and opens connections with. Set so before Synapse starts, it needs no hosts
// file, no port 53 and no privilege, and the gateway knows who speaks.
constexpr const char* launcher =
    R"(# Written by skerry at each start of the sandbox. Runs Synapse as one of its servers: names come from the sandbox's DNS,
# and connections from the server's own address.
import os
import sys

own_address, dns_address, dns_port, ca_file, config = sys.argv[1:]
os.environ["SSL_CERT_FILE"] = ca_file

from twisted.internet import defer, reactor
from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.error import DNSLookupError
from twisted.internet.interfaces import IResolverSimple
from twisted.names import client, dns
from zope.interface import implementer

# Short waits: it is on this machine, and answers at once or never.
client.theResolver = client.Resolver(servers=[(dns_address, int(dns_port))], timeout=(1, 2))


@implementer(IResolverSimple)
class SandboxNames:
    def getHostByName(self, name, timeout=()):
        if isIPAddress(name) or isIPv6Address(name):
            return defer.succeed(name)

        def first_address(result):
            for record in result[0]:
                if record.type == dns.A:
                    return record.payload.dottedQuad()
            raise DNSLookupError("no address for " + name)

        def unknown(failure):
            raise DNSLookupError(name + ": " + failure.getErrorMessage())

        return client.theResolver.lookupAddress(name).addCallback(first_address).addErrback(unknown)


reactor.installResolver(SandboxNames())
reactor.installNameResolver = lambda resolver: reactor.nameResolver  # Synapse would put getaddrinfo() there

connect = reactor.connectTCP
reactor.connectTCP = lambda host, port, factory, timeout=30, bindAddress=None: connect(
    host, port, factory, timeout, bindAddress or (own_address, 0)
)

sys.argv[1:] = ["--config-path", config]
from synapse.app.homeserver import main

main()
)";

Json rate(double per_second) { return {{"per_second", per_second}, {"burst_count", static_cast<int>(per_second)}}; }

Json listener(const ServerPlan& server, std::uint16_t port, bool tls, const char* resource) {
  return {{"port", port},
          {"type", "http"},
          {"tls", tls},
          {"bind_addresses", Json::array({server.own})},
          {"resources", Json::array({{{"names", Json::array({resource})}}})}};
}

// What keeps a public server safe keeps a test waiting.
void relax_limits(Json& config) {
  const Json much = rate(1'000'000);
  for (const char* key : {"rc_message", "rc_registration", "rc_registration_token_validity", "rc_admin_redaction",
                          "rc_joins_per_room", "rc_key_requests", "rc_third_party_invite", "rc_media_create",
                          "rc_delayed_event_mgmt", "rc_room_creation", "rc_reports", "rc_user_directory"}) {
    config[key] = much;
  }
  config["rc_login"] = {{"address", much}, {"account", much}, {"failed_attempts", much}};
  config["rc_joins"] = {{"local", much}, {"remote", much}};
  config["rc_invites"] = {{"per_room", much}, {"per_user", much}, {"per_issuer", much}};
  config["rc_presence"] = {{"per_user", much}};
  config["rc_federation"] = {{"window_size", 1'000},
                             {"sleep_limit", 1'000'000},
                             {"sleep_delay", 1},
                             {"reject_limit", 1'000'000},
                             {"concurrent", 100}};
  config["federation_rr_transactions_per_room_per_second"] = 1'000'000;
}

// As our own servers have it: who waits ten minutes learns nothing. Bare numbers are milliseconds.
void shorten_backoff(Json& config) {
  config["federation"] = {{"client_timeout", 20'000},          {"max_short_retries", 1},
                          {"max_short_retry_delay", 500},      {"max_long_retries", 1},
                          {"max_long_retry_delay", 1'000},     {"destination_min_retry_interval", 100},
                          {"destination_retry_multiplier", 2}, {"destination_max_retry_interval", 2'000}};
}

// JSON is YAML.
Json synapse_config(const Plan& plan, const ServerPlan& server, const Folder& folder) {
  const std::string here = folder.server(server.name);
  Json config = {{"server_name", server.name},
                 {"public_baseurl", plan.client_url(server) + "/"},
                 {"pid_file", here + "/pid"},
                 {"listeners", Json::array({listener(server, plan.ports.federation, true, "federation"),
                                            listener(server, plan.ports.client, false, "client"),
                                            listener(server, plan.ports.https, true, "client")})},
                 {"tls_certificate_path", here + "/certificate.pem"},
                 {"tls_private_key_path", here + "/key.pem"},
                 {"federation_custom_ca_list", Json::array({folder.ca_file()})},
                 {"ip_range_blacklist", Json::array()},
                 {"signing_key_path", here + signing_key_file},
                 {"trusted_key_servers", Json::array()},
                 {"suppress_key_server_warning", true},
                 {"database", {{"name", "sqlite3"}, {"args", {{"database", here + "/homeserver.db"}}}}},
                 {"media_store_path", here + "/media"},
                 {"log_config", here + log_config_file},
                 {"report_stats", false},
                 {"enable_registration", true},
                 {"enable_registration_without_verification", true},
                 {"bcrypt_rounds", 4},
                 {"presence", {{"enabled", true}}},
                 {"allow_public_rooms_over_federation", true},
                 {"allow_public_rooms_without_auth", true},
                 {"room_list_publication_rules", Json::array({{{"action", "allow"}}})},
                 {"user_directory", {{"enabled", true}, {"search_all_users", true}}}};
  shorten_backoff(config);
  if (!plan.traits.real_limits) relax_limits(config);
  return config;
}

Json log_config() {
  return {{"version", 1},
          {"disable_existing_loggers", false},
          {"formatters", {{"line", {{"format", "%(asctime)s %(levelname)s %(name)s: %(message)s"}}}}},
          {"handlers",
           {{"out", {{"class", "logging.StreamHandler"}, {"formatter", "line"}, {"stream", "ext://sys.stdout"}}}}},
          {"root", {{"level", "INFO"}, {"handlers", Json::array({"out"})}}}};
}

}  // namespace

Result<void> write_synapse_settings(const Plan& plan, const ServerPlan& server, const Folder& folder) {
  const std::string here = folder.server(server.name);
  const std::string key = here + signing_key_file;
  if (::access(key.c_str(), F_OK) != 0) {
    const std::string line = homeserver::generate_signing_key_line(net::system_random());
    if (auto written = write_file(key, line + "\n"); !written) return written;
  }
  for (const auto& [file, text] : {std::pair<const char*, std::string>{launcher_file, launcher},
                                   {config_file, synapse_config(plan, server, folder).dump(1) + "\n"},
                                   {log_config_file, log_config().dump(1) + "\n"}}) {
    if (auto written = write_file(here + file, text); !written) return written;
  }
  return {};
}

std::vector<std::string> synapse_command(const ServerPlan& server, const Folder& folder, const std::string& dns) {
  const std::string here = folder.server(server.name);
  const auto colon = dns.rfind(':');
  return {server.program,        here + launcher_file, server.own,        dns.substr(0, colon),
          dns.substr(colon + 1), folder.ca_file(),     here + config_file};
}

}  // namespace skerry::sandbox
