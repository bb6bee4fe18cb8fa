// Reads the TOML file key by key: what nobody asked for is unknown, and each problem names its line.
#include "homeserver/config.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>

#include <toml++/toml.h>

#include "net/address.h"

namespace skerry::homeserver {

namespace {

class Problems {
 public:
  explicit Problems(std::string file) : file_(std::move(file)) {}

  void add(const toml::source_region& where, const std::string& key, const std::string& text) {
    lines_.push_back({where.begin.line, file_ + ":" + std::to_string(where.begin.line) + ": " + key + ": " + text});
  }
  bool none() const { return lines_.empty(); }
  std::string text() {
    std::stable_sort(lines_.begin(), lines_.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    std::string joined;
    for (const auto& [line, text] : lines_) joined += (joined.empty() ? "" : "\n") + text;
    return joined;
  }

 private:
  std::string file_;
  std::vector<std::pair<toml::source_index, std::string>> lines_;
};

// One table of the file. Each get leaves its target alone when the key is absent or wrong.
class Section {
 public:
  Section(const toml::table& table, std::string path, Problems& problems)
      : table_(table), path_(std::move(path)), problems_(problems) {}

  const toml::node* find(const std::string& key) {
    asked_.insert(key);
    return table_.get(key);
  }

  void problem(const std::string& key, const std::string& text) {
    const toml::node* node = table_.get(key);
    problems_.add(node != nullptr ? node->source() : table_.source(), path_ + key, text);
  }

  bool required(const std::string& key) {
    if (find(key) != nullptr) return true;
    problem(key, "is required");
    return false;
  }

  void get(const std::string& key, std::string& target) {
    const toml::node* node = find(key);
    if (node == nullptr) return;
    if (!node->is_string()) return problem(key, "must be a text in quotes");
    target = node->as_string()->get();
  }

  void get(const std::string& key, bool& target) {
    const toml::node* node = find(key);
    if (node == nullptr) return;
    if (!node->is_boolean()) return problem(key, "must be true or false");
    target = node->as_boolean()->get();
  }

  template <class Number>
  void get_number(const std::string& key, Number& target, std::int64_t least, std::int64_t most) {
    const toml::node* node = find(key);
    if (node == nullptr) return;
    const std::string range = std::to_string(least) + " to " + std::to_string(most);
    if (!node->is_integer()) return problem(key, "must be a whole number, " + range);
    const std::int64_t value = node->as_integer()->get();
    if (value < least || value > most) return problem(key, "must be " + range);
    target = static_cast<Number>(value);
  }

  void get_positive(const std::string& key, double& target, double least) {
    const toml::node* node = find(key);
    if (node == nullptr) return;
    const auto value = node->value<double>();
    if (!node->is_number() || !value || !(*value >= least && *value <= 1e9)) {
      return problem(key, "must be a number of at least " + (least >= 1 ? std::string("1") : std::string("0.000001")));
    }
    target = *value;
  }

  // `check` says what is wrong with an entry, or nothing.
  template <class Check>
  void get_list(const std::string& key, std::vector<std::string>& target, const Check& check) {
    const toml::node* node = find(key);
    if (node == nullptr) return;
    const toml::array* array = node->as_array();
    if (array == nullptr) return problem(key, "must be a list of texts");
    for (const toml::node& entry : *array) {
      const auto* text = entry.as_string();
      const std::string wrong = text == nullptr ? "must be a list of texts" : check(text->get());
      if (!wrong.empty()) {
        problems_.add(entry.source(), path_ + key, wrong);
      } else {
        target.push_back(text->get());
      }
    }
  }

  template <class Read>
  void get_table(const std::string& key, const Read& read) {
    const toml::node* node = find(key);
    if (node == nullptr) return;
    if (!node->is_table()) return problem(key, "must be a table");
    Section section(*node->as_table(), path_ + key + ".", problems_);
    read(section);
    section.finish();
  }

  template <class Read>
  void get_tables(const std::string& key, const Read& read) {
    const toml::node* node = find(key);
    if (node == nullptr) return;
    const toml::array* array = node->as_array();
    if (array == nullptr || !array->is_array_of_tables())
      return problem(key, "must be tables, each begun by [[" + path_ + key + "]]");
    for (const toml::node& entry : *array) {
      Section section(*entry.as_table(), path_ + key + ".", problems_);
      read(section);
      section.finish();
    }
  }

  void finish() {
    for (const auto& [key, node] : table_) {
      if (asked_.count(std::string(key.str())) == 0) {
        problems_.add(key.source(), path_ + std::string(key.str()), "there is no such key");
      }
    }
  }

 private:
  const toml::table& table_;
  const std::string path_;
  Problems& problems_;
  std::set<std::string> asked_;
};

std::string in_folder(const std::filesystem::path& folder, const std::string& path) {
  return path.empty() ? path : (folder / path).lexically_normal().string();
}

std::string check_address(const std::string& address) {
  return net::AddressPolicy::allow_all().may_call(address) ? "" : "must be an IP address: " + address;
}

std::string check_range(const std::string& range) {
  auto policy = net::AddressPolicy::make({range});
  return policy ? "" : policy.error().text;
}

std::string check_resolver(const std::string& place) {
  const auto colon = place.rfind(':');
  const std::string port = colon == std::string::npos ? "" : place.substr(colon + 1);
  const bool port_good = !port.empty() && port.size() <= 5 &&
                         port.find_first_not_of("0123456789") == std::string::npos && std::stoi(port) > 0 &&
                         std::stoi(port) < 65'536;
  std::string address = place.substr(0, colon);
  if (address.size() > 2 && address.front() == '[' && address.back() == ']')
    address = address.substr(1, address.size() - 2);
  return port_good && check_address(address).empty() ? "" : "must be \"address:port\": " + place;
}

std::string check_server_name(const std::string& name) {
  auto parsed = ServerName::parse(name);
  return parsed ? "" : "is no server name: " + name;
}

void read_listener(Section& section, const std::filesystem::path& folder, Config& config) {
  ListenerConfig listener;
  if (section.required("address")) {
    section.get("address", listener.address);
    if (const auto wrong = check_address(listener.address); !wrong.empty()) section.problem("address", wrong);
  }
  if (section.required("port")) section.get_number("port", listener.port, 0, 65'535);
  section.get("tls", listener.tls);
  section.get("certificate_file", listener.certificate_file);
  section.get("key_file", listener.key_file);
  section.get("client_api", listener.client_api);
  section.get("federation_api", listener.federation_api);
  if (listener.tls) {
    if (listener.certificate_file.empty()) section.problem("certificate_file", "is required with tls = true");
    if (listener.key_file.empty()) section.problem("key_file", "is required with tls = true");
  } else if (!listener.certificate_file.empty() || !listener.key_file.empty()) {
    section.problem("tls", "must be true where a certificate_file or key_file is given");
  }
  listener.certificate_file = in_folder(folder, listener.certificate_file);
  listener.key_file = in_folder(folder, listener.key_file);
  config.listeners.push_back(std::move(listener));
}

void read_support(Section& section, Config::Support& support) {
  section.get("page", support.page);
  section.get_tables("contacts", [&](Section& inner) {
    Config::Support::Contact contact;
    if (inner.required("role")) inner.get("role", contact.role);
    inner.get("matrix_id", contact.matrix_id);
    inner.get("email_address", contact.email_address);
    if (contact.matrix_id.empty() && contact.email_address.empty()) {
      inner.problem("matrix_id", "a contact needs a matrix_id or an email_address");
    }
    support.contacts.push_back(std::move(contact));
  });
}

void read_media(Section& section, Config::Media& media) {
  const auto mib = [&](const char* key, std::int64_t& bytes, std::int64_t most) {
    std::int64_t number = bytes / 1'048'576;
    section.get_number(key, number, 1, most);
    bytes = number * 1'048'576;
  };
  mib("max_mib", media.max_bytes, 1'024);
  mib("user_mib", media.user_bytes, 1'000'000'000);
  mib("remote_cache_mib", media.remote_cache_bytes, 1'000'000'000);
  if (media.remote_cache_bytes < media.max_bytes) section.problem("remote_cache_mib", "must not be less than max_mib");
  section.get("unauthenticated_downloads", media.unauthenticated_downloads);
}

void read_rate_limits(Section& section, Config::RateLimits& limits) {
  section.get("enabled", limits.enabled);
  const auto limit = [&](const char* key, RateLimit& target) {
    section.get_table(key, [&](Section& inner) {
      inner.get_positive("per_second", target.per_second, 0.000'001);
      inner.get_positive("burst", target.burst, 1);
    });
  };
  limit("login", limits.login);
  limit("registration", limits.registration);
  limit("message", limits.message);
  limit("join", limits.join);
  limit("media", limits.media);
  limit("federation", limits.federation);
  limit("invite", limits.invite);
}

void read_federation(Section& section, const std::filesystem::path& folder, Config::Federation& federation) {
  const auto anything = [](const std::string&) { return std::string(); };
  section.get("system_store", federation.system_store);
  section.get_list("ca_files", federation.ca_files, anything);
  for (std::string& file : federation.ca_files) file = in_folder(folder, file);
  section.get_list("allowed_private_ranges", federation.allowed_private_ranges, check_range);
  section.get("bind_address", federation.bind_address);
  if (!federation.bind_address.empty()) {
    if (const auto wrong = check_address(federation.bind_address); !wrong.empty())
      section.problem("bind_address", wrong);
  }
  std::int64_t first_ms = federation.backoff_first.count();
  std::int64_t max_ms = federation.backoff_max.count();
  section.get_number("backoff_first_ms", first_ms, 1, 86'400'000);
  section.get_number("backoff_max_ms", max_ms, 1, 86'400'000);
  if (max_ms < first_ms) section.problem("backoff_max_ms", "must not be less than backoff_first_ms");
  federation.backoff_first = std::chrono::milliseconds(first_ms);
  federation.backoff_max = std::chrono::milliseconds(max_ms);
  std::vector<std::string> notaries;
  section.get_list("notaries", notaries, check_server_name);
  for (const std::string& notary : notaries) federation.notaries.push_back(*ServerName::parse(notary));
}

void read_top(Section& top, const std::filesystem::path& folder, Config& config) {
  if (top.required("server_name")) {
    std::string name;
    top.get("server_name", name);
    if (auto parsed = ServerName::parse(name)) {
      config.server_name = *parsed;
    } else {
      top.problem("server_name", "is no server name: " + name);
    }
  }
  if (top.required("data_folder")) {
    top.get("data_folder", config.data_folder);
    if (config.data_folder.empty()) top.problem("data_folder", "must not be empty");
    config.data_folder = in_folder(folder, config.data_folder);
  }
  top.get("signing_key_file", config.signing_key_file);
  config.signing_key_file = config.signing_key_file.empty() ? config.data_folder + "/signing.key"
                                                            : in_folder(folder, config.signing_key_file);
  top.get("log_level", config.log_level);
  constexpr const char* levels[] = {"debug", "info", "warn", "error", "off"};
  if (std::find(std::begin(levels), std::end(levels), config.log_level) == std::end(levels)) {
    top.problem("log_level", "must be debug, info, warn, error or off");
  }
  top.get("log_format", config.log_format);
  if (config.log_format != "text" && config.log_format != "json") top.problem("log_format", "must be text or json");
  top.get("log_ip_addresses", config.log_ip_addresses);
  top.get_number("connections_per_address", config.connections_per_address, 0, 1'000'000);
  top.get_tables("listeners", [&](Section& section) { read_listener(section, folder, config); });
  if (config.listeners.empty()) top.problem("listeners", "there must be at least one [[listeners]]");
  top.get_table("well_known", [&](Section& section) {
    section.get("client_url", config.public_client_url);
    section.get("server", config.well_known_server);
  });
  top.get_table("support", [&](Section& section) { read_support(section, config.support); });
  top.get_table("registration", [&](Section& section) {
    section.get("open", config.registration.open);
    section.get("shared_secret", config.registration.shared_secret);
  });
  top.get_table("sessions", [&](Section& section) {
    auto seconds = std::chrono::duration_cast<std::chrono::seconds>(config.sessions.access_token_lifetime).count();
    section.get_number("access_token_seconds", seconds, 1, 31'536'000);
    config.sessions.access_token_lifetime = std::chrono::seconds(seconds);
  });
  top.get_table("appservices", [&](Section& section) {
    section.get_list("registrations", config.appservice_registrations,
                     [](const std::string&) { return std::string(); });
    for (std::string& file : config.appservice_registrations) file = in_folder(folder, file);
  });
  top.get_table("passwords", [&](Section& section) {
    std::uint64_t memory_mib = config.passwords.memory_bytes / 1'048'576;
    section.get_number("memory_mib", memory_mib, 1, 4'096);
    config.passwords.memory_bytes = memory_mib * 1'048'576;
    section.get_number("passes", config.passwords.passes, 1, 100);
    section.get_number("at_once", config.passwords.at_once, 1, 64);
  });
  top.get_table("media", [&](Section& section) { read_media(section, config.media); });
  top.get_table("metrics", [&](Section& section) {
    if (section.required("address")) section.get("address", config.metrics.address);
    if (const auto wrong = check_address(config.metrics.address); !wrong.empty()) section.problem("address", wrong);
    if (section.required("port")) section.get_number("port", config.metrics.port, 0, 65'535);
  });
  top.get_table("rate_limits", [&](Section& section) { read_rate_limits(section, config.rate_limits); });
  top.get_table("presence", [&](Section& section) {
    section.get("enabled", config.presence.enabled);
    const auto seconds = [&](const char* key, std::chrono::milliseconds& target) {
      std::int64_t count = target.count() / 1'000;
      section.get_number(key, count, 1, 86'400);
      target = std::chrono::seconds(count);
    };
    seconds("idle_after_seconds", config.presence.idle_after);
    seconds("offline_after_seconds", config.presence.offline_after);
  });
  top.get_table("federation", [&](Section& section) { read_federation(section, folder, config.federation); });
  top.get_table("discovery", [&](Section& section) {
    section.get_list("resolver", config.federation.resolver, check_resolver);
    section.get_number("https_port", config.federation.https_port, 1, 65'535);
  });
}

}  // namespace

Result<Config> read_config(const std::string& file) {
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(file, ignored))
    return fail(ErrorCode::storage, file + ": there is no such file");
  std::ifstream stream(file, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(stream), {}};
  if (!stream) return fail(ErrorCode::storage, file + ": cannot be read");
  return parse_config(text, file);
}

Result<Config> parse_config(std::string_view text, const std::string& file) {
  toml::table table;
  try {
    table = toml::parse(text);
  } catch (const toml::parse_error& error) {
    return fail(ErrorCode::invalid_param,
                file + ":" + std::to_string(error.source().begin.line) + ": " + std::string(error.description()));
  }
  const auto folder = std::filesystem::absolute(file).parent_path();
  Problems problems(file);
  Section top(table, "", problems);
  Config config;
  read_top(top, folder, config);
  top.finish();
  if (!problems.none()) return fail(ErrorCode::invalid_param, problems.text());
  return config;
}

}  // namespace skerry::homeserver
