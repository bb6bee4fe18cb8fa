#include "homeserver/dispatch.h"

#include <atomic>
#include <exception>

#include <nlohmann/json.hpp>

#include "core/limits.h"
#include "federation/request_auth.h"
#include "homeserver/client_api/identity.h"
#include "homeserver/matrix_error.h"
#include "homeserver/metrics.h"
#include "homeserver/rate_limiter.h"
#include "homeserver/routes.h"
#include "net/log.h"
#include "net/router.h"

namespace skerry::homeserver {

namespace {

constexpr std::string_view v3_prefix = "/_matrix/client/v3/";
// Where r0 is v3.
constexpr std::pair<std::string_view, std::string_view> renamed_prefixes[] = {
    {v3_prefix, "/_matrix/client/r0/"}, {"/_matrix/media/v3/", "/_matrix/media/r0/"}};

// Requests of servers whose key is being fetched: how many, and how much body they may hold together.
constexpr std::size_t parked_requests = 1'000;
constexpr std::size_t parked_bytes = 64 * 1'048'576;

bool starts_with(std::string_view text, std::string_view prefix) { return text.substr(0, prefix.size()) == prefix; }

enum class Side { client, federation, both };

Side side_of(std::string_view path) {
  if (starts_with(path, "/_matrix/federation/") || starts_with(path, "/_matrix/key/")) return Side::federation;
  if (starts_with(path, "/.well-known/")) return Side::both;
  return Side::client;
}

std::string transaction_path(std::string_view pattern, const std::vector<std::string>& parameters) {
  constexpr std::string_view end = "/{txnId}";
  if (!starts_with(pattern, v3_prefix) || !pattern.ends_with(end)) return {};
  pattern.remove_prefix(v3_prefix.size());
  pattern.remove_suffix(end.size());
  std::string path;
  std::size_t parameter = 0;
  while (!pattern.empty()) {
    const auto length = std::min(pattern.find('/'), pattern.size());
    const std::string_view segment = pattern.substr(0, length);
    if (!path.empty()) path += '/';
    path += segment.front() == '{' ? net::percent_encode(parameters[parameter++]) : std::string(segment);
    pattern.remove_prefix(std::min(length + 1, pattern.size()));
  }
  return path;
}

}  // namespace

struct Dispatcher::Impl : std::enable_shared_from_this<Dispatcher::Impl> {
  explicit Impl(Services& all) : services(all) {
    const auto& table = routes();
    for (std::size_t row = 0; row < table.size(); ++row) {
      const Route& route = table[row];
      router.add(route.method, route.path, row);
      for (const auto& [prefix, old_prefix] : renamed_prefixes) {
        if (route.since != Since::r0 || !starts_with(route.path, prefix)) continue;
        router.add(route.method, std::string(old_prefix) + std::string(route.path.substr(prefix.size())), row);
      }
    }
  }

  // What a request holds until it is answered.
  struct Place {
    std::shared_ptr<void> held;
  };
  struct Pending {
    Pending(const Route& row, Call made, Reply answer, std::shared_ptr<Place> its_place)
        : route(row), call(std::move(made)), reply(std::move(answer)), place(std::move(its_place)) {}
    const Route& route;
    Call call;
    Reply reply;
    std::shared_ptr<Place> place;  // null where none is counted
    bool key_was_fetched = false;
  };
  using PendingPtr = std::shared_ptr<Pending>;

  net::WorkerPool& pool_of(const Route& route) {
    switch (route.pool) {
      case Pool::local:
        return services.local;
      case Pool::outbound:
        return services.outbound;
      case Pool::federation:
        return services.federation_pool;
    }
    return services.local;
  }

  bool serves(int listener, Side side) const {
    const auto& listeners = services.config.listeners;
    if (side == Side::both || listener < 0 || static_cast<std::size_t>(listener) >= listeners.size()) return true;
    const ListenerConfig& config = listeners[static_cast<std::size_t>(listener)];
    return side == Side::client ? config.client_api : config.federation_api;
  }

  // The same responder, which gives the place up before it answers: whoever has the answer may ask again.
  static net::Responder giving_up(std::shared_ptr<Place> place, net::Responder responder) {
    auto inner = std::make_shared<net::Responder>(std::move(responder));
    return net::Responder([place = std::move(place), inner](net::HttpResponse response) {
      place->held.reset();
      inner->respond(std::move(response));
    });
  }

  void post(const PendingPtr& pending) {
    const bool posted = pool_of(pending->route).post([self = shared_from_this(), pending] {
      try {
        self->run(pending);
      } catch (const std::exception& error) {
        log::error("api", std::string(pending->route.method) + " " + std::string(pending->route.path) +
                              " ended with an exception: " + error.what());
      }
    });
    if (!posted) pending->reply.limited(std::chrono::seconds(1));
  }

  // On the row's pool.
  void run(const PendingPtr& pending) {
    const Route& route = pending->route;
    Call& call = pending->call;
    Result<void> ready;
    switch (route.access) {
      case Access::anyone:
        ready = parse_body(route, call);
        break;
      case Access::user:
      case Access::appservice:
        ready = authenticate_user(route, call);
        if (!ready) break;
        if (auto refused = client_api::assert_device(services, call)) return pending->reply.error(400, *refused);
        pending->place->held = services.rate_limiter.begin_request(*call.caller);
        if (!pending->place->held) return pending->reply.limited(std::chrono::seconds(1));
        ready = parse_body(route, call);
        break;
      case Access::server: {
        auto auth = federation::parse_request_auth(
            net::find_header(call.request.headers, "Authorization").value_or(std::string()));
        if (!auth) return pending->reply.error(auth.error());
        auto known = services.keys.find(auth->origin, auth->key);
        if (known && known->valid_until_ms < services.clock.now_ms()) known.reset();
        if (!known && !pending->key_was_fetched) return park(pending, *auth);
        ready = authenticate_server(route, call, *auth, known);
        if (!ready) break;
        if (auto wait = services.rate_limiter.federation(call.origin)) return pending->reply.limited(*wait);
        break;
      }
    }
    if (!ready) return pending->reply.error(ready.error());
    route.handler(services, std::move(call), std::move(pending->reply));
  }

  Result<void> authenticate_user(const Route& route, Call& call) {
    auto token = access_token(call);
    if (!token) return tl::make_unexpected(token.error());
    const Appservice* appservice = services.appservices.by_token(*token);
    auto caller = appservice != nullptr ? client_api::asserted_caller(services, *appservice, call)
                                        : services.accounts.authenticate(*token);
    if (!caller) return tl::make_unexpected(caller.error());
    if (appservice == nullptr && route.access == Access::appservice)
      return fail(ErrorCode::forbidden, "this is for application services");
    call.caller = std::move(*caller);
    return may_go_on(route, call.caller->standing);
  }

  static Result<void> may_go_on(const Route& route, const storage::Standing& standing) {
    if (standing.locked && route.barred != Barred::nobody) return locked_out();
    if (standing.suspended && route.barred == Barred::suspended)
      return fail(ErrorCode::user_suspended, "this account is suspended, and may not do that");
    return {};
  }

  // Waits for the origin's key without holding a thread, then begins anew.
  void park(const PendingPtr& pending, const federation::RequestAuth& auth) {
    const std::size_t bytes = pending->call.request.body.size();
    pending->key_was_fetched = true;
    const std::size_t requests_now = ++parked;
    const std::size_t bytes_now = parked_body_bytes += bytes;
    if (requests_now > parked_requests || bytes_now > parked_bytes) {
      --parked;
      parked_body_bytes -= bytes;
      return pending->reply.limited(std::chrono::seconds(1));
    }
    services.keys.fetch({{auth.origin, auth.key}}, {}, [self = shared_from_this(), pending, bytes] {
      --self->parked;
      self->parked_body_bytes -= bytes;
      self->post(pending);
    });
  }

  // Server-server API, 'Request Authentication'.
  Result<void> authenticate_server(const Route& route, Call& call, const federation::RequestAuth& auth,
                                   const std::optional<KnownKey>& known) {
    const ServerName& us = services.config.server_name;
    if (auth.destination && *auth.destination != us) {
      return fail(ErrorCode::unauthorized, "this request is for another server");
    }
    if (!known) return fail(ErrorCode::unauthorized, "no valid key " + auth.key.str() + " of " + auth.origin.str());
    const bool signs_content = route.body != Body::none && !call.request.body.empty();
    auto parsed = parse_body(route, call);
    if (!parsed) return parsed;
    if (!federation::verify_request_auth(auth, call.request.method, call.request.target, us,
                                         signs_content ? call.body.get() : nullptr, known->key)) {
      return fail(ErrorCode::unauthorized, "the request's signature does not hold");
    }
    call.origin = auth.origin;
    services.federation.saw_alive(auth.origin);
    services.outbox.saw_alive(auth.origin);
    return {};
  }

  static Result<void> parse_body(const Route& route, Call& call) {
    call.body = std::make_shared<Json>(Json::object());
    if (route.body == Body::raw) return {};
    std::string text = std::exchange(call.request.body, {});
    if (route.body == Body::none || (text.empty() && route.method != "PUT")) return {};
    auto parsed = parse_untrusted(text, route.body == Body::canonical ? JsonNumbers::canonical : JsonNumbers::any);
    if (!parsed) return tl::make_unexpected(parsed.error());
    if (!parsed->is_object()) return fail(ErrorCode::bad_json, "the body must be a JSON object");
    *call.body = std::move(*parsed);
    return {};
  }

  Services& services;
  net::Router router;
  std::atomic<std::size_t> parked{0};
  std::atomic<std::size_t> parked_body_bytes{0};
};

Dispatcher::Dispatcher(Services& services) : impl_(std::make_shared<Impl>(services)) {}
Dispatcher::~Dispatcher() = default;

void Dispatcher::handle(net::HttpRequest request, net::Responder responder) {
  const auto target = net::split_target(request.target);
  const Side side = side_of(target.path);
  auto match = impl_->router.find(request.method, target.path);
  if (impl_->services.metrics != nullptr) {
    const bool found = match.kind == net::Router::Match::Kind::found;
    responder = impl_->services.metrics->counted(std::move(responder), found ? match.row : routes().size());
  }
  auto place = std::make_shared<Impl::Place>();
  if (match.kind == net::Router::Match::Kind::found && routes()[match.row].access != Access::anyone &&
      routes()[match.row].access != Access::server) {
    responder = Impl::giving_up(place, std::move(responder));
  }
  Reply reply(std::move(responder), side != Side::federation);
  if (!impl_->serves(request.listener, side)) return reply.error({ErrorCode::unrecognized, "no such endpoint here"});
  if (request.method == "OPTIONS" && side != Side::federation) return reply.json(Json::object());
  switch (match.kind) {
    case net::Router::Match::Kind::unknown_path:
      return reply.error({ErrorCode::unrecognized, "no such endpoint"});
    case net::Router::Match::Kind::wrong_method:
      return reply.error(405, {{"errcode", "M_UNRECOGNIZED"}, {"error", "this endpoint has no such method"}});
    case net::Router::Match::Kind::bad_escape:
      return reply.error({ErrorCode::invalid_param, "the path is not percent-encoded UTF-8"});
    case net::Router::Match::Kind::found:
      break;
  }
  const Route& route = routes()[match.row];
  if (log::enabled(log::Level::debug)) log::debug("api", request.method + " " + std::string(route.path));
  Call call;
  auto query = net::parse_query(target.query);
  if (!query) return reply.error(query.error());
  call.query = std::move(*query);
  call.transaction_path = transaction_path(route.path, match.parameters);
  call.parameters = std::move(match.parameters);
  call.request = std::move(request);
  impl_->post(std::make_shared<Impl::Pending>(route, std::move(call), std::move(reply), std::move(place)));
}

std::size_t Dispatcher::body_limit(const net::HttpRequest& head) const {
  const auto path = net::split_target(head.target).path;
  const bool is_upload = head.method != "GET" && starts_with(path, "/_matrix/media/");
  if (is_upload) return static_cast<std::size_t>(impl_->services.config.media.max_bytes);
  // Only transactions are large; every other request between servers carries one event.
  return starts_with(path, "/_matrix/federation/v1/send/") ? limits::federation_body_bytes : limits::request_body_bytes;
}

net::HttpResponse Dispatcher::error_response(int status) {
  const char* errcode = "M_UNKNOWN";
  const char* text = "this server could not do that; its log says why";
  if (status == 400) text = "this is not an HTTP request that this server understands";
  if (status == 408) text = "the request came too slowly";
  if (status == 413) errcode = "M_TOO_LARGE", text = "the request's body is too large";
  if (status == 431) errcode = "M_TOO_LARGE", text = "the request's head is too large";
  if (status == 503) text = "this server holds too many large requests already: try again later";
  net::HttpResponse response;
  response.status = status;
  response.headers.emplace_back("Content-Type", "application/json");
  add_cors_headers(response.headers);
  response.body = dump({{"errcode", errcode}, {"error", text}});
  return response;
}

}  // namespace skerry::homeserver
