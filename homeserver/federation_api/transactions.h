// The transactions of other servers that are on their way: one at a time per origin, the others in order behind it.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "core/ids.h"
#include "homeserver/route.h"

namespace skerry::homeserver::federation_api {

// Thread-safe. Bounded: an origin with too many waiting is told to come again.
class Transactions {
 public:
  Transactions();
  ~Transactions();

  // Calls `run` when it is this transaction's turn. One with the same id that is on its way already answers this reply
  // as well, and so does one that was the last to be answered.
  void begin(const ServerName& origin, const std::string& id, Reply reply, std::function<void()> run);
  // Answers everyone who sent it, and starts the origin's next.
  void finish(const ServerName& origin, const std::string& id, const std::string& response);

  // The same without an answer: they are told to come again.
  void give_up(const ServerName& origin, const std::string& id);
  // Whether this transaction may be given up for want of something that may still come. Not for ever: what another
  // server sends after it waits meanwhile.
  bool may_put_off(const ServerName& origin, const std::string& id, std::int64_t now_ms);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace skerry::homeserver::federation_api
