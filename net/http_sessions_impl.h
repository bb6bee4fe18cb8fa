// The connections of an HTTP server: who keeps them, how many there may be, and what their bodies hold. Not for other
// folders.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "net/http_server.h"

namespace skerry::net {

class SessionBase {
 public:
  virtual ~SessionBase() = default;
  // From any thread. `unless_busy`: a request that was handed over is still answered.
  virtual void close(bool unless_busy) = 0;
};
using SessionPtr = std::shared_ptr<SessionBase>;

// Keeps the sessions of a server: one lives until it is closed, whatever became of its Responder. Thread-safe.
class Sessions {
 public:
  Sessions(HttpServerOptions server_options, HttpServer::Handler request_handler);

  const HttpServerOptions options;
  const HttpServer::Handler handler;

  // Admits a connection; false when there are too many, or the server stops. `address` is empty where it does not
  // count.
  bool add(const SessionPtr& session, std::size_t listener, const std::string& address);
  void remove(const SessionBase* session);
  std::vector<SessionPtr> all() const;
  std::size_t count() const;
  std::size_t body_bytes() const;

  // Counts what a request's body holds by now; false when there is no room for it.
  bool hold_body(const SessionBase* session, std::size_t bytes);

  // Counts a request in; false when the server stops.
  bool begin_request(const SessionBase* session);
  void handler_returned();
  // Counts a request out; false when the server stops: the connection is then not kept.
  bool end_request(const SessionBase* session);

  void begin_to_stop();
  // Waits for the requests under way, for `grace` at most, and then for the handler. Answers what is left, and keeps
  // it no longer.
  std::vector<SessionPtr> stop(std::chrono::milliseconds grace);

 private:
  using IdleList = std::list<const SessionBase*>;  // longest idle first
  struct Entry {
    SessionPtr session;
    std::size_t listener;
    std::string address;
    std::size_t body_bytes;
    std::optional<IdleList::iterator> idle;
  };
  struct OfListener {
    std::size_t connections = 0;
    IdleList idle;
  };
  struct Address {
    std::size_t connections = 0;
    std::size_t bodies_bytes = 0;
  };

  // REQUIRES, for all of these: mutex_ is held.
  bool is_full(const std::string& address) const;
  OfListener& fullest();
  SessionPtr longest_idle(OfListener& of);
  void no_longer_idle(Entry& entry);
  void release_body(Entry& entry);

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  const std::size_t most_connections_;
  std::unordered_map<const SessionBase*, Entry> sessions_;
  std::vector<OfListener> listeners_;
  std::unordered_map<std::string, Address> addresses_;
  std::size_t bodies_bytes_ = 0;
  std::size_t requests_ = 0;  // handed to the handler and not yet answered on the wire
  std::size_t in_handler_ = 0;
  bool stopping_ = false;
};

}  // namespace skerry::net
