#include "homeserver/media/remote_media.h"

#include <deque>
#include <map>
#include <mutex>
#include <unordered_map>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/limits.h"
#include "homeserver/media/content_headers.h"
#include "homeserver/media/multipart.h"

namespace skerry::homeserver {

namespace {

using Raw = Result<net::HttpResponse>;

std::string errcode_of(const net::HttpResponse& response) {
  constexpr std::size_t most = 16'384;
  if (response.body.size() > most) return {};
  auto json = parse_untrusted(response.body, JsonNumbers::any);
  const std::string* code = json && json->is_object() ? find_string(*json, "errcode") : nullptr;
  return code != nullptr ? *code : std::string();
}

// What an answer without the media means for whoever asked for them.
Error error_of(const net::HttpResponse& response, const ServerName& origin) {
  const std::string errcode = errcode_of(response);
  if (errcode == "M_NOT_YET_UPLOADED") return {ErrorCode::not_yet_uploaded, "its bytes were not uploaded yet"};
  if (errcode == "M_TOO_LARGE") return {ErrorCode::remote_media_too_large, "it is too large"};
  if (response.status == 404) return {ErrorCode::not_found, origin.str() + " has no such media"};
  return {ErrorCode::remote_error, origin.str() + " answered " + std::to_string(response.status)};
}

Error failure_of(const Error& error) {
  if (error.code != ErrorCode::too_large) return error;
  return {ErrorCode::remote_media_too_large, "it is larger than this server takes"};
}

FetchedMedia described(const net::Headers& headers, std::string_view bytes) {
  return {clean_content_type(net::find_header(headers, "Content-Type").value_or("")),
          file_name_of(net::find_header(headers, "Content-Disposition").value_or("")), bytes};
}

}  // namespace

struct RemoteMedia::Impl : std::enable_shared_from_this<Impl> {
  Impl(const MediaContext& given, Keep keep_media) : context(given), keep(std::move(keep_media)) {}

  struct Fetch {
    ServerName origin;
    std::string id;
    std::chrono::milliseconds wait{0};
    std::chrono::steady_clock::time_point deadline;
    std::vector<MediaRepository::Found> waiting;  // guarded by the mutex
  };
  using FetchPtr = std::shared_ptr<Fetch>;
  using Key = std::pair<ServerName, std::string>;

  const MediaContext& context;
  const Keep keep;
  std::mutex mutex;
  std::map<Key, FetchPtr> fetches;  // that run or wait
  std::deque<FetchPtr> queue;
  std::unordered_map<ServerName, int> running_of;
  int running = 0;

  void fetch(const ServerName& origin, const std::string& id, std::chrono::milliseconds wait,
             MediaRepository::Found done) {
    {
      std::scoped_lock lock(mutex);
      FetchPtr& fetch = fetches[{origin, id}];
      if (fetch) return fetch->waiting.push_back(std::move(done));
      if (queue.size() < limits::media_fetches_waiting) {
        fetch = std::make_shared<Fetch>();
        fetch->origin = origin;
        fetch->id = id;
        fetch->wait = wait;
        fetch->waiting.push_back(std::exchange(done, nullptr));
        queue.push_back(fetch);
      } else {
        fetches.erase({origin, id});
      }
    }
    if (done) return done(fail(ErrorCode::limit_exceeded, "too many media are being fetched"));
    start_next();
  }

  // The first in the queue whose server is not asked for too much already.
  FetchPtr take_next() {
    std::scoped_lock lock(mutex);
    if (running == limits::media_fetches) return nullptr;
    for (auto at = queue.begin(); at != queue.end(); ++at) {
      const auto of_server = running_of.find((*at)->origin);
      if (of_server != running_of.end() && of_server->second == limits::media_fetches_per_server) continue;
      FetchPtr next = std::move(*at);
      queue.erase(at);
      ++running;
      ++running_of[next->origin];
      return next;
    }
    return nullptr;
  }

  void start_next() {
    while (const FetchPtr next = take_next()) {
      next->deadline = std::chrono::steady_clock::now() + limits::media_fetch_time;
      ask(next, "/_matrix/federation/v1/media/download/" + next->id + "?timeout_ms=", true);
    }
  }

  void finish(const FetchPtr& fetch, const Result<MediaFile>& result) {
    std::vector<MediaRepository::Found> waiting;
    {
      std::scoped_lock lock(mutex);
      fetches.erase({fetch->origin, fetch->id});
      --running;
      if (--running_of[fetch->origin] == 0) running_of.erase(fetch->origin);
      waiting.swap(fetch->waiting);
    }
    for (const auto& done : waiting) done(result);
    start_next();
  }

  std::chrono::milliseconds left(const Fetch& fetch) const {
    const auto time = fetch.deadline - std::chrono::steady_clock::now();
    return std::max(std::chrono::ceil<std::chrono::milliseconds>(time), std::chrono::milliseconds(1));
  }
  std::size_t most_bytes() const { return static_cast<std::size_t>(context.limits.max_bytes); }

  // `authenticated` is how servers ask since v1.11.
  void ask(const FetchPtr& fetch, const std::string& target, bool authenticated) {
    federation::FederationRequest request;
    request.destination = fetch->origin;
    request.target = target + std::to_string(fetch->wait.count());
    request.timeout = left(*fetch);
    request.max_response_bytes = most_bytes() + 4 * limits::multipart_head_bytes;
    request.sign = authenticated;
    context.federation.send_raw(std::move(request), [self = shared_from_this(), fetch, authenticated](Raw raw) {
      self->on_pool(fetch, std::move(raw), [self, fetch, authenticated](const net::HttpResponse& response) {
        self->answered(fetch, response, authenticated);
      });
    });
  }

  void on_pool(const FetchPtr& fetch, Raw raw, std::function<void(const net::HttpResponse&)> use) {
    if (!raw) return finish(fetch, tl::make_unexpected(failure_of(raw.error())));
    auto response = std::make_shared<const net::HttpResponse>(std::move(*raw));
    const bool posted = context.pool.post_admitted([response, use = std::move(use)] { use(*response); });
    if (!posted) finish(fetch, fail(ErrorCode::cancelled, "shutting down"));
  }

  void answered(const FetchPtr& fetch, const net::HttpResponse& response, bool authenticated) {
    if (response.status == 200 && authenticated) return take_parts(fetch, response);
    if (response.status == 200) return take(fetch, response);
    // 'Content Repository': to a server that does not know the endpoint, the deprecated one, which may ask no others.
    if (authenticated && errcode_of(response) == "M_UNRECOGNIZED") {
      return ask(fetch,
                 "/_matrix/media/v3/download/" + net::percent_encode(fetch->origin.str()) + "/" + fetch->id +
                     "?allow_remote=false&timeout_ms=",
                 false);
    }
    finish(fetch, tl::make_unexpected(error_of(response, fetch->origin)));
  }

  void take_parts(const FetchPtr& fetch, const net::HttpResponse& response) {
    constexpr std::size_t metadata_and_media = 2;
    auto parts = parse_multipart(net::find_header(response.headers, "Content-Type").value_or(""), response.body,
                                 metadata_and_media);
    if (!parts) return finish(fetch, tl::make_unexpected(parts.error()));
    if (parts->size() != metadata_and_media)
      return finish(fetch, fail(ErrorCode::remote_error, fetch->origin.str() + " answered without the media"));
    const Part& media = parts->back();
    if (const auto location = net::find_header(media.headers, "Location")) return follow(fetch, *location, {}, 0);
    keep_bytes(fetch, described(media.headers, media.body));
  }

  void take(const FetchPtr& fetch, const net::HttpResponse& response) {
    keep_bytes(fetch, described(response.headers, response.body));
  }

  void keep_bytes(const FetchPtr& fetch, const FetchedMedia& media) {
    if (media.bytes.size() > most_bytes()) {
      return finish(fetch, fail(ErrorCode::remote_media_too_large, "it is larger than this server takes"));
    }
    finish(fetch, keep(fetch->origin, fetch->id, media));
  }

  // By https only, and wherever the address policy lets this server go. Nothing of ours is sent along.
  void follow(const FetchPtr& fetch, const std::string& location, const net::Endpoint& from, std::size_t redirects) {
    auto place = net::parse_location(location, from);
    if (!place || redirects > limits::redirects) {
      return finish(fetch,
                    fail(ErrorCode::remote_error, fetch->origin.str() + " refers to a place that cannot be asked"));
    }
    net::OutgoingRequest request;
    request.endpoint = place->endpoint;
    request.target = place->target;
    request.timeout = left(*fetch);
    request.max_response_bytes = most_bytes();
    context.http.send(std::move(request), [self = shared_from_this(), fetch, at = place->endpoint, redirects](Raw raw) {
      self->on_pool(fetch, std::move(raw), [self, fetch, at, redirects](const auto& response) {
        self->followed(fetch, response, at, redirects);
      });
    });
  }

  void followed(const FetchPtr& fetch, const net::HttpResponse& response, const net::Endpoint& at,
                std::size_t redirects) {
    const auto location = net::find_header(response.headers, "Location");
    const bool redirected = response.status >= 301 && response.status <= 308 && response.status != 304;
    if (redirected && location) return follow(fetch, *location, at, redirects + 1);
    if (response.status == 200) return take(fetch, response);
    finish(fetch,
           fail(ErrorCode::remote_error, "where the media are kept the answer was " + std::to_string(response.status)));
  }
};

RemoteMedia::RemoteMedia(const MediaContext& context, Keep keep)
    : impl_(std::make_shared<Impl>(context, std::move(keep))) {}

RemoteMedia::~RemoteMedia() = default;

void RemoteMedia::fetch(const ServerName& origin, const std::string& id, std::chrono::milliseconds wait,
                        MediaRepository::Found done) {
  impl_->fetch(origin, id, wait, std::move(done));
}

}  // namespace skerry::homeserver
