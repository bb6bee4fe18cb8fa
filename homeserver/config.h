// The configuration of one homeserver, from a TOML file. configs/homeserver.toml is the commented sample.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/ids.h"
#include "core/result.h"

namespace skerry::homeserver {

struct ListenerConfig {
  std::string address;
  std::uint16_t port = 0;
  bool tls = false;
  std::string certificate_file;
  std::string key_file;
  bool client_api = true;
  bool federation_api = true;
};

struct RateLimit {
  double per_second = 0;
  double burst = 0;
};

struct Config {
  ServerName server_name;
  std::string data_folder;
  std::string signing_key_file;  // default: data_folder/signing.key
  std::string log_level = "info";
  std::string log_format = "text";  // or "json"
  bool log_ip_addresses = false;    // whether refused logins and registrations are logged with their address
  std::string public_client_url;    // for /.well-known/matrix/client; empty: 404
  std::string well_known_server;    // for /.well-known/matrix/server; empty: 404
  std::vector<ListenerConfig> listeners;
  std::size_t connections_per_address = 512;  // loopback apart; 0: any number

  struct MetricsListener {  // plain HTTP; without an address: off
    std::string address;
    std::uint16_t port = 0;
  } metrics;

  struct Support {  // for /.well-known/matrix/support; without contacts and page: 404
    struct Contact {
      std::string role;
      std::string matrix_id;
      std::string email_address;
    };
    std::vector<Contact> contacts;
    std::string page;
  } support;

  struct Registration {
    bool open = false;
    std::string shared_secret;  // empty: /_synapse/admin/v1/register is off
  } registration;

  struct Sessions {
    std::chrono::milliseconds access_token_lifetime{300'000};  // of tokens that can be refreshed; others do not expire
  } sessions;

  std::vector<std::string> appservice_registrations;  // files

  struct Passwords {
    std::uint64_t memory_bytes = 19 * 1'048'576;
    std::uint64_t passes = 2;
    int at_once = 2;
  } passwords;

  struct Media {
    std::int64_t max_bytes = 50 * std::int64_t{1'048'576};              // of one upload, and of one of another server
    std::int64_t user_bytes = 2'048 * std::int64_t{1'048'576};          // of all that one user uploaded
    std::int64_t remote_cache_bytes = 1'024 * std::int64_t{1'048'576};  // of what other servers' media may take
    bool unauthenticated_downloads = false;  // whether the deprecated endpoints give anything
  } media;

  struct RateLimits {
    bool enabled = true;
    RateLimit login{0.17, 5};         // per address and per user
    RateLimit registration{0.17, 5};  // per address
    RateLimit message{10, 50};        // per user
    RateLimit join{0.5, 10};          // per user
    RateLimit media{5, 100};          // per user: uploads, and ids made for them
    RateLimit federation{50, 500};    // per other server: its signed requests
    RateLimit invite{0.3, 30};        // per other server that invites, and per user who is invited by other servers
  } rate_limits;

  struct Presence {
    bool enabled = true;                              // when not, nobody is ever there, and nothing is kept
    std::chrono::milliseconds idle_after{300'000};    // without activity: unavailable
    std::chrono::milliseconds offline_after{30'000};  // after the last /sync should have ended
  } presence;

  struct Federation {
    bool system_store = true;
    std::vector<std::string> ca_files;
    std::vector<std::string> resolver;  // "address:port"; empty: the system's
    std::vector<std::string> allowed_private_ranges;
    std::uint16_t https_port = 443;  // discovery.https_port
    std::string bind_address;
    std::chrono::milliseconds backoff_first{1'000};
    std::chrono::milliseconds backoff_max{600'000};
    std::vector<ServerName> notaries;  // asked for keys that an origin does not give
  } federation;
};

// Relative paths in it are taken from the file's folder. Errors: storage when it cannot be read; invalid_param with one
// line "FILE:LINE: KEY: what is wrong" per problem. Unknown keys are problems.
Result<Config> read_config(const std::string& file);
// The same for the text of such a file, which need not exist.
Result<Config> parse_config(std::string_view text, const std::string& file);
// The commented sample, a valid configuration.
std::string sample_config();

}  // namespace skerry::homeserver
