#include "sandbox/doctor/examination.h"

#include <future>

#include <nlohmann/json.hpp>

#include "core/json.h"
#include "core/limits.h"
#include "federation/server_keys.h"
#include "net/http_date.h"
#include "net/runtime.h"

namespace skerry::sandbox {

namespace {

constexpr std::int64_t minute_ms = 60'000;
constexpr std::int64_t hour_ms = 60 * minute_ms;
constexpr std::int64_t clock_tolerance_ms = minute_ms / 2;
constexpr std::size_t answer_bytes = 256 * 1'024;

std::string time_text(std::int64_t ms) {
  const std::int64_t size = ms < 0 ? -ms : ms;
  const auto count = [size](std::int64_t unit_ms) { return std::to_string((size + unit_ms / 2) / unit_ms); };
  if (size < 2 * minute_ms) return count(1'000) + " s";
  if (size < 2 * hour_ms) return count(minute_ms) + " min";
  if (size < 48 * hour_ms) return count(hour_ms) + " h";
  return count(24 * hour_ms) + " days";
}

std::string place_text(const std::string& host, std::uint16_t port) {
  return (host.find(':') == std::string::npos ? host : "[" + host + "]") + ":" + std::to_string(port);
}

std::string join(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

net::HttpClientOptions client_options(const DoctorOptions& options) {
  net::HttpClientOptions made;
  made.trust = options.trust;
  made.policy = options.policy;
  return made;
}

net::ResolverOptions resolver_options(const DoctorOptions& options) {
  net::ResolverOptions made;
  made.servers = options.dns;
  made.timeout = options.step_timeout;
  return made;
}

// Waits for what is told on another thread.
template <class T, class Ask>
T wait_for(Ask&& ask) {
  std::promise<T> told;
  auto answer = told.get_future();
  ask([&](T value) { told.set_value(std::move(value)); });
  return answer.get();
}

}  // namespace

Examination::Examination(ServerName server, const DoctorOptions& options, std::vector<Finding>& findings)
    : server_(std::move(server)),
      options_(options),
      findings_(findings),
      resolver_(io_, resolver_options(options)),
      http_(io_, resolver_, client_options(options)) {}

void Examination::add(std::string check, Outcome outcome, std::string found, std::string mend) {
  findings_.push_back({std::move(check), outcome, std::move(found), std::move(mend)});
}

void Examination::run() {
  std::vector<net::Endpoint> good;
  for (const net::Endpoint& endpoint : discover()) {
    bool reached = false;
    for (const Site& site : addresses_of(endpoint)) reached = shakes_hands(site) || reached;
    if (reached) good.push_back(endpoint);
  }
  for (const net::Endpoint& endpoint : good) {
    if (tells_version(endpoint)) tells_keys(endpoint);
  }
  answers_clients();
}

std::vector<net::Endpoint> Examination::discover() {
  std::vector<federation::DiscoveryStep> steps;  // told on an Io thread, before the answer
  federation::DiscoveryOptions discovery_options;
  discovery_options.https_port = options_.https_port;
  discovery_options.timeout = options_.step_timeout;
  discovery_options.on_step = [&steps](const federation::DiscoveryStep& step) { steps.push_back(step); };
  federation::Discovery discovery(http_, resolver_, net::system_clock(), discovery_options);
  using Places = Result<std::vector<net::Endpoint>>;
  const auto places = wait_for<Places>([&](auto done) { discovery.find(server_, done); });
  for (const auto& step : steps) tell_step(step);
  if (!places) {
    add("SRV", Outcome::wrong, places.error().text, "Let the SRV record name a host and a port, or remove it.");
    return {};
  }
  std::vector<std::string> names;
  for (const net::Endpoint& place : *places) names.push_back(place_text(place.connect_host, place.port));
  const bool only_named = steps.empty();
  add("discovery", Outcome::good,
      "other servers connect to " + join(names) +
          (only_named ? ", as the name itself says" : ", and expect a certificate for " + places->front().tls_name));
  return *places;
}

void Examination::tell_step(const federation::DiscoveryStep& step) {
  if (step.kind != federation::DiscoveryStep::well_known) {
    const bool old = step.kind == federation::DiscoveryStep::deprecated_srv;
    if (!step.found && step.found.error().code == ErrorCode::timeout) {
      return add("SRV", Outcome::wrong, step.asked + ": the DNS gave no answer in time",
                 "Look whether the name's DNS servers are up; other servers wait for this each time.");
    }
    if (!step.found || step.found->empty()) return old ? void() : add("SRV", Outcome::note, "no record " + step.asked);
    return add("SRV", old ? Outcome::note : Outcome::good, step.asked + " says " + *step.found,
               old ? "This name is deprecated; publish _matrix-fed._tcp instead or beside it." : "");
  }
  if (step.found) return add(".well-known", Outcome::good, step.asked + " delegates to " + *step.found);
  const Error& error = step.found.error();
  if (error.code == ErrorCode::bad_json) {
    return add(".well-known", Outcome::wrong, step.asked + ": " + error.text,
               R"(Answer {"m.server": "host:port"} there, or 404. Other servers ignore what they cannot read.)");
  }
  add(".well-known", Outcome::note, step.asked + ": none (" + error.text + ")");
}

std::vector<Site> Examination::addresses_of(const net::Endpoint& endpoint) {
  using Addresses = Result<std::vector<std::string>>;
  const auto addresses =
      wait_for<Addresses>([&](auto done) { resolver_.resolve_addresses(endpoint.connect_host, done); });
  if (!addresses) {
    const bool silent = addresses.error().code == ErrorCode::timeout;
    add("address", Outcome::wrong, endpoint.connect_host + ": " + addresses.error().text,
        silent ? "The DNS does not answer: look whether it is up, and reachable from here."
               : "Give the name an A record, or correct the name where .well-known or SRV tells it.");
    return {};
  }
  std::vector<Site> sites;
  for (const std::string& address : *addresses) {
    const bool may = options_.policy.may_call(address);
    add("address", may ? Outcome::good : Outcome::wrong,
        endpoint.connect_host + " is at " + address + (may ? "" : ", a private address: other servers refuse it"),
        may ? "" : "Publish a public address; in a network of your own let the others allow this range.");
    if (may) sites.push_back({endpoint, address});
  }
  return sites;
}

bool Examination::shakes_hands(const Site& site) {
  const std::string place = place_text(site.address, site.endpoint.port);
  const auto probe =
      net::probe_tls(site.address, site.endpoint.port, site.endpoint.tls_name, options_.trust, options_.step_timeout);
  const bool silent = probe.error.code == ErrorCode::timeout;
  switch (probe.stage) {
    case net::ProbeStage::connecting:
      add("connection", Outcome::wrong, place + ": " + probe.error.text,
          silent ? "Nothing comes back: look for a firewall, or whether the machine is up."
                 : "Start the server, or correct the port where .well-known or SRV tells it.");
      return false;
    case net::ProbeStage::shaking_hands:
      add("TLS", Outcome::wrong, place + " takes the connection, then: " + probe.error.text,
          silent ? "The process lives and does not answer: it hangs, is frozen, or something on the way keeps it."
                 : "Another program may hold the port, or speak plain HTTP there; or something on the way cuts it.");
      return false;
    case net::ProbeStage::done:
      break;
  }
  return is_good_certificate(site, probe.certificate);
}

bool Examination::is_good_certificate(const Site& site, const net::ShownCertificate& certificate) {
  const std::string& name = site.endpoint.tls_name;
  const std::int64_t now_ms = net::system_clock().now_ms();
  const auto before = findings_.size();
  if (!certificate.has_name) {
    const std::string names = certificate.names.empty() ? "no name at all" : join(certificate.names);
    add("certificate", Outcome::wrong, "it is for " + names + ", not for " + name,
        "Get a certificate for " + name +
            ": the name that other servers asked for, not the host it delegates to by SRV.");
  }
  if (!certificate.chain_error.empty()) {
    add("certificate", Outcome::wrong, "issued by " + certificate.issuer + ": " + certificate.chain_error,
        "Show the whole chain (fullchain.pem), up to an authority that other servers trust.");
  }
  if (now_ms > certificate.not_after_ms) {
    add("certificate", Outcome::wrong, "it expired " + time_text(now_ms - certificate.not_after_ms) + " ago",
        "Renew it, and let the server read it again.");
  } else if (now_ms < certificate.not_before_ms) {
    add("certificate", Outcome::wrong, "it begins to hold in " + time_text(certificate.not_before_ms - now_ms),
        "Look at the clock of the machine that issued it, and at this one's.");
  }
  if (findings_.size() > before) return false;
  add("certificate", Outcome::good,
      "for " + name + ", by " + certificate.issuer + ", for another " + time_text(certificate.not_after_ms - now_ms));
  return true;
}

Result<net::HttpResponse> Examination::get(const net::Endpoint& endpoint, const std::string& target) {
  net::OutgoingRequest request;
  request.endpoint = endpoint;
  request.target = target;
  request.timeout = options_.step_timeout;
  request.max_response_bytes = answer_bytes;
  return http_.call(std::move(request));
}

bool Examination::tells_version(const net::Endpoint& endpoint) {
  const std::string target = "/_matrix/federation/v1/version";
  const std::int64_t asked_ms = net::system_clock().now_ms();
  const auto answer = get(endpoint, target);
  const std::int64_t answered_ms = net::system_clock().now_ms();
  const std::string mend = "A homeserver must answer its federation API there: is this another program's port?";
  if (!answer) {
    add("version", Outcome::wrong, target + ": " + answer.error().text, mend);
    return false;
  }
  const auto json = parse_untrusted(answer->body, JsonNumbers::any);
  const Json* server = json && json->is_object() ? find_object(*json, "server") : nullptr;
  if (answer->status != 200 || server == nullptr) {
    add("version", Outcome::wrong,
        target + ": HTTP status " + std::to_string(answer->status) + ", and not what a homeserver says", mend);
    return false;
  }
  const std::string* name = find_string(*server, "name");
  const std::string* version = find_string(*server, "version");
  add("version", Outcome::good, (name ? *name : "nameless") + " " + (version ? *version : "of no version"));
  tell_clock(*answer, asked_ms, answered_ms);
  return true;
}

void Examination::tell_clock(const net::HttpResponse& answer, std::int64_t asked_ms, std::int64_t answered_ms) {
  const auto header = net::find_header(answer.headers, "Date");
  const auto date_ms = header ? net::parse_http_date(*header) : fail(ErrorCode::not_found, "");
  if (!date_ms) return add("clock", Outcome::note, "the server does not tell its time");
  // Date has whole seconds, and was written somewhen between the two moments.
  const std::int64_t ahead_ms = *date_ms > answered_ms       ? *date_ms - answered_ms
                                : *date_ms < asked_ms - 1000 ? *date_ms - asked_ms
                                                             : 0;
  if (ahead_ms < clock_tolerance_ms && ahead_ms > -clock_tolerance_ms) {
    return add("clock", Outcome::good, "it goes as the one here");
  }
  add("clock", Outcome::wrong, "it is " + time_text(ahead_ms) + (ahead_ms > 0 ? " ahead" : " behind"),
      "Set the server's clock (NTP): keys and certificates seem to have ended or not begun, messages lie in the wrong "
      "order.");
}

void Examination::tells_keys(const net::Endpoint& endpoint) {
  const std::string target = "/_matrix/key/v2/server";
  const std::string mend = "Without its keys nobody believes what this server signs: look at its log.";
  const auto answer = get(endpoint, target);
  if (!answer) return add("keys", Outcome::wrong, target + ": " + answer.error().text, mend);
  if (answer->status != 200) {
    return add("keys", Outcome::wrong, target + ": HTTP status " + std::to_string(answer->status), mend);
  }
  const std::int64_t now_ms = net::system_clock().now_ms();
  const auto json = parse_untrusted(answer->body, JsonNumbers::any);
  const auto keys = json ? federation::parse_server_keys(*json, server_, now_ms) : tl::make_unexpected(json.error());
  if (!keys) {
    return add(
        "keys", Outcome::wrong, "other servers do not take them: " + keys.error().text,
        "Is this the server of that name? Its keys must name " + server_.str() + " and be signed by one of them.");
  }
  if (keys->valid_until_ms <= now_ms) {
    return add("keys", Outcome::wrong, "they ended " + time_text(now_ms - keys->valid_until_ms) + " ago",
               "valid_until_ts must lie ahead: look at the server's clock, or at a proxy that keeps old answers.");
  }
  std::vector<std::string> current;
  for (const auto& key : keys->keys) {
    if (!key.old) current.push_back(key.key_id.str());
  }
  add("keys", Outcome::good, join(current) + ", for another " + time_text(keys->valid_until_ms - now_ms));
}

void Examination::answers_clients() {
  std::string url = options_.client_url;
  if (url.empty()) {
    const std::string host = server_.host();
    const net::Endpoint site = {host, options_.https_port, true,
                                options_.https_port == 443 ? host : place_text(host, options_.https_port), host};
    const auto answer = get(site, "/.well-known/matrix/client");
    const auto json = answer && answer->status == 200 ? parse_untrusted(answer->body, JsonNumbers::any)
                                                      : fail(ErrorCode::not_found, "");
    const Json* homeserver = json && json->is_object() ? find_object(*json, "m.homeserver") : nullptr;
    const std::string* base = homeserver ? find_string(*homeserver, "base_url") : nullptr;
    if (base == nullptr) {
      return add("clients", Outcome::note, "no .well-known/matrix/client: users must type the homeserver's URL");
    }
    url = *base;
  }
  const auto parsed = net::parse_url(url);
  if (!parsed)
    return add("clients", Outcome::wrong, url + " is no URL", "Correct base_url in .well-known/matrix/client.");
  const auto answer = get(parsed->endpoint, parsed->base_path + "/_matrix/client/versions");
  const auto json = answer && answer->status == 200 ? parse_untrusted(answer->body, JsonNumbers::any)
                                                    : fail(ErrorCode::not_found, "");
  if (json && json->is_object() && find_member(*json, "versions") != nullptr) {
    return add("clients", Outcome::good, url + " answers clients");
  }
  add("clients", Outcome::wrong,
      url + ": " + (answer ? "HTTP status " + std::to_string(answer->status) : answer.error().text),
      "Clients connect to this URL: let the server answer /_matrix/client/versions there.");
}

}  // namespace skerry::sandbox
