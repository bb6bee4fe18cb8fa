#include <sys/socket.h>

#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>

#include "net/acceptor_impl.h"

namespace skerry::net {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

Acceptor::Acceptor(asio::io_context& context, Take take)
    : context_(context),
      acceptor_(asio::make_strand(context)),
      retry_(acceptor_.get_executor()),
      take_(std::move(take)) {}

Result<void> Acceptor::open(const std::string& address, std::uint16_t port, int backlog) {
  const std::string place = address + ":" + std::to_string(port);
  error_code error;
  const auto parsed = asio::ip::make_address(address, error);
  if (error) return fail(ErrorCode::storage, "cannot listen on " + place + ": not an IP address");
  const tcp::endpoint endpoint(parsed, port);
  acceptor_.open(endpoint.protocol(), error);
  if (!error) acceptor_.set_option(asio::socket_base::reuse_address(true), error);
  if (!error) acceptor_.bind(endpoint, error);
  if (!error) acceptor_.listen(backlog, error);
  if (error) return fail(ErrorCode::storage, "cannot listen on " + place + ": " + error.message());
  return {};
}

std::uint16_t Acceptor::port() const {
  error_code error;
  return acceptor_.local_endpoint(error).port();
}

void Acceptor::accept() {
  acceptor_.async_accept(asio::make_strand(context_),
                         [self = shared_from_this()](error_code error, tcp::socket socket) {
                           if (!self->acceptor_.is_open()) return;
                           if (error) return self->accept_later();
                           self->take_(std::move(socket));
                           self->accept();
                         });
}

// The socket itself is closed on its strand: until then it must not be used by two threads.
void Acceptor::close() {
  ::shutdown(acceptor_.native_handle(), SHUT_RDWR);
  asio::post(acceptor_.get_executor(), [self = shared_from_this()] {
    error_code ignored;
    self->acceptor_.close(ignored);
    self->retry_.cancel();
  });
}

// Out of descriptors, most likely: trying again at once would spin.
void Acceptor::accept_later() {
  retry_.expires_after(std::chrono::milliseconds(100));
  retry_.async_wait([self = shared_from_this()](error_code error) {
    if (!error) self->accept();
  });
}

}  // namespace skerry::net
