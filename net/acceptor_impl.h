// A listening socket. Not for other folders.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

#include "core/result.h"

namespace skerry::net {

// Accepts until it is closed. open() comes first, then accept() once; close() from any thread.
class Acceptor : public std::enable_shared_from_this<Acceptor> {
 public:
  // `take` gets each connection, on the acceptor's strand; what the socket does is on a strand of its own.
  using Take = std::function<void(boost::asio::ip::tcp::socket)>;
  Acceptor(boost::asio::io_context& context, Take take);

  // Port 0: one that is free. Errors: storage (no such address, taken).
  Result<void> open(const std::string& address, std::uint16_t port, int backlog);
  std::uint16_t port() const;
  void accept();
  // From now on nobody connects, and the port is free.
  void close();

 private:
  void accept_later();

  boost::asio::io_context& context_;
  boost::asio::ip::tcp::acceptor acceptor_;
  boost::asio::steady_timer retry_;
  const Take take_;
};

}  // namespace skerry::net
