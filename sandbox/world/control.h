// The supervisor's end of its control socket: connections that ask one thing a line, and are answered by one line.
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <poll.h>
#include <string>
#include <vector>

#include "core/json.h"
#include "core/result.h"
#include "sandbox/world/sockets.h"

namespace skerry::sandbox {

// Never blocks; driven by the owner's poll(). Not thread-safe.
class ControlServer {
 public:
  using ConnectionId = std::uint64_t;
  // A request that is an object. Whoever takes it answers by answer(), then or later.
  using Handler = std::function<void(ConnectionId, const Json& request)>;

  // Errors: storage.
  static Result<ControlServer> listen(const std::string& path);

  void add_to(std::vector<pollfd>& waiting) const;
  // REQUIRES: `first` points to what add_to() added, after poll(), with nothing called in between.
  void handle(const pollfd* first, const Handler& handler);
  // To a connection that is gone: nothing.
  void answer(ConnectionId id, const Json& object);
  // Writes what is still to be written to connections that read it, for a moment at most.
  void flush();

 private:
  struct Connection {
    ConnectionId id = 0;
    Descriptor socket;
    std::string received;
    std::string to_send;
  };
  explicit ControlServer(Descriptor listener) : listener_(std::move(listener)) {}
  void accept();
  static bool read(Connection& connection, std::vector<std::string>& lines);
  static bool write(Connection& connection);

  Descriptor listener_;
  std::list<Connection> connections_;
  ConnectionId last_id_ = 0;
};

}  // namespace skerry::sandbox
