#include "sandbox/world/line_channel.h"

#include <algorithm>
#include <array>
#include <poll.h>
#include <sys/socket.h>

#include <nlohmann/json.hpp>

namespace skerry::sandbox {

namespace {

using Steady = std::chrono::steady_clock;
constexpr std::chrono::milliseconds stop_interval{50};

}  // namespace

Result<void> LineChannel::send(const Json& object) {
  const std::string line = dump(object) + "\n";
  std::size_t sent = 0;
  while (sent < line.size()) {
    const ssize_t size = ::send(socket_.get(), line.data() + sent, line.size() - sent, MSG_NOSIGNAL);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return fail(ErrorCode::unreachable, "the supervisor is gone");
    sent += static_cast<std::size_t>(size);
  }
  return {};
}

Result<Json> LineChannel::receive(std::chrono::milliseconds timeout, const std::function<bool()>& stop) {
  const auto deadline = Steady::now() + timeout;
  while (true) {
    if (const auto end = received_.find('\n'); end != std::string::npos) {
      auto json = parse_untrusted(std::string_view(received_).substr(0, end), JsonNumbers::canonical);
      received_.erase(0, end + 1);
      return json;
    }
    if (received_.size() > answer_line_bytes) return fail(ErrorCode::too_large, "the supervisor's answer has no end");
    if (stop && stop()) return fail(ErrorCode::cancelled, "interrupted");
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Steady::now());
    if (left.count() <= 0) return fail(ErrorCode::timeout, "the supervisor does not answer");
    pollfd waiting{socket_.get(), POLLIN, 0};
    if (::poll(&waiting, 1, static_cast<int>(std::min(left, stop_interval).count())) <= 0) continue;
    std::array<char, 16'384> buffer;
    const ssize_t size = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
    if (size < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (size <= 0) return fail(ErrorCode::unreachable, "the supervisor is gone");
    received_.append(buffer.data(), static_cast<std::size_t>(size));
  }
}

pid_t LineChannel::peer() const {
  ucred credentials{};
  socklen_t size = sizeof credentials;
  if (::getsockopt(socket_.get(), SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) return 0;
  return credentials.pid;
}

void LineChannel::finish() { ::shutdown(socket_.get(), SHUT_WR); }

}  // namespace skerry::sandbox
