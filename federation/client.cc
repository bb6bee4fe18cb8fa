#include "federation/client.h"

#include <algorithm>
#include <chrono>
#include <deque>
#include <future>
#include <mutex>
#include <optional>
#include <unordered_map>

#include <nlohmann/json.hpp>

#include "federation/backoff.h"
#include "federation/request_auth.h"

namespace skerry::federation {

namespace {

constexpr int in_flight_per_destination = 8;
constexpr std::size_t waiting_per_destination = 64;
constexpr std::size_t known_destinations = 10'000;
constexpr std::size_t error_bytes = 16'384;  // of an answer that says what went wrong
constexpr std::size_t text_bytes = 255;      // of what another server says went wrong: it is logged and passed on

using Steady = std::chrono::steady_clock;

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
    if (const std::string* code = find_string(*json, "errcode")) failure.errcode = code->substr(0, text_bytes);
    if (const std::string* text = find_string(*json, "error")) failure.error = text->substr(0, text_bytes);
  }
  std::string what = destination.str() + " answered " + std::to_string(raw->status);
  if (!failure.errcode.empty()) what += " " + failure.errcode;
  if (!failure.error.empty()) what += ": " + failure.error;
  return {fail(ErrorCode::remote_error, std::move(what)), std::move(failure)};
}

// Nobody is there, or only a gateway that says so.
bool is_no_answer(const Raw& raw) {
  if (!raw) return raw.error().code == ErrorCode::unreachable || raw.error().code == ErrorCode::timeout;
  if (raw->status < 502 || raw->status > 504) return false;
  // A homeserver may say so of something else than itself: of media that are not there yet, say.
  auto json = raw->body.size() <= error_bytes ? parse_untrusted(raw->body, JsonNumbers::any) : Json();
  return !json || !json->is_object() || find_string(*json, "errcode") == nullptr;
}

bool same_places(const std::vector<net::Endpoint>& a, const std::vector<net::Endpoint>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const net::Endpoint& left, const net::Endpoint& right) {
    return left.connect_host == right.connect_host && left.port == right.port && left.tls_name == right.tls_name;
  });
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

  // One request on its way from place to place.
  struct Attempt {
    FederationRequest request;
    std::string authorization;
    Steady::time_point deadline;
    RawDone done;
    std::vector<net::Endpoint> places;
    std::size_t next = 0;
    std::optional<Error> failure;  // of the last of the places; set when they were asked for anew
  };
  using AttemptPtr = std::shared_ptr<Attempt>;

  struct Destination {
    int in_flight = 0;
    std::deque<AttemptPtr> waiting;
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
    if (request.destination == us) return done(fail(ErrorCode::internal, "this server does not ask itself"));
    auto authorization = authorize(request);
    if (!authorization) return done(tl::make_unexpected(authorization.error()));
    auto attempt = std::make_shared<Attempt>();
    attempt->deadline = Steady::now() + request.timeout;
    attempt->request = std::move(request);
    attempt->authorization = std::move(*authorization);
    attempt->done = std::move(done);
    const auto starts = take_a_place(attempt);
    if (!starts) return attempt->done(tl::make_unexpected(starts.error()));
    if (*starts) start(attempt);
  }

  // On the caller's thread, once: a transaction's body may be large.
  Result<std::string> authorize(const FederationRequest& request) const {
    if (!request.sign) return std::string();
    Result<Json> content = request.body ? parse_stored(*request.body) : Result<Json>(Json());
    if (!content) return tl::make_unexpected(content.error());
    return make_request_auth(request.method, request.target, us, request.destination,
                             request.body ? &*content : nullptr, key);
  }

  // True when it may start, false when it waits for others to the same destination.
  Result<bool> take_a_place(const AttemptPtr& attempt) {
    const ServerName& server = attempt->request.destination;
    std::scoped_lock lock(mutex);
    make_room();
    Destination& destination = destinations[server];
    if (!attempt->request.ignore_backoff && destination.retry_at_ms > clock.now_ms()) {
      return fail(ErrorCode::unreachable, server.str() + " gave no answer lately and is not asked again yet");
    }
    if (destination.in_flight < in_flight_per_destination) {
      ++destination.in_flight;
      return true;
    }
    if (destination.waiting.size() >= waiting_per_destination)
      return fail(ErrorCode::unreachable, "too many requests wait for " + server.str());
    destination.waiting.push_back(attempt);
    return false;
  }

  // Forgets who failed once there are too many: anyone may send us names to ask. REQUIRES: mutex is held.
  void make_room() {
    if (destinations.size() < known_destinations) return;
    const std::int64_t now = clock.now_ms();
    std::erase_if(destinations,
                  [&](const auto& entry) { return entry.second.in_flight == 0 && entry.second.retry_at_ms <= now; });
    if (destinations.size() < known_destinations) return;
    std::erase_if(destinations, [](const auto& entry) { return entry.second.in_flight == 0; });
  }

  void start(const AttemptPtr& attempt) {
    discovery.find(attempt->request.destination,
                   [self = shared_from_this(), attempt](Result<std::vector<net::Endpoint>> places) {
                     if (!places) return self->finish(attempt, tl::make_unexpected(places.error()));
                     if (attempt->failure && same_places(attempt->places, *places))
                       return self->finish(attempt, tl::make_unexpected(*attempt->failure));
                     attempt->places = std::move(*places);
                     attempt->next = 0;
                     self->try_place(attempt);
                   });
  }

  void try_place(const AttemptPtr& attempt) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(attempt->deadline - Steady::now());
    if (left.count() <= 0) {
      return finish(attempt, fail(ErrorCode::timeout, attempt->request.destination.str() + " was not reached in time"));
    }
    http.send(outgoing(*attempt, left), [self = shared_from_this(), attempt](Raw raw) {
      if (raw || raw.error().code != ErrorCode::unreachable) return self->finish(attempt, std::move(raw));
      if (++attempt->next < attempt->places.size()) return self->try_place(attempt);
      if (attempt->failure) return self->finish(attempt, std::move(raw));
      // It may have moved: where it is now is found out once more.
      attempt->failure = raw.error();
      self->discovery.forget(attempt->request.destination);
      self->start(attempt);
    });
  }

  static net::OutgoingRequest outgoing(const Attempt& attempt, std::chrono::milliseconds timeout) {
    const FederationRequest& request = attempt.request;
    net::OutgoingRequest made;
    made.endpoint = attempt.places[attempt.next];
    made.method = request.method;
    made.target = request.target;
    made.timeout = timeout;
    made.max_response_bytes = request.max_response_bytes;
    if (request.body) {
      made.body = *request.body;
      made.headers.emplace_back("Content-Type", "application/json");
    }
    if (request.sign) made.headers.emplace_back("Authorization", attempt.authorization);
    return made;
  }

  void finish(const AttemptPtr& attempt, Raw raw) {
    AttemptPtr next;
    std::vector<AttemptPtr> refused;
    {
      std::scoped_lock lock(mutex);
      Destination& destination = destinations[attempt->request.destination];
      if (is_no_answer(raw)) {
        note_failure(destination);
        refused = take_waiting(destination);
      } else if (raw) {
        destination.backoff_ms = destination.retry_at_ms = 0;
      }
      if (!destination.waiting.empty()) {
        next = std::move(destination.waiting.front());
        destination.waiting.pop_front();
      } else if (--destination.in_flight == 0 && destination.backoff_ms == 0) {
        destinations.erase(attempt->request.destination);
      }
    }
    if (next) start(next);
    for (const AttemptPtr& one : refused) {
      one->done(fail(ErrorCode::unreachable, one->request.destination.str() + " gives no answer"));
    }
    attempt->done(std::move(raw));
  }

  // Of several that fail together, one counts. REQUIRES: mutex is held.
  void note_failure(Destination& destination) const {
    const std::int64_t now = clock.now_ms();
    if (destination.retry_at_ms > now) return;
    destination.backoff_ms = next_backoff_ms(backoff, destination.backoff_ms);
    destination.retry_at_ms = now + destination.backoff_ms;
  }

  // Who waited behind a request that got no answer does not wait for the same. REQUIRES: mutex is held.
  static std::vector<AttemptPtr> take_waiting(Destination& destination) {
    std::vector<AttemptPtr> taken;
    std::deque<AttemptPtr> stay;
    for (AttemptPtr& waiting : destination.waiting) {
      if (waiting->request.ignore_backoff) {
        stay.push_back(std::move(waiting));
      } else {
        taken.push_back(std::move(waiting));
      }
    }
    destination.waiting = std::move(stay);
    return taken;
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

void FederationClient::send_raw(FederationRequest request, std::function<void(Result<net::HttpResponse>)> done) {
  impl_->send(std::move(request), std::move(done));
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
