// Keeps asking /sync, and comes back by itself after the server was away.
#pragma once

#include <chrono>
#include <functional>
#include <string>

#include "client/sdk/api.h"
#include "client/sdk/ui_calls.h"

namespace skerry::client {

enum class Link {
  connecting,  // nothing was answered yet
  online,
  offline,     // the last try failed; the next comes by itself
  signed_out,  // the server knows the access token no more: it ends here
};

// Lives on the owning thread.
class SyncLoop {
 public:
  struct Handler {
    std::function<void(SyncResponse)> on_response;
    std::function<void(Link, const ApiError*)> on_link;  // the error when offline or signed out
    std::function<void()> on_reset;                      // the server knows our position no more: all is told anew
  };
  SyncLoop(UiCalls& calls, net::Clock& clock, Handler handler);

  void start(std::string since);
  Link link() const { return link_; }
  // Tries now instead of at the end of the pause.
  void hurry();

 private:
  void request();
  void on_answer(ApiResult<SyncResponse> answer);
  void on_error(const ApiError& error);
  void pause(std::chrono::milliseconds delay);
  void set_link(Link link, const ApiError* error);

  UiCalls& calls_;
  net::Clock& clock_;
  Handler handler_;
  std::string since_;
  Link link_ = Link::connecting;
  int failures_ = 0;
  std::int64_t asked_ms_ = 0;
  net::Scheduler::Handle timer_;
};

}  // namespace skerry::client
