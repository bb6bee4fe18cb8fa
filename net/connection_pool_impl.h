// Kept-alive connections of the HTTP client. Not for other folders.
#pragma once

#include <cerrno>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/beast/core/flat_buffer.hpp>

#include "net/tls_stream_impl.h"

namespace skerry::net {

// A socket with its strand, plain or under TLS. Everything is the strand's, but where said.
struct Connection {
  using Strand = boost::asio::strand<boost::asio::io_context::executor_type>;
  using Socket = boost::asio::ip::tcp::socket;

  explicit Connection(boost::asio::io_context& context) : strand(boost::asio::make_strand(context)), plain(strand) {}

  const Strand strand;
  Socket plain;                  // before TLS begins, and without it
  std::optional<TlsStream> tls;  // once TLS began
  boost::beast::flat_buffer buffer;
  bool idle = false;  // in the pool; guarded by its mutex

  Socket& socket() { return tls ? tls->next_layer() : plain; }
  void close() {
    if (tls && tls->next_layer().is_open()) tls->send_close_notify();
    boost::system::error_code ignored;
    socket().close(ignored);
  }
  // True when nothing came since the last answer: neither the peer's end nor bytes that nobody asked for.
  bool is_quiet() {
    char byte = 0;
    const auto size = ::recv(socket().native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return size < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
  }
};
using ConnectionPtr = std::shared_ptr<Connection>;

// Connections by endpoint, the last used first. One that the peer closes, or that speaks unasked, leaves by itself.
// Thread-safe.
class ConnectionPool : public std::enable_shared_from_this<ConnectionPool> {
 public:
  ConnectionPool(std::size_t per_endpoint, std::size_t most, std::chrono::seconds idle_time)
      : per_endpoint_(per_endpoint), most_(most), idle_time_(idle_time) {}

  // Null when there is none. On its strand the caller must cancel what the pool waits for (`socket().cancel()`) before
  // it uses it.
  ConnectionPtr take(const std::string& key) {
    std::scoped_lock lock(mutex_);
    const auto found = idle_.find(key);
    if (found == idle_.end()) return nullptr;
    ConnectionPtr connection = std::move(found->second.back().connection);
    found->second.pop_back();
    if (found->second.empty()) idle_.erase(found);
    connection->idle = false;
    --count_;
    return connection;
  }

  // On the connection's strand. Closes it when there are enough.
  void put(const std::string& key, const ConnectionPtr& connection) {
    auto timer = std::make_shared<boost::asio::steady_timer>(connection->strand, idle_time_);
    timer->async_wait(
        [pool = weak_from_this(), key, weak = std::weak_ptr(connection)](boost::system::error_code error) {
          auto self = pool.lock();
          auto expired = weak.lock();
          if (!error && self && expired) self->remove(key, expired);
        });
    watch(key, connection);
    std::scoped_lock lock(mutex_);
    auto& list = idle_[key];
    if (closed_ || list.size() >= per_endpoint_ || count_ >= most_) {
      if (list.empty()) idle_.erase(key);
      return connection->close();
    }
    connection->idle = true;
    ++count_;
    list.push_back({connection, std::move(timer)});
  }

  void close() {
    std::map<std::string, std::vector<Entry>> all;
    {
      std::scoped_lock lock(mutex_);
      closed_ = true;
      count_ = 0;
      all.swap(idle_);
    }
    for (auto& [key, list] : all) {
      for (auto& entry : list) {
        boost::asio::post(entry.connection->strand, [connection = entry.connection] { connection->close(); });
      }
    }
  }

 private:
  struct Entry {
    ConnectionPtr connection;
    std::shared_ptr<boost::asio::steady_timer> timer;  // ends with the entry
  };

  // On the connection's strand. What was read already may wake it late: whether there is more is for the socket to say.
  void watch(const std::string& key, const ConnectionPtr& connection) {
    connection->socket().async_wait(
        Connection::Socket::wait_read,
        [pool = weak_from_this(), key, weak = std::weak_ptr(connection)](boost::system::error_code error) {
          auto self = pool.lock();
          auto woken = weak.lock();
          if (error || !self || !woken) return;
          if (woken->is_quiet()) return self->watch(key, woken);
          self->remove(key, woken);
        });
  }

  // On the connection's strand.
  void remove(const std::string& key, const ConnectionPtr& connection) {
    {
      std::scoped_lock lock(mutex_);
      if (!std::exchange(connection->idle, false)) return;
      const auto found = idle_.find(key);
      if (found != idle_.end()) {
        count_ -= std::erase_if(found->second, [&](const Entry& entry) { return entry.connection == connection; });
        if (found->second.empty()) idle_.erase(found);
      }
    }
    connection->close();
  }

  const std::size_t per_endpoint_;
  const std::size_t most_;
  const std::chrono::seconds idle_time_;
  std::mutex mutex_;
  bool closed_ = false;
  std::size_t count_ = 0;
  std::map<std::string, std::vector<Entry>> idle_;
};

}  // namespace skerry::net
