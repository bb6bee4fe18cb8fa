// Calls as one user's device, or as nobody before signing in.
#pragma once

#include <functional>
#include <future>
#include <memory>
#include <string>
#include <utility>

#include "client/sdk/call.h"
#include "client/sdk/transport.h"

namespace skerry::client {

// Thread-safe.
class Session {
 public:
  // REQUIRES: the transport outlives the session. No access token: only calls that need none.
  Session(Transport& transport, std::string user_id, std::string access_token)
      : transport_(transport), user_id_(std::move(user_id)), access_token_(std::move(access_token)) {}

  const std::string& user_id() const { return user_id_; }

  // `done` runs once, on a thread of the transport.
  template <class T>
  void send(Call<T> call, std::function<void(ApiResult<T>)> done) {
    auto parse = std::move(call.parse);
    send_raw(to_request(call), [parse = std::move(parse), done = std::move(done)](ApiResult<Answer> answer) {
      if (!answer) {
        done(tl::make_unexpected(std::move(answer.error())));
      } else {
        done(parse(**answer));
      }
    });
  }

  // The same, waiting. A call that comes too soon for the server's rate limit is repeated when the server says, for up
  // to half a minute. Not from a thread of the transport.
  template <class T>
  ApiResult<T> call(Call<T> call) {
    for (RateLimit limit;;) {
      std::promise<ApiResult<T>> promise;
      send<T>(call, [&promise](ApiResult<T> result) { promise.set_value(std::move(result)); });
      ApiResult<T> result = promise.get_future().get();
      if (result || !result.error().rate_limited() || !limit.wait(result.error())) return result;
    }
  }

 private:
  using Answer = std::shared_ptr<const Json>;

  struct RateLimit {
    std::chrono::milliseconds left{30'000};
    bool wait(const ApiError& error);  // sleeps; false when patience is at its end
  };

  template <class T>
  ApiRequest to_request(Call<T>& call) const {
    ApiRequest out;
    out.method = std::move(call.method);
    out.target = std::move(call.target);
    out.access_token = access_token_;
    out.body = std::move(call.body);
    out.timeout = call.timeout;
    out.max_response_bytes = call.max_response_bytes;
    return out;
  }

  void send_raw(ApiRequest request, std::function<void(ApiResult<Answer>)> done);

  Transport& transport_;
  std::string user_id_;
  std::string access_token_;
};

}  // namespace skerry::client
