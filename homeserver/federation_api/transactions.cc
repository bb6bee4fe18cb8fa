#include "homeserver/federation_api/transactions.h"

#include <algorithm>
#include <deque>
#include <mutex>
#include <unordered_map>
#include <vector>

namespace skerry::homeserver::federation_api {

namespace {

constexpr std::size_t waiting_per_origin = 8;
constexpr std::size_t replies_per_transaction = 10;
constexpr std::int64_t put_off_ms = 600'000;
constexpr std::size_t remembered_origins = 10'000;
constexpr std::size_t remembered_answers = 500;  // of some kilobytes at most

struct Waiting {
  std::string id;
  std::vector<Reply> replies;
  std::function<void()> run;
};

}  // namespace

struct PutOff {
  std::string id;
  std::int64_t since_ms = 0;
};

struct Answer {
  std::string id;
  std::string response;
};

struct Transactions::Impl {
  std::mutex mutex;
  std::unordered_map<ServerName, std::deque<Waiting>> origins;  // the first of each is on its way
  std::unordered_map<ServerName, PutOff> put_off;               // the latest of each
  std::unordered_map<ServerName, Answer> answers;               // the latest of each: the store has it a little later

  void end(const ServerName& origin, const std::string& id, const std::function<void(Reply&)>& answer) {
    std::vector<Reply> replies;
    std::function<void()> next;
    {
      std::scoped_lock lock(mutex);
      const auto found = origins.find(origin);
      if (found == origins.end() || found->second.empty() || found->second.front().id != id) return;
      replies = std::move(found->second.front().replies);
      found->second.pop_front();
      if (found->second.empty()) {
        origins.erase(found);
      } else {
        next = found->second.front().run;
      }
    }
    for (Reply& reply : replies) answer(reply);
    if (next) next();
  }
};

Transactions::Transactions() : impl_(std::make_unique<Impl>()) {}
Transactions::~Transactions() = default;

void Transactions::begin(const ServerName& origin, const std::string& id, Reply reply, std::function<void()> run) {
  {
    std::scoped_lock lock(impl_->mutex);
    const auto answered = impl_->answers.find(origin);
    if (answered != impl_->answers.end() && answered->second.id == id) return reply.text(answered->second.response);
    auto& queue = impl_->origins[origin];
    const auto same =
        std::find_if(queue.begin(), queue.end(), [&](const Waiting& waiting) { return waiting.id == id; });
    const bool full =
        same == queue.end() ? queue.size() >= waiting_per_origin : same->replies.size() >= replies_per_transaction;
    if (full) return reply.limited(std::chrono::seconds(1));
    if (same != queue.end()) {
      same->replies.push_back(std::move(reply));
      return;
    }
    Waiting waiting;
    waiting.id = id;
    waiting.replies.push_back(std::move(reply));
    waiting.run = run;
    queue.push_back(std::move(waiting));
    if (queue.size() > 1) return;
  }
  run();
}

void Transactions::finish(const ServerName& origin, const std::string& id, const std::string& response) {
  {
    std::scoped_lock lock(impl_->mutex);
    if (impl_->answers.size() >= remembered_answers && !impl_->answers.contains(origin)) impl_->answers.clear();
    impl_->answers[origin] = Answer{id, response};
  }
  impl_->end(origin, id, [&](Reply& reply) { reply.text(response); });
}

bool Transactions::may_put_off(const ServerName& origin, const std::string& id, std::int64_t now_ms) {
  std::scoped_lock lock(impl_->mutex);
  if (impl_->put_off.size() >= remembered_origins && !impl_->put_off.contains(origin)) impl_->put_off.clear();
  PutOff& latest = impl_->put_off[origin];
  if (latest.id != id) latest = PutOff{id, now_ms};
  return now_ms - latest.since_ms < put_off_ms;
}

void Transactions::give_up(const ServerName& origin, const std::string& id) {
  impl_->end(origin, id, [](Reply& reply) { reply.limited(std::chrono::seconds(1)); });
}

}  // namespace skerry::homeserver::federation_api
