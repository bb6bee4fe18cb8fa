#include "bench/waiters.h"

#include <nlohmann/json.hpp>

#include "core/json.h"

namespace skerry::bench {

Waiters::~Waiters() { (void)collect(); }

void Waiters::wait(const std::string& token, const std::string& since, std::chrono::milliseconds timeout) {
  std::size_t place = 0;
  {
    std::scoped_lock lock(mutex_);
    place = answers_.size();
    answers_.emplace_back();
    ++open_;
  }
  load_.http().send(
      sync_request(target_, token, since, timeout), [this, place](const Result<net::HttpResponse>& response) {
        Answer answer{std::chrono::steady_clock::now(), {}, {}};
        const auto json = response && response->status == 200 ? parse_untrusted(response->body, JsonNumbers::any)
                                                              : Result<Json>(Json::object());
        if (json && json->is_object()) answer.next_batch = json->value("next_batch", "");
        if (answer.next_batch.empty())
          answer.failure = response ? std::to_string(response->status) : response.error().text;
        std::scoped_lock lock(mutex_);
        answers_[place] = std::move(answer);
        if (--open_ == 0) changed_.notify_all();
      });
}

std::vector<Waiters::Answer> Waiters::collect() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return open_ == 0; });
  return std::exchange(answers_, {});
}

}  // namespace skerry::bench
