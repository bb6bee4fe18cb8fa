// JSON, one object a line, over a stream socket.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <sys/types.h>

#include "core/json.h"
#include "core/result.h"
#include "sandbox/world/sockets.h"

namespace skerry::sandbox {

inline constexpr std::size_t request_line_bytes = 64 * 1'024;
inline constexpr std::size_t answer_line_bytes = 4 * 1'048'576;  // a thousand servers

// The caller's end of a conversation: waits, with a deadline.
class LineChannel {
 public:
  explicit LineChannel(Descriptor socket) : socket_(std::move(socket)) {}

  // Errors: unreachable when the other end is gone.
  Result<void> send(const Json& object);
  // The next object. `stop` is asked now and then. Errors: unreachable (the other end is gone), timeout, cancelled (by
  // `stop`), not_json, too_large.
  Result<Json> receive(std::chrono::milliseconds timeout, const std::function<bool()>& stop = {});
  // Says that nothing more will be sent.
  void finish();
  // The process at the other end: that which connected, or listened. 0 when that cannot be told.
  pid_t peer() const;
  Descriptor release() { return std::move(socket_); }

 private:
  Descriptor socket_;
  std::string received_;
};

}  // namespace skerry::sandbox
