#include "net/http_server.h"

#include <array>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>

#include "net/acceptor_impl.h"
#include "net/http_sessions_impl.h"
#include "net/http_text_impl.h"
#include "net/io_impl.h"
#include "net/log.h"
#include "net/text_body_impl.h"
#include "net/tls_stream_impl.h"

namespace skerry::net {

namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::ip::tcp;
using boost::beast::iequals;
using boost::system::error_code;
using Steady = std::chrono::steady_clock;

using PlainStream = tcp::socket;

constexpr int backlog = 4'096;
constexpr std::chrono::milliseconds cancel_again_after{10};
constexpr std::chrono::seconds linger_time{10};  // for reading what a refused peer still sends

tcp::socket& socket_of(PlainStream& stream) { return stream; }
tcp::socket& socket_of(TlsStream& stream) { return stream.next_layer(); }

std::chrono::milliseconds time_for(std::chrono::milliseconds time, std::uint64_t bytes) {
  return time + std::chrono::seconds(bytes / limits::slowest_peer_bytes_per_s);
}

// One connection: reads a request, hands it over, writes the answer, and again. Everything runs on the socket's strand.
template <class Stream>
class Session final : public SessionBase, public std::enable_shared_from_this<Session<Stream>> {
 public:
  template <class... StreamArguments>
  Session(std::shared_ptr<Sessions> sessions, std::size_t listener, std::string peer, StreamArguments&&... arguments)
      : stream_(std::forward<StreamArguments>(arguments)...),
        timer_(stream_.get_executor()),
        sessions_(std::move(sessions)),
        listener_(listener),
        peer_(std::move(peer)) {}

  void start() {
    if constexpr (std::is_same_v<Stream, TlsStream>) {
      limit(sessions_->options.head_time, AtLimit::close);
      stream_.async_handshake([self = this->shared_from_this()](error_code error, std::size_t) {
        if (self->closed_) return;
        if (error) return self->close_socket();
        self->wait_for_request();
      });
    } else {
      wait_for_request();
    }
  }

  void close(bool unless_busy) override {
    asio::post(stream_.get_executor(), [self = this->shared_from_this(), unless_busy] {
      if (!unless_busy || !self->busy_) self->close_socket();
    });
  }

 private:
  enum class AtLimit { close, answer_408 };

  void close_socket() {
    if (std::exchange(closed_, true)) return;
    timer_.cancel();
    error_code ignored;
    socket_of(stream_).close(ignored);
    if (std::exchange(busy_, false)) sessions_->end_request(this);
    sessions_->remove(this);
  }

  // -- time limits: one at a time, the next replaces the last. The timer itself is touched only when it would ring too
  // late; what rings too early is wound up again.
  void limit(std::chrono::milliseconds time, AtLimit at_limit) {
    deadline_ = Steady::now() + time;
    at_limit_ = at_limit;
    timed_out_ = false;
    if (!timer_runs_ || timer_.expiry() > deadline_) wind_timer();
  }
  void no_limit() { deadline_ = Steady::time_point::max(); }

  void wind_timer() {
    timer_runs_ = true;
    timer_.expires_at(deadline_);
    timer_.async_wait([weak = this->weak_from_this()](error_code error) {
      auto self = weak.lock();
      if (error || !self || self->closed_) return;
      self->timer_runs_ = false;
      if (self->deadline_ == Steady::time_point::max()) return;
      if (self->deadline_ > Steady::now()) return self->wind_timer();
      self->at_limit();
    });
  }

  void at_limit() {
    if (at_limit_ == AtLimit::close) return close_socket();
    timed_out_ = true;
    error_code ignored;
    socket_of(stream_).cancel(ignored);  // ends the read, whose handler sees timed_out_
    // A read that has just succeeded cannot be cancelled, and the next one begins: again, until the handler is called.
    deadline_ = Steady::now() + cancel_again_after;
    wind_timer();
  }

  // -- reading
  void wait_for_request() {
    if (buffer_.size() > 0) return read_head();
    buffer_.shrink_to_fit();
    limit(sessions_->options.idle_time, AtLimit::close);
    stream_.async_read_some(buffer_.prepare(512),
                            [self = this->shared_from_this()](error_code error, std::size_t size) {
                              if (self->closed_) return;
                              if (error) return self->close_socket();
                              self->buffer_.commit(size);
                              self->read_head();
                            });
  }

  void read_head() {
    parser_.emplace();
    parser_->header_limit(static_cast<std::uint32_t>(limits::request_head_bytes));
    parser_->body_limit(boost::none);
    limit(sessions_->options.head_time, AtLimit::answer_408);
    http::async_read_header(stream_, buffer_, *parser_,
                            [self = this->shared_from_this()](error_code error, std::size_t) {
                              if (self->closed_) return;
                              if (error) return self->read_failed(error);
                              self->head_is_read();
                            });
  }

  void read_failed(error_code error) {
    if (timed_out_) return refuse(408);
    if (error == http::error::header_limit) return refuse(431);
    if (error == http::error::body_limit) return refuse(413);
    const bool malformed = error.category() == make_error_code(http::error::bad_version).category() &&
                           error != http::error::end_of_stream && error != http::error::partial_message;
    if (malformed) return refuse(400);
    close_socket();
  }

  void head_is_read() {
    const auto& message = parser_->get();
    request_.method = std::string(message.method_string());
    request_.target = std::string(message.target());
    request_.peer_address = peer_;
    request_.listener = static_cast<int>(listener_);
    for (const auto& field : message) request_.headers.emplace_back(field.name_string(), field.value());
    const std::size_t most =
        sessions_->options.body_limit ? sessions_->options.body_limit(request_) : limits::request_body_bytes;
    if (const auto length = parser_->content_length(); length && *length > most) return refuse(413);
    parser_->body_limit(most);
    if (parser_->is_done()) return hand_over();
    limit(time_for(sessions_->options.body_time, parser_->content_length().value_or(0)), AtLimit::answer_408);
    const auto expect = message.find(http::field::expect);
    // RFC 9110, 10.1.1: not to HTTP/1.0, and not when the body is coming already.
    if (expect == message.end() || !iequals(expect->value(), "100-continue") || message.version() < 11 ||
        buffer_.size() > 0) {
      return read_body();
    }
    static constexpr std::string_view go_on = "HTTP/1.1 100 Continue\r\n\r\n";
    asio::async_write(stream_, asio::buffer(go_on), [self = this->shared_from_this()](error_code error, std::size_t) {
      if (self->closed_) return;
      if (error) return self->close_socket();
      self->read_body();
    });
  }

  // Piece by piece, so that what all bodies hold together stays bounded.
  void read_body() {
    parser_->eager(true);
    http::async_read_some(stream_, buffer_, *parser_, [self = this->shared_from_this()](error_code error, std::size_t) {
      if (self->closed_) return;
      if (error) return self->read_failed(error);
      const std::size_t bytes = self->parser_->get().body().size();
      if (bytes > limits::small_body_bytes && !self->sessions_->hold_body(self.get(), bytes)) return self->refuse(503);
      if (!self->parser_->is_done()) return self->read_body();
      self->hand_over();
    });
  }

  // -- answering
  void hand_over() {
    no_limit();
    keep_alive_ = parser_->get().keep_alive();
    head_only_ = request_.method == "HEAD";
    request_.body = std::move(parser_->get().body());
    parser_.reset();
    if (buffer_.size() == 0) buffer_.shrink_to_fit();  // a waiting /sync keeps no buffer
    if (!sessions_->begin_request(this)) return close_socket();
    busy_ = true;
    Responder responder([weak = this->weak_from_this()](HttpResponse response) {
      auto self = weak.lock();
      if (!self) return;
      auto executor = self->stream_.get_executor();
      asio::post(executor, [self = std::move(self), answer = std::move(response)]() mutable {
        if (!self->closed_) self->write(std::move(answer));
      });
    });
    try {
      sessions_->handler(std::exchange(request_, {}), std::move(responder));
    } catch (const std::exception& error) {
      log::error("http", std::string("a handler ended with an exception: ") + error.what());
    }
    sessions_->handler_returned();
  }

  // An answer to what never reaches the handler; the connection ends with it.
  void refuse(int status) {
    keep_alive_ = false;
    head_only_ = request_.method == "HEAD";
    parser_.reset();
    HttpResponse response;
    response.status = status;
    write(sessions_->options.error_response ? sessions_->options.error_response(status) : std::move(response));
  }

  void write(HttpResponse response) {
    if (response.status == 500 && response.body.empty() && sessions_->options.error_response) {
      response = sessions_->options.error_response(500);
    }
    head_ = response_head(response, keep_alive_, sessions_->options.clock->now_ms());
    const std::uint64_t bytes = head_only_ ? 0 : body_size(response);
    body_ = head_only_ ? std::string() : std::move(response.body);
    file_ = head_only_ ? nullptr : std::move(response.file);
    after_file_ = std::move(response.after_file);
    file_sent_ = 0;
    constexpr std::size_t one_record = 16 * 1'024;
    if (head_.size() + body_.size() <= one_record) {  // one TLS record, one packet
      head_ += body_;
      body_.clear();
    }
    limit(time_for(sessions_->options.response_time, bytes), AtLimit::close);
    const std::array<asio::const_buffer, 2> buffers{asio::buffer(head_), asio::buffer(body_)};
    asio::async_write(stream_, buffers, [self = this->shared_from_this()](error_code error, std::size_t) {
      if (self->closed_) return;
      if (error) return self->close_socket();
      self->write_file();
    });
  }

  // The next piece of the file, then what stands behind it. A piece is small: reading it does not hold a thread long.
  void write_file() {
    if (!file_) return written();
    constexpr std::size_t piece = 128 * 1'024;
    if (file_sent_ == file_->size()) {
      file_.reset();
      body_ = std::move(after_file_);
    } else {
      auto read = file_->read(file_sent_, piece);
      if (!read) {  // the length was promised: only the end of the connection can tell
        log::error("http", read.error().text);
        return close_socket();
      }
      body_ = std::move(*read);
      file_sent_ += body_.size();
    }
    asio::async_write(stream_, asio::buffer(body_), [self = this->shared_from_this()](error_code error, std::size_t) {
      if (self->closed_) return;
      if (error) return self->close_socket();
      self->write_file();
    });
  }

  void written() {
    head_ = {};
    body_ = {};
    if (std::exchange(busy_, false) && !sessions_->end_request(this)) keep_alive_ = false;
    if (keep_alive_) return wait_for_request();
    // What the peer still sends is read for a moment, so that a reset does not eat the answer.
    if constexpr (std::is_same_v<Stream, TlsStream>) stream_.send_close_notify();
    error_code ignored;
    socket_of(stream_).shutdown(tcp::socket::shutdown_send, ignored);
    limit(linger_time, AtLimit::close);
    buffer_.clear();
    drain();
  }

  void drain() {
    socket_of(stream_).async_read_some(buffer_.prepare(16 * 1'024),
                                       [self = this->shared_from_this()](error_code error, std::size_t) {
                                         if (self->closed_) return;
                                         if (error) return self->close_socket();
                                         self->drain();
                                       });
  }

  Stream stream_;
  asio::steady_timer timer_;
  Steady::time_point deadline_ = Steady::time_point::max();
  boost::beast::flat_buffer buffer_;
  std::optional<http::request_parser<TextBody>> parser_;
  HttpRequest request_;
  std::string head_;
  std::string body_;
  std::shared_ptr<const FileBody> file_;
  std::uint64_t file_sent_ = 0;
  std::string after_file_;
  AtLimit at_limit_ = AtLimit::close;
  bool timer_runs_ = false;
  bool timed_out_ = false;
  bool keep_alive_ = false;
  bool head_only_ = false;
  bool busy_ = false;  // a request was handed over and is not yet answered
  bool closed_ = false;
  const std::shared_ptr<Sessions> sessions_;
  const std::size_t listener_;
  const std::string peer_;
};

// Makes sessions of what one listener accepts.
class Arrivals {
 public:
  Arrivals(std::shared_ptr<Sessions> sessions, std::size_t listener, SslContextPtr tls)
      : tls_(std::move(tls)), sessions_(std::move(sessions)), listener_(listener) {}

  void take(tcp::socket socket) {
    error_code error;
    const auto peer = socket.remote_endpoint(error);
    if (error) return;
    socket.set_option(tcp::no_delay(true), error);
    const std::string counted = counted_address(peer.address());
    std::string address = peer.address().to_string();
    if (tls_) {
      start(
          std::make_shared<Session<TlsStream>>(sessions_, listener_, std::move(address), std::move(socket), tls_.get()),
          counted);
    } else {
      start(std::make_shared<Session<PlainStream>>(sessions_, listener_, std::move(address), std::move(socket)),
            counted);
    }
  }

 private:
  // What counts as one address: an IPv4 address, or the 64 bits of an IPv6 one that a provider hands out.
  std::string counted_address(asio::ip::address address) const {
    if (address.is_v6() && address.to_v6().is_v4_mapped()) {
      address = asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6());
    }
    if (address.is_loopback() && !sessions_->options.count_loopback) return {};
    if (address.is_v4()) return address.to_string();
    const auto bytes = address.to_v6().to_bytes();
    return std::string(bytes.begin(), bytes.begin() + 8);
  }

  template <class Session>
  void start(const std::shared_ptr<Session>& session, const std::string& counted) {
    if (sessions_->add(session, listener_, counted)) session->start();
  }

  const SslContextPtr tls_;  // absent: plain
  const std::shared_ptr<Sessions> sessions_;
  const std::size_t listener_;
};

// Null for a plain one.
Result<SslContextPtr> tls_of(const Listener& listener) {
  if (!listener.tls) return SslContextPtr();
  auto made = server_context(*listener.tls);
  if (made) return made;
  return fail(ErrorCode::storage,
              "cannot listen on " + listener.address + ":" + std::to_string(listener.port) + ": " + made.error().text);
}

class Server final : public HttpServer {
 public:
  explicit Server(std::shared_ptr<Sessions> sessions) : sessions_(std::move(sessions)) {}
  ~Server() override { stop(std::chrono::milliseconds(0)); }

  Result<void> open(asio::io_context& context) {
    const auto& listeners = sessions_->options.listeners;
    for (std::size_t i = 0; i < listeners.size(); ++i) {
      auto tls = tls_of(listeners[i]);
      if (!tls) return tl::make_unexpected(tls.error());
      auto arrivals = std::make_shared<Arrivals>(sessions_, i, std::move(*tls));
      auto acceptor =
          std::make_shared<Acceptor>(context, [arrivals](tcp::socket socket) { arrivals->take(std::move(socket)); });
      if (auto opened = acceptor->open(listeners[i].address, listeners[i].port, backlog); !opened) return opened;
      ports_.push_back(acceptor->port());
      acceptors_.push_back(std::move(acceptor));
    }
    for (const auto& acceptor : acceptors_) acceptor->accept();
    return {};
  }

  std::uint16_t port(std::size_t listener) const override { return ports_.at(listener); }
  std::size_t connections() const override { return sessions_->count(); }
  std::size_t body_bytes() const override { return sessions_->body_bytes(); }

  void stop(std::chrono::milliseconds grace) override {
    for (const auto& acceptor : acceptors_) acceptor->close();
    acceptors_.clear();
    sessions_->begin_to_stop();
    for (const SessionPtr& session : sessions_->all()) session->close(true);
    // From now on only what they wait for keeps them, so that they also end with an Io that runs nothing any more.
    for (const SessionPtr& session : sessions_->stop(grace)) session->close(false);
  }

 private:
  std::shared_ptr<Sessions> sessions_;
  std::vector<std::shared_ptr<Acceptor>> acceptors_;
  std::vector<std::uint16_t> ports_;
};

}  // namespace

Result<std::unique_ptr<HttpServer>> HttpServer::start(Io& io, HttpServerOptions options, Handler handler) {
  auto sessions = std::make_shared<Sessions>(std::move(options), std::move(handler));
  auto server = std::make_unique<Server>(sessions);
  if (auto opened = server->open(io.impl().context); !opened) return tl::make_unexpected(opened.error());
  return server;
}

}  // namespace skerry::net
