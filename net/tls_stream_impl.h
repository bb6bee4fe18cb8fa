// TLS on a non-blocking socket, as a stream for Asio and Beast. Not for other folders.
//
// OpenSSL reads and writes the socket itself, so that with SSL_MODE_RELEASE_BUFFERS a waiting connection holds no
// buffer at all; Asio's own ssl::stream keeps 68 KB for each.
#pragma once

#include <cerrno>
#include <utility>

#include <boost/asio/buffer.hpp>
#include <boost/asio/compose.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/error.hpp>

#include "net/tls_impl.h"

namespace skerry::net {

// One operation at a time, all on the socket's executor.
class TlsStream {
 public:
  using executor_type = boost::asio::ip::tcp::socket::executor_type;

  // REQUIRES: `socket` is open and connected.
  TlsStream(boost::asio::ip::tcp::socket socket, SSL_CTX* context)
      : socket_(std::move(socket)), ssl_(SSL_new(context)) {
    boost::system::error_code error;
    socket_.native_non_blocking(true, error);
    if (ssl_ && (error || SSL_set_fd(ssl_.get(), socket_.native_handle()) != 1)) ssl_.reset();
  }

  executor_type get_executor() { return socket_.get_executor(); }
  boost::asio::ip::tcp::socket& next_layer() { return socket_; }
  SSL* ssl() { return ssl_.get(); }  // null when there is no memory for one

  // As server or client, by the context's method; void(error_code, size_t).
  template <class Token>
  auto async_handshake(Token&& token) {
    return start([](SSL* ssl) { return SSL_is_server(ssl) == 1 ? SSL_accept(ssl) : SSL_connect(ssl); },
                 std::forward<Token>(token));
  }

  template <class Buffers, class Token>
  auto async_read_some(const Buffers& buffers, Token&& token) {
    return start([buffer = first<boost::asio::mutable_buffer>(buffers)](
                     SSL* ssl) { return buffer.size() == 0 ? 0 : SSL_read(ssl, buffer.data(), size_of(buffer)); },
                 std::forward<Token>(token));
  }

  template <class Buffers, class Token>
  auto async_write_some(const Buffers& buffers, Token&& token) {
    return start([buffer = first<boost::asio::const_buffer>(buffers)](
                     SSL* ssl) { return buffer.size() == 0 ? 0 : SSL_write(ssl, buffer.data(), size_of(buffer)); },
                 std::forward<Token>(token));
  }

  // Says that nothing more will be sent, without waiting for anything.
  void send_close_notify() {
    if (ssl_ && SSL_is_init_finished(ssl_.get()) == 1) SSL_shutdown(ssl_.get());
    ERR_clear_error();
  }

 private:
  using SslPtr = std::unique_ptr<SSL, Freer<SSL_free>>;

  template <class Buffer>
  static int size_of(const Buffer& buffer) {
    return static_cast<int>(std::min<std::size_t>(buffer.size(), 1 << 30));
  }

  template <class Buffer, class Buffers>
  static Buffer first(const Buffers& buffers) {
    for (auto at = boost::asio::buffer_sequence_begin(buffers); at != boost::asio::buffer_sequence_end(buffers); ++at) {
      const Buffer buffer(*at);
      if (buffer.size() > 0) return buffer;
    }
    return Buffer();
  }

  // Repeats `step` whenever the socket is ready, until OpenSSL is content.
  template <class Step>
  struct Operation {
    TlsStream& stream;
    Step step;
    enum { begun, waiting, finished } state = begun;
    boost::system::error_code result = {};
    std::size_t size = 0;

    template <class Self>
    void operator()(Self& self, boost::system::error_code error = {}) {
      using boost::asio::ip::tcp;
      if (state == finished) return self.complete(result, size);
      if (error) return self.complete(error, 0);
      int wanted = SSL_ERROR_SSL;
      ERR_clear_error();
      errno = 0;
      if (SSL* ssl = stream.ssl_.get(); ssl != nullptr) {
        const int done = step(ssl);
        wanted = done > 0 ? SSL_ERROR_NONE : SSL_get_error(ssl, done);
        size = done > 0 ? static_cast<std::size_t>(done) : 0;
      }
      if (wanted == SSL_ERROR_WANT_READ || wanted == SSL_ERROR_WANT_WRITE) {
        state = waiting;
        const auto what = wanted == SSL_ERROR_WANT_READ ? tcp::socket::wait_read : tcp::socket::wait_write;
        return stream.socket_.async_wait(what, std::move(self));
      }
      if (wanted != SSL_ERROR_NONE) result = failure(wanted);
      if (state == waiting) return self.complete(result, size);
      state = finished;  // never from within the function that began it
      boost::asio::post(stream.get_executor(), std::move(self));
    }

    static boost::system::error_code failure(int wanted) {
      if (wanted == SSL_ERROR_ZERO_RETURN) return boost::asio::error::eof;
      const int system = errno;
      const unsigned long code = ERR_get_error();
      ERR_clear_error();
      if (wanted == SSL_ERROR_SYSCALL && system != 0) return {system, boost::asio::error::get_system_category()};
      if (code == 0 || ERR_GET_REASON(code) == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
        return boost::asio::ssl::error::stream_truncated;
      }
      return {static_cast<int>(code), boost::asio::error::get_ssl_category()};
    }
  };

  template <class Step, class Token>
  auto start(Step step, Token&& token) {
    return boost::asio::async_compose<Token, void(boost::system::error_code, std::size_t)>(
        Operation<Step>{*this, std::move(step)}, token, socket_);
  }

  boost::asio::ip::tcp::socket socket_;
  SslPtr ssl_;
};

}  // namespace skerry::net
