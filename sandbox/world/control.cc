#include "sandbox/world/control.h"

#include <array>
#include <cerrno>
#include <chrono>
#include <sys/socket.h>

#include <nlohmann/json.hpp>

#include "sandbox/world/line_channel.h"

namespace skerry::sandbox {

namespace {

constexpr std::size_t max_control_connections = 64;
constexpr std::chrono::milliseconds flush_time{500};
constexpr int flush_step_ms = 20;

}  // namespace

Result<ControlServer> ControlServer::listen(const std::string& path) {
  auto listener = listen_unix(path);
  if (!listener) return tl::make_unexpected(listener.error());
  return ControlServer(std::move(*listener));
}

void ControlServer::add_to(std::vector<pollfd>& waiting) const {
  waiting.push_back({listener_.get(), POLLIN, 0});
  for (const Connection& connection : connections_) {
    const int events = connection.to_send.empty() ? POLLIN : POLLIN | POLLOUT;
    waiting.push_back({connection.socket.get(), static_cast<short>(events), 0});
  }
}

void ControlServer::handle(const pollfd* first, const Handler& handler) {
  const bool incoming = first->revents != 0;
  std::vector<std::pair<ConnectionId, std::string>> requests;
  for (auto it = connections_.begin(); it != connections_.end();) {
    const short events = (++first)->revents;
    std::vector<std::string> lines;
    bool alive = (events & (POLLERR | POLLNVAL)) == 0;
    if (alive && (events & (POLLIN | POLLHUP)) != 0) alive = read(*it, lines);
    if (alive && (events & POLLOUT) != 0) alive = write(*it);
    for (std::string& line : lines) requests.emplace_back(it->id, std::move(line));
    it = alive ? std::next(it) : connections_.erase(it);
  }
  if (incoming) accept();
  for (const auto& [id, line] : requests) {
    const auto request = parse_untrusted(line, JsonNumbers::canonical);
    if (request && request->is_object()) {
      handler(id, *request);
    } else {
      answer(id, {{"ok", false}, {"error", "a request is a JSON object in one line"}});
    }
  }
}

void ControlServer::accept() {
  Descriptor socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!socket.open()) return;
  if (connections_.size() == max_control_connections) connections_.pop_front();
  connections_.push_back({++last_id_, std::move(socket), {}, {}});
}

bool ControlServer::read(Connection& connection, std::vector<std::string>& lines) {
  std::array<char, 4'096> buffer;
  const ssize_t size = ::recv(connection.socket.get(), buffer.data(), buffer.size(), 0);
  if (size < 0) return errno == EAGAIN || errno == EINTR;
  if (size == 0) return false;
  connection.received.append(buffer.data(), static_cast<std::size_t>(size));
  for (auto end = connection.received.find('\n'); end != std::string::npos; end = connection.received.find('\n')) {
    lines.push_back(connection.received.substr(0, end));
    connection.received.erase(0, end + 1);
  }
  return connection.received.size() <= request_line_bytes;
}

bool ControlServer::write(Connection& connection) {
  const ssize_t size =
      ::send(connection.socket.get(), connection.to_send.data(), connection.to_send.size(), MSG_NOSIGNAL);
  if (size < 0) return errno == EAGAIN || errno == EINTR;
  connection.to_send.erase(0, static_cast<std::size_t>(size));
  return true;
}

void ControlServer::answer(ConnectionId id, const Json& object) {
  for (auto it = connections_.begin(); it != connections_.end(); ++it) {
    if (it->id != id) continue;
    it->to_send += dump(object) + "\n";
    if (it->to_send.size() > answer_line_bytes || !write(*it)) connections_.erase(it);
    return;
  }
}

void ControlServer::flush() {
  const auto deadline = std::chrono::steady_clock::now() + flush_time;
  for (Connection& connection : connections_) {
    while (!connection.to_send.empty() && std::chrono::steady_clock::now() < deadline) {
      pollfd waiting{connection.socket.get(), POLLOUT, 0};
      ::poll(&waiting, 1, flush_step_ms);
      if (!write(connection)) break;
    }
  }
}

}  // namespace skerry::sandbox
