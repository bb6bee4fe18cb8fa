#include "federation/client.h"

#include <algorithm>
#include <deque>
#include <future>
#include <mutex>
#include <unordered_map>

#include <nlohmann/json.hpp>

#include "federation/request_auth.h"
#include "net/log.h"

namespace skerry::federation {

namespace {

constexpr int in_flight_per_destination = 8;
constexpr std::size_t waiting_per_destination = 64;

// What came back, before it is parsed: large bodies are parsed where they are wanted, not on an Io thread.
using Raw = Result<net::HttpResponse>;
using RawDone = std::function<void(Raw)>;

struct Parsed {
  Result<Json> answer;
  RemoteFailure failure;
};

Parsed parse_answer(const Raw& raw, const ServerName& destination) {
  if (!raw) return {tl::make_unexpected(raw.error()), {}};
  auto json = parse_untrusted(raw->body, JsonNumbers::any);
  if (raw->status == 200) {
    if (!json) return {fail(ErrorCode::not_json, destination.str() + " answered with something that is not JSON"), {}};
    return {std::move(*json), {}};
  }
  RemoteFailure failure;
  failure.status = raw->status;
  if (json && json->is_object()) {
    if (const std::string* code = find_string(*json, "errcode")) failure.errcode = *code;
    if (const std::string* text = find_string(*json, "error")) failure.error = *text;
  }
  std::string what = destination.str() + " answered " + std::to_string(raw->status);
  if (!failure.errcode.empty()) what += " " + failure.errcode;
  if (!failure.error.empty()) what += ": " + failure.error;
  return {fail(ErrorCode::remote_error, std::move(what)), std::move(failure)};
}

}  // namespace

struct FederationClient::Impl : std::enable_shared_from_this<Impl> {
  Impl(net::HttpClient& client, Discovery& found, net::Clock& time, ServerName name, SigningKey signing_key,
       BackoffOptions options)
      : http(client),
        discovery(found),
        clock(time),
        us(std::move(name)),
        key(std::move(signing_key)),
        backoff(options) {}

  struct Waiting {
    std::shared_ptr<FederationRequest> request;
    RawDone done;
  };
  struct Destination {
    int in_flight = 0;
    std::deque<Waiting> waiting;
    std::int64_t backoff_ms = 0;  // 0: not failing
    std::int64_t retry_at_ms = 0;
  };

  net::HttpClient& http;
  Discovery& discovery;
  net::Clock& clock;
  const ServerName us;
  const SigningKey key;
  const BackoffOptions backoff;
  std::mutex mutex;
  std::unordered_map<ServerName, Destination> destinations;
  std::vector<std::function<void(const ServerName&)>> alive_listeners;

  void send(FederationRequest request, RawDone done) {
    const ServerName server = request.destination;
    auto shared = std::make_shared<FederationRequest>(std::move(request));
    if (server == us) return done(fail(ErrorCode::internal, "this server does not ask itself"));
    {
      std::scoped_lock lock(mutex);
      Destination& destination = destinations[server];
      if (!shared->ignore_backoff && destination.retry_at_ms > clock.now_ms()) {
        return done(fail(ErrorCode::unreachable, server.str() + " gave no answer lately and is not asked again yet"));
      }
      if (destination.in_flight >= in_flight_per_destination) {
        if (destination.waiting.size() >= waiting_per_destination) {
          return done(fail(ErrorCode::unreachable, "too many requests wait for " + server.str()));
        }
        destination.waiting.push_back({std::move(shared), std::move(done)});
        return;
      }
      ++destination.in_flight;
    }
    start(std::move(shared), std::move(done));
  }

  void start(std::shared_ptr<FederationRequest> request, RawDone done) {
    discovery.find(request->destination, [self = shared_from_this(), request,
                                          done = std::move(done)](Result<std::vector<net::Endpoint>> places) {
      if (!places) return self->finish(*request, done, tl::make_unexpected(places.error()));
      self->try_place(request, done, std::make_shared<std::vector<net::Endpoint>>(std::move(*places)), 0);
    });
  }

  void try_place(const std::shared_ptr<FederationRequest>& request, const RawDone& done,
                 const std::shared_ptr<std::vector<net::Endpoint>>& places, std::size_t next) {
    auto outgoing = build(*request, (*places)[next]);
    if (!outgoing) return finish(*request, done, tl::make_unexpected(outgoing.error()));
    http.send(std::move(*outgoing), [self = shared_from_this(), request, done, places, next](Raw raw) {
      const bool unreachable = !raw && raw.error().code == ErrorCode::unreachable;
      if (unreachable && next + 1 < places->size()) return self->try_place(request, done, places, next + 1);
      if (unreachable) self->discovery.forget(request->destination);
      self->finish(*request, done, std::move(raw));
    });
  }

  Result<net::OutgoingRequest> build(const FederationRequest& request, const net::Endpoint& place) const {
    net::OutgoingRequest outgoing;
    outgoing.endpoint = place;
    outgoing.method = request.method;
    outgoing.target = request.target;
    outgoing.timeout = request.timeout;
    outgoing.max_response_bytes = request.max_response_bytes;
    if (request.body) {
      outgoing.body = *request.body;
      outgoing.headers.emplace_back("Content-Type", "application/json");
    }
    if (!request.sign) return outgoing;
    Result<Json> content = request.body ? parse_stored(*request.body) : Result<Json>(Json());
    if (!content) return tl::make_unexpected(content.error());
    auto header = make_request_auth(request.method, request.target, us, request.destination,
                                    request.body ? &*content : nullptr, key);
    if (!header) return tl::make_unexpected(header.error());
    outgoing.headers.emplace_back("Authorization", std::move(*header));
    return outgoing;
  }

  void finish(const FederationRequest& request, const RawDone& done, Raw raw) {
    Waiting next;
    {
      std::scoped_lock lock(mutex);
      Destination& destination = destinations[request.destination];
      const bool no_answer =
          !raw && (raw.error().code == ErrorCode::unreachable || raw.error().code == ErrorCode::timeout);
      if (no_answer) {
        // Of several that fail together, one counts.
        const std::int64_t now = clock.now_ms();
        if (destination.retry_at_ms <= now) {
          destination.backoff_ms =
              std::clamp<std::int64_t>(destination.backoff_ms * 2, backoff.first.count(), backoff.max.count());
          destination.retry_at_ms = now + destination.backoff_ms;
        }
      } else if (raw) {
        destination.backoff_ms = destination.retry_at_ms = 0;
      }
      if (!destination.waiting.empty()) {
        next = std::move(destination.waiting.front());
        destination.waiting.pop_front();
      } else if (--destination.in_flight == 0 && destination.backoff_ms == 0) {
        destinations.erase(request.destination);
      }
    }
    if (next.request) start(std::move(next.request), std::move(next.done));
    done(std::move(raw));
  }

  void saw_alive(const ServerName& server) {
    std::vector<std::function<void(const ServerName&)>> listeners;
    {
      std::scoped_lock lock(mutex);
      const auto found = destinations.find(server);
      if (found == destinations.end() || found->second.backoff_ms == 0) return;
      found->second.backoff_ms = found->second.retry_at_ms = 0;
      if (found->second.in_flight == 0) destinations.erase(found);
      listeners = alive_listeners;
    }
    for (const auto& listener : listeners) listener(server);
  }
};

FederationClient::FederationClient(net::HttpClient& http, Discovery& discovery, net::Clock& clock, ServerName us,
                                   SigningKey key, BackoffOptions backoff)
    : impl_(std::make_shared<Impl>(http, discovery, clock, std::move(us), std::move(key), backoff)) {}

FederationClient::~FederationClient() = default;

void FederationClient::send(FederationRequest request, Done done) {
  const ServerName destination = request.destination;
  impl_->send(std::move(request), [destination, done = std::move(done)](const Raw& raw) {
    auto parsed = parse_answer(raw, destination);
    done(std::move(parsed.answer), std::move(parsed.failure));
  });
}

Result<Json> FederationClient::call(FederationRequest request, RemoteFailure* failure) {
  const ServerName destination = request.destination;
  auto raw = std::make_shared<std::promise<Raw>>();
  auto future = raw->get_future();
  impl_->send(std::move(request), [raw](Raw result) { raw->set_value(std::move(result)); });
  auto parsed = parse_answer(future.get(), destination);
  if (failure != nullptr) *failure = std::move(parsed.failure);
  return std::move(parsed.answer);
}

void FederationClient::saw_alive(const ServerName& server) { impl_->saw_alive(server); }

void FederationClient::on_alive(std::function<void(const ServerName&)> listener) {
  std::scoped_lock lock(impl_->mutex);
  impl_->alive_listeners.push_back(std::move(listener));
}

}  // namespace skerry::federation
