// GET /sync: what is new for a device, waiting up to `timeout` for something. Client-server API, 'Syncing'.
// A waiting request holds no thread: it subscribes first, then builds; woken or out of time, it builds and answers.
#include <algorithm>
#include <mutex>

#include <nlohmann/json.hpp>

#include "core/limits.h"
#include "homeserver/client_api/common.h"
#include "homeserver/client_api/handlers.h"
#include "homeserver/client_api/sessions.h"
#include "homeserver/sync/tokens.h"

namespace skerry::homeserver::client_api {

namespace {

// Owned by its subscription while it waits, and by the task that runs step() otherwise.
class WaitingSync : public std::enable_shared_from_this<WaitingSync> {
 public:
  // `token`: of the session that asks; none of an application service, whose token does not end.
  WaitingSync(Services& services, SyncRequest request, std::optional<std::string> token, std::int64_t deadline_ms,
              Reply reply)
      : services_(services),
        request_(std::move(request)),
        token_(std::move(token)),
        deadline_ms_(deadline_ms),
        reply_(std::move(reply)) {}

  // Subscribes, builds, and answers or waits. On the `local` pool.
  void step() {
    Notifier::Subscription spent;
    {
      std::scoped_lock lock(mutex_);
      spent = std::move(subscription_);
      woken_ = false;
    }
    spent.reset();
    auto self = shared_from_this();
    auto subscription = services_.notifier.subscribe(request_.user, [self] { self->wake(); });
    // In this order: what comes after the session's end is not in it.
    const storage::StreamPosition now = services_.database.stream().current();
    if (auto holds = session_holds(); !holds) return reply_.error(holds.error());
    const std::int64_t now_ms = services_.clock.now_ms();
    bool empty = false;
    auto body = services_.sync.build(request_, now, now_ms, &empty);
    if (!body) return reply_.error(body.error());
    if (!empty || now_ms >= deadline_ms_ || services_.notifier.closed()) return reply_.json(*body);
    std::scoped_lock lock(mutex_);
    subscription_ = std::move(subscription);
    if (!timer_) {
      timer_ = services_.scheduler.after(std::chrono::milliseconds(deadline_ms_ - now_ms), [weak = weak_from_this()] {
        if (auto waiting = weak.lock()) waiting->wake();
      });
    }
    waiting_ = true;
    if (woken_) resume();
  }

 private:
  // A session that ended or was locked while it waited hears nothing more.
  Result<void> session_holds() {
    auto standing = token_ ? services_.accounts.authenticate(*token_).map([](const Caller& it) { return it.standing; })
                           : active_account(services_, request_.user);
    if (!standing) return tl::make_unexpected(standing.error());
    if (standing->locked) return locked_out();
    return {};
  }

  void wake() {
    std::scoped_lock lock(mutex_);
    woken_ = true;
    if (waiting_) resume();
  }

  // REQUIRES: mutex_ is held. One step runs at a time.
  void resume() {
    waiting_ = false;
    // When the pool has stopped, the task is dropped, and this and the reply with it.
    (void)services_.local.post_admitted([self = shared_from_this()] { self->step(); });
  }

  Services& services_;
  const SyncRequest request_;
  const std::optional<std::string> token_;
  const std::int64_t deadline_ms_;
  Reply reply_;
  std::mutex mutex_;
  bool waiting_ = false;
  bool woken_ = false;
  Notifier::Subscription subscription_;
  net::Scheduler::Handle timer_;
};

Result<Filter> requested_filter(Services& services, const Call& call) {
  const std::string* text = call.query_value("filter");
  if (text == nullptr || text->empty()) return Filter{};
  std::string json = *text;
  if (json.front() != '{') {
    auto stored = services.database.accounts().filter(call.caller->user, json);
    if (!stored) return tl::make_unexpected(stored.error());
    if (!*stored) return fail(ErrorCode::invalid_param, "no filter of that id");
    json = **stored;
  }
  auto parsed = parse_untrusted(json, JsonNumbers::any);
  if (!parsed) return fail(ErrorCode::invalid_param, "filter is not JSON");
  return parse_filter(*parsed);
}

bool query_flag(const Call& call, std::string_view name) {
  const std::string* text = call.query_value(name);
  return text != nullptr && *text == "true";
}

}  // namespace

void sync(Services& services, Call call, Reply reply) {
  SyncRequest request;
  request.user = call.caller->user;
  request.device = call.caller->device;
  if (const std::string* since = call.query_value("since"); since != nullptr && !since->empty()) {
    request.since = parse_stream_token(*since);
    if (!request.since) return reply.error({ErrorCode::invalid_param, "since is not a token of this server"});
  }
  auto filter = requested_filter(services, call);
  if (!filter) return reply.error(filter.error());
  request.filter = std::move(*filter);
  request.full_state = query_flag(call, "full_state");
  request.use_state_after = query_flag(call, "use_state_after");
  auto timeout = query_number(call, "timeout");
  if (!timeout) return reply.error(timeout.error());
  const std::string* set_presence = call.query_value("set_presence");
  auto presence = parse_presence(set_presence != nullptr ? *set_presence : "online");
  if (!presence) return reply.error(presence.error());
  // An initial sync and one with full state answer at once.
  const bool waits = request.since && !request.full_state;
  const std::int64_t wait_ms = waits ? std::min<std::int64_t>(timeout->value_or(0), limits::sync_wait.count()) : 0;
  const std::int64_t deadline_ms = services.clock.now_ms() + wait_ms;
  services.presence.syncs(request.user, request.device, *presence, deadline_ms);
  std::optional<std::string> token;
  if (call.caller->appservice == nullptr) token = access_token(call).value_or("");
  auto waiting =
      std::make_shared<WaitingSync>(services, std::move(request), std::move(token), deadline_ms, std::move(reply));
  waiting->step();
}

}  // namespace skerry::homeserver::client_api
