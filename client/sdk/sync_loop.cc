#include "client/sdk/sync_loop.h"

#include <algorithm>
#include <utility>

namespace skerry::client {
namespace {

constexpr int wait_ms = 30'000;
constexpr std::chrono::milliseconds first_sync_pause{500};
constexpr std::chrono::milliseconds longest_sync_pause{15'000};
// A server that answers at once with nothing new is not to be asked in a tight loop.
constexpr std::int64_t quick_ms = 100;
constexpr std::chrono::milliseconds idle_pause{500};

}  // namespace

SyncLoop::SyncLoop(UiCalls& calls, net::Clock& clock, Handler handler)
    : calls_(calls), clock_(clock), handler_(std::move(handler)) {}

void SyncLoop::start(std::string since) {
  since_ = std::move(since);
  request();
}

void SyncLoop::hurry() {
  if (!timer_) return;
  timer_.reset();
  request();
}

void SyncLoop::request() {
  api::SyncRequest sync;
  sync.since = since_;
  sync.wait_ms = link_ == Link::online ? wait_ms : 0;  // the first answer says at once that the server is there
  asked_ms_ = clock_.now_ms();
  calls_.run<SyncResponse>(api::sync(sync), [this](ApiResult<SyncResponse> answer) { on_answer(std::move(answer)); });
}

void SyncLoop::on_answer(ApiResult<SyncResponse> answer) {
  if (!answer) return on_error(answer.error());
  const bool waited = link_ == Link::online;
  const bool idle = waited && answer->empty() && clock_.now_ms() - asked_ms_ < quick_ms;
  failures_ = 0;
  since_ = answer->next_batch;
  set_link(Link::online, nullptr);
  handler_.on_response(std::move(*answer));
  if (idle) {
    pause(idle_pause);
  } else {
    request();
  }
}

void SyncLoop::on_error(const ApiError& error) {
  if (error.status == 401 && error.errcode == "M_UNKNOWN_TOKEN") return set_link(Link::signed_out, &error);
  if (error.status == 400 && !since_.empty()) {
    since_.clear();
    handler_.on_reset();
  }
  set_link(Link::offline, &error);
  const auto backoff = first_sync_pause * (1 << std::min(failures_++, 5));
  pause(std::max(std::min<std::chrono::milliseconds>(backoff, longest_sync_pause), error.retry_after));
}

void SyncLoop::pause(std::chrono::milliseconds delay) {
  timer_ = calls_.later(delay, [this] {
    timer_.reset();
    request();
  });
}

void SyncLoop::set_link(Link link, const ApiError* error) {
  const bool same = link == Link::online && link_ == Link::online;
  link_ = link;
  if (!same) handler_.on_link(link, error);
}

}  // namespace skerry::client
