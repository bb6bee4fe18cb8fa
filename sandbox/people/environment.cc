#include "sandbox/people/environment.h"

#include <array>
#include <cstdlib>
#include <filesystem>
#include <set>

#include "net/http_client.h"
#include "sandbox/world/files.h"

namespace skerry::sandbox {

namespace {

const std::string beginning = "SKERRY_";
constexpr std::array reserved = {"SANDBOX", "CA", "ROOM"};

// Of OpenSSL (and so of most, Python's ssl among them), of Python's requests, of curl, of Node.
constexpr std::array bundle_variables = {"SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE",
                                         "NODE_EXTRA_CA_CERTS"};
// Where distributions keep the certificates that all programs trust; the first that is there counts.
constexpr std::array system_bundles = {"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt",
                                       "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem"};
constexpr std::array proxy_exceptions = {"no_proxy", "NO_PROXY"};

std::string word(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool lower = c >= 'a' && c <= 'z';
    const bool kept = (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    out += lower ? static_cast<char>(c - 'a' + 'A') : kept ? c : '_';
  }
  return out;
}

std::string server_word(std::string_view server) { return word(server.substr(0, server.find('.'))); }

std::string host_of(const std::string& url) { return net::parse_url(url)->endpoint.connect_host; }

std::string from_environment(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

}  // namespace

Result<std::vector<std::vector<std::string>>> user_prefixes(const std::vector<std::string>& servers,
                                                            const std::vector<UserId>& users) {
  std::map<std::string, int> claims;
  for (const char* each : reserved) ++claims[each];
  for (const std::string& server : servers) ++claims[server_word(server)];
  std::vector<std::array<std::string, 2>> wanted;
  for (const UserId& user : users) {
    const std::string name = word(user.localpart());
    wanted.push_back({name, name + "_" + server_word(user.server().str())});
    for (const std::string& each : wanted.back()) ++claims[each];
  }
  std::vector<std::vector<std::string>> prefixes(users.size());
  std::set<std::string> seen;
  for (std::size_t i = 0; i < users.size(); ++i) {
    if (!seen.insert(users[i].str()).second) return fail(ErrorCode::invalid_param, users[i].str() + " is there twice");
    for (const std::string& each : wanted[i]) {
      if (claims[each] == 1) prefixes[i].push_back(beginning + each);
    }
  }
  for (std::size_t i = 0; i < users.size(); ++i) {
    if (prefixes[i].empty()) {
      return fail(ErrorCode::invalid_param, "no variables could be told to be those of " + users[i].str() +
                                                ": others begin with " + beginning + wanted[i].back() + " too");
    }
  }
  return prefixes;
}

Variables sandbox_variables(const SandboxStatus& status, const Folder& folder, const std::vector<Account>& accounts,
                            const CommonRoom& room) {
  Variables out;
  out["SKERRY"] = program_folder() + "/skerry";
  out[folder_variable] = folder.path;
  out["SKERRY_SANDBOX_JSON"] = folder.sandbox_json();
  out["SKERRY_CA_FILE"] = status.ca_file;
  for (const ServerStatus& server : status.servers) {
    const std::string prefix = beginning + server_word(server.name);
    out[prefix + "_NAME"] = server.name;
    out[prefix + "_URL"] = server.client_url;
    out[prefix + "_HTTPS_URL"] = "https://" + host_of(server.client_url) + ":" + std::to_string(status.https_port);
  }
  std::vector<UserId> users;
  for (const Account& account : accounts) users.push_back(account.user);
  const auto prefixes = user_prefixes(status.names(), users);
  for (std::size_t i = 0; i < accounts.size(); ++i) {
    const Account& account = accounts[i];
    for (const std::string& prefix : (*prefixes)[i]) {
      out[prefix + "_USER_ID"] = account.user.str();
      out[prefix + "_TOKEN"] = account.access_token;
      out[prefix + "_DEVICE_ID"] = account.device_id;
      out[prefix + "_PASSWORD"] = account.password;
      out[prefix + "_URL"] = status.server(account.user.server().str()).client_url;
    }
  }
  if (room.id.empty()) return out;
  out["SKERRY_ROOM_ID"] = room.id;
  out["SKERRY_ROOM_ALIAS"] = room.alias;
  return out;
}

Result<Variables> trust_variables(const SandboxStatus& status, const Folder& folder) {
  auto authority = read_file(status.ca_file);
  if (!authority) return tl::make_unexpected(authority.error());
  std::set<std::string> trusted;
  for (const char* file : system_bundles) {
    std::error_code absent;
    if (!std::filesystem::exists(file, absent)) continue;
    trusted.insert(file);
    break;
  }
  for (const char* name : bundle_variables) {
    if (const std::string file = from_environment(name); !file.empty()) trusted.insert(file);
  }
  std::string bundle = *authority;
  for (const std::string& file : trusted) {
    if (const auto text = read_file(file)) bundle += "\n" + *text;  // named and not there: no program here trusts it
  }
  if (auto written = write_file(folder.ca_bundle_file(), bundle); !written) return tl::make_unexpected(written.error());

  Variables out;
  for (const char* name : bundle_variables) out[name] = folder.ca_bundle_file();
  for (const char* name : proxy_exceptions) {
    std::string hosts = from_environment(name);
    for (const ServerStatus& server : status.servers) {
      hosts += (hosts.empty() ? "" : ",") + host_of(server.client_url);
    }
    out[name] = hosts;
  }
  return out;
}

}  // namespace skerry::sandbox
