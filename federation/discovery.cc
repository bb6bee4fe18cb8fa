#include "federation/discovery.h"

#include <algorithm>
#include <charconv>
#include <list>
#include <mutex>
#include <unordered_map>

#include <nlohmann/json.hpp>

#include "core/json.h"
#include "core/limits.h"

namespace skerry::federation {

namespace {

using Endpoints = std::vector<net::Endpoint>;
using Done = std::function<void(Result<Endpoints>)>;

constexpr std::uint16_t federation_port = 8448;
constexpr std::int64_t minute_ms = 60'000;
constexpr std::int64_t day_ms = 24 * 60 * minute_ms;
constexpr std::size_t cached_delegations = 10'000;

std::string with_port(const std::string& host, std::uint16_t port) {
  const std::string written = host.find(':') == std::string::npos ? host : "[" + host + "]";
  return port == 0 ? written : written + ":" + std::to_string(port);
}

net::Endpoint direct(const ServerName& name) {
  const std::uint16_t port = name.port() == 0 ? federation_port : name.port();
  return {name.host(), port, true, with_port(name.host(), name.port()), name.host()};
}

std::string text_of(const std::vector<net::SrvTarget>& targets) {
  std::string text;
  for (const net::SrvTarget& target : targets) {
    text += (text.empty() ? "" : ", ") + (target.host.empty() ? std::string(".") : with_port(target.host, target.port));
  }
  return text;
}

// How long a .well-known answer may be believed: Cache-Control: max-age, else a day; a minute at least, two days at
// most.
std::int64_t lifetime_ms(const net::HttpResponse& response) {
  std::int64_t seconds = 24 * 3'600;
  if (const auto header = net::find_header(response.headers, "Cache-Control")) {
    if (const auto at = header->find("max-age="); at != std::string::npos) {
      std::from_chars(header->data() + at + 8, header->data() + header->size(), seconds);
    }
    if (header->find("no-store") != std::string::npos || header->find("no-cache") != std::string::npos) seconds = 0;
  }
  seconds = std::clamp<std::int64_t>(seconds, 0, 2 * 24 * 3'600);
  return std::clamp<std::int64_t>(seconds * 1'000, minute_ms, 2 * day_ms);
}

}  // namespace

struct Discovery::Impl : std::enable_shared_from_this<Impl> {
  Impl(net::HttpClient& client, net::Resolver& dns, net::Clock& time, DiscoveryOptions discovery_options)
      : http(client), resolver(dns), clock(time), options(std::move(discovery_options)) {}

  struct Delegation {
    std::optional<ServerName> server;  // absent: .well-known has none
    std::int64_t expires_ms = 0;
    std::list<ServerName>::iterator place;
  };

  net::HttpClient& http;
  net::Resolver& resolver;
  net::Clock& clock;
  const DiscoveryOptions options;
  std::mutex mutex;
  std::unordered_map<ServerName, Delegation> delegations;
  std::list<ServerName> order;
  std::unordered_map<ServerName, std::vector<Done>> waiting;

  void find(const ServerName& server, Done done) {
    // 1. a literal; 2. an explicit port
    if (server.is_ip_literal() || server.port() != 0) return done(Endpoints{direct(server)});
    {
      std::scoped_lock lock(mutex);
      auto& waiters = waiting[server];
      waiters.push_back(std::move(done));
      if (waiters.size() > 1) return;
    }
    if (const auto known = cached(server)) return delegated(server, *known);
    Question question;
    question.host = server.host();
    question.port = options.https_port;
    question.deadline = std::chrono::steady_clock::now() + options.timeout;
    well_known(server, question);
  }

  void answer(const ServerName& server, const Result<Endpoints>& result) {
    std::vector<Done> done;
    {
      std::scoped_lock lock(mutex);
      auto waiters = waiting.extract(server);
      if (!waiters.empty()) done = std::move(waiters.mapped());
    }
    for (const Done& waiter : done) waiter(result);
  }

  // -- 3. .well-known
  std::optional<std::optional<ServerName>> cached(const ServerName& server) {
    std::scoped_lock lock(mutex);
    const auto found = delegations.find(server);
    if (found == delegations.end()) return std::nullopt;
    if (found->second.expires_ms > clock.now_ms()) return found->second.server;
    order.erase(found->second.place);
    delegations.erase(found);
    return std::nullopt;
  }

  void remember(const ServerName& server, std::optional<ServerName> delegation, std::int64_t for_ms) {
    std::scoped_lock lock(mutex);
    if (const auto found = delegations.find(server); found != delegations.end()) order.erase(found->second.place);
    if (delegations.size() >= cached_delegations && !order.empty()) {
      delegations.erase(order.front());
      order.pop_front();
    }
    order.push_back(server);
    delegations[server] = {std::move(delegation), clock.now_ms() + for_ms, std::prev(order.end())};
  }

  // Where it is asked: at first the server's own name, then wherever redirects lead, all within one deadline.
  struct Question {
    std::string host;
    std::uint16_t port = 0;
    std::string target = "/.well-known/matrix/server";
    std::size_t redirects = 0;
    std::chrono::steady_clock::time_point deadline;
  };

  void well_known(const ServerName& server, const Question& question) {
    const auto left = question.deadline - std::chrono::steady_clock::now();
    net::OutgoingRequest request;
    request.endpoint = {question.host, question.port, true,
                        with_port(question.host, question.port == 443 ? std::uint16_t{0} : question.port),
                        question.host};
    request.target = question.target;
    request.timeout = std::max(std::chrono::ceil<std::chrono::milliseconds>(left), std::chrono::milliseconds(1));
    request.max_response_bytes = limits::well_known_bytes;
    http.send(std::move(request), [self = shared_from_this(), server, question](Result<net::HttpResponse> response) {
      if (!response && response.error().code == ErrorCode::cancelled) {
        return self->answer(server, tl::make_unexpected(response.error()));
      }
      const bool redirected = response && response->status >= 301 && response->status <= 308 && response->status != 304;
      if (redirected && question.redirects < limits::redirects && self->follow(server, *response, question)) return;
      const auto parsed = parse(response);
      self->tell(DiscoveryStep::well_known, url_of(question),
                 parsed.map([](const ServerName& it) { return it.str(); }));
      const auto delegation = parsed ? std::optional(*parsed) : std::nullopt;
      const std::int64_t for_ms = delegation ? lifetime_ms(*response) : self->options.well_known_failure_time.count();
      self->remember(server, delegation, for_ms);
      self->delegated(server, delegation);
    });
  }

  // Only to https, wherever the address policy lets us go, or to another path of the same place.
  bool follow(const ServerName& server, const net::HttpResponse& response, Question question) {
    ++question.redirects;
    const auto header = net::find_header(response.headers, "Location");
    if (!header) return false;
    net::Endpoint asked;
    asked.connect_host = question.host;
    asked.port = question.port;
    auto place = net::parse_location(*header, asked);
    if (!place) return false;
    question.host = place->endpoint.connect_host;
    question.port = place->endpoint.port;
    question.target = std::move(place->target);
    well_known(server, question);
    return true;
  }

  static std::string url_of(const Question& question) {
    return "https://" + with_port(question.host, question.port == 443 ? std::uint16_t{0} : question.port) +
           question.target;
  }

  static Result<ServerName> parse(const Result<net::HttpResponse>& response) {
    if (!response) return tl::make_unexpected(response.error());
    if (response->status != 200) {
      return fail(response->status == 404 ? ErrorCode::not_found : ErrorCode::remote_error,
                  "HTTP status " + std::to_string(response->status));
    }
    const auto json = parse_untrusted(response->body, JsonNumbers::any);
    if (!json || !json->is_object()) return fail(ErrorCode::bad_json, "not a JSON object");
    const std::string* name = find_string(*json, "m.server");
    if (name == nullptr) return fail(ErrorCode::bad_json, "no text under m.server");
    auto server = ServerName::parse(*name);
    if (!server) return fail(ErrorCode::bad_json, "m.server is no server name");
    return server;
  }

  void tell(DiscoveryStep::Kind kind, std::string asked, Result<std::string> found) {
    if (options.on_step) options.on_step({kind, std::move(asked), std::move(found)});
  }

  void delegated(const ServerName& server, const std::optional<ServerName>& delegation) {
    const ServerName& name = delegation ? *delegation : server;
    if (name.is_ip_literal() || name.port() != 0) return answer(server, Endpoints{direct(name)});  // 3.1, 3.2
    srv(server, name, "_matrix-fed._tcp.");                                                        // 3.3, 4
  }

  // -- SRV, under the registered name and then the deprecated one
  void srv(const ServerName& server, const ServerName& name, const std::string& prefix) {
    resolver.resolve_srv(prefix + name.host(), [self = shared_from_this(), server, name,
                                                prefix](Result<std::vector<net::SrvTarget>> targets) {
      if (!targets && targets.error().code == ErrorCode::cancelled)
        return self->answer(server, tl::make_unexpected(targets.error()));
      const bool registered = prefix == "_matrix-fed._tcp.";
      self->tell(registered ? DiscoveryStep::srv : DiscoveryStep::deprecated_srv, prefix + name.host(),
                 targets.map(text_of));
      const bool none = !targets || targets->empty();
      if (none && registered) return self->srv(server, name, "_matrix._tcp.");  // 3.4, 5
      if (none) return self->answer(server, Endpoints{direct(name)});           // 3.5, 6
      Endpoints endpoints;
      for (const net::SrvTarget& target : *targets) {
        if (!target.host.empty()) endpoints.push_back({target.host, target.port, true, name.host(), name.host()});
      }
      if (endpoints.empty())
        return self->answer(server, fail(ErrorCode::unreachable, server.str() + " says that it offers no federation"));
      self->answer(server, endpoints);
    });
  }

  // That there is no .well-known stays known for its short time: a server that is down is not asked for both each time.
  void forget(const ServerName& server) {
    std::scoped_lock lock(mutex);
    const auto found = delegations.find(server);
    if (found == delegations.end() || !found->second.server) return;
    order.erase(found->second.place);
    delegations.erase(found);
  }
};

Discovery::Discovery(net::HttpClient& http, net::Resolver& resolver, net::Clock& clock, DiscoveryOptions options)
    : impl_(std::make_shared<Impl>(http, resolver, clock, std::move(options))) {}

Discovery::~Discovery() = default;

void Discovery::find(const ServerName& server, std::function<void(Result<std::vector<net::Endpoint>>)> done) {
  impl_->find(server, std::move(done));
}

void Discovery::forget(const ServerName& server) { impl_->forget(server); }

}  // namespace skerry::federation
