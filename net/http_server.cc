#include "net/http_server.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <unordered_set>

#include <boost/asio/bind_executor.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>

#include "net/io_impl.h"
#include "net/log.h"
#include "net/tls_impl.h"

namespace skerry::net {

namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;

using PlainStream = tcp::socket;
using TlsStream = asio::ssl::stream<tcp::socket>;

tcp::socket& socket_of(PlainStream& stream) { return stream; }
tcp::socket& socket_of(TlsStream& stream) { return stream.next_layer(); }

class SessionBase {
 public:
  virtual ~SessionBase() = default;
  virtual void close() = 0;  // from any thread
};

// What all sessions of a server share. Outlives them: each holds it.
struct Shared {
  HttpServerOptions options;
  HttpServer::Handler handler;
  std::mutex mutex;
  std::condition_variable changed;
  std::unordered_set<SessionBase*> sessions;
  std::vector<std::size_t> connections;  // per listener
  std::size_t requests = 0;              // handed to the handler and not yet answered on the wire
  std::size_t in_handler = 0;
  bool stopping = false;

  // Counts a request in; false when the server stops.
  bool begin_request() {
    std::scoped_lock lock(mutex);
    if (stopping) return false;
    ++requests;
    ++in_handler;
    return true;
  }
  void handler_returned() {
    std::scoped_lock lock(mutex);
    --in_handler;
    changed.notify_all();
  }
  void end_request() {
    std::scoped_lock lock(mutex);
    --requests;
    changed.notify_all();
  }
};

bool is_clean_header(std::string_view text) { return text.find_first_of("\r\n") == std::string_view::npos; }

std::string response_head(const HttpResponse& response, bool keep_alive) {
  std::string head = "HTTP/1.1 " + std::to_string(response.status) + " ";
  head += std::string_view(http::obsolete_reason(static_cast<http::status>(response.status)));
  head += "\r\nContent-Length: " + std::to_string(response.body.size()) + "\r\n";
  for (const auto& [name, value] : response.headers) {
    if (is_clean_header(name) && is_clean_header(value)) head += name + ": " + value + "\r\n";
  }
  head += keep_alive ? "\r\n" : "Connection: close\r\n\r\n";
  return head;
}

// One connection: reads a request, hands it over, writes the answer, and again. Everything runs on the socket's strand.
template <class Stream>
class Session final : public SessionBase, public std::enable_shared_from_this<Session<Stream>> {
 public:
  Session(Stream stream, std::shared_ptr<Shared> shared, int listener, std::string peer)
      : stream_(std::move(stream)),
        timer_(stream_.get_executor()),
        shared_(std::move(shared)),
        listener_(listener),
        peer_(std::move(peer)) {}

  ~Session() override {
    std::scoped_lock lock(shared_->mutex);
    shared_->sessions.erase(this);
    --shared_->connections[static_cast<std::size_t>(listener_)];
    shared_->changed.notify_all();
  }

  void start() {
    if constexpr (std::is_same_v<Stream, TlsStream>) {
      arm(shared_->options.head_time, false);
      stream_.async_handshake(asio::ssl::stream_base::server, [self = this->shared_from_this()](error_code error) {
        if (!error) self->wait_for_request();
      });
    } else {
      wait_for_request();
    }
  }

  void close() override {
    auto weak = this->weak_from_this();
    asio::post(stream_.get_executor(), [weak] {
      if (auto self = weak.lock()) self->close_socket();
    });
  }

 private:
  void close_socket() {
    error_code ignored;
    timer_.cancel();
    socket_of(stream_).close(ignored);
  }

  // When time runs out: an answer 408 if a request was begun, then the end.
  void arm(std::chrono::milliseconds time, bool answer) {
    timer_.expires_after(time);
    timer_.async_wait([weak = this->weak_from_this(), answer](error_code error) {
      auto self = weak.lock();
      if (error || !self) return;
      if (answer && !self->writing_) {
        error_code ignored;
        socket_of(self->stream_).cancel(ignored);  // ends the read; its handler sees timed_out_
        self->timed_out_ = true;
      } else {
        self->close_socket();
      }
    });
  }

  void wait_for_request() {
    timed_out_ = false;
    if (buffer_.size() > 0) return read_head();
    buffer_.shrink_to_fit();
    arm(shared_->options.idle_time, false);
    stream_.async_read_some(buffer_.prepare(512),
                            [self = this->shared_from_this()](error_code error, std::size_t size) {
                              if (error) return self->close_socket();
                              self->buffer_.commit(size);
                              self->read_head();
                            });
  }

  void read_head() {
    parser_.emplace();
    parser_->header_limit(static_cast<std::uint32_t>(limits::request_head_bytes));
    parser_->body_limit(boost::none);
    arm(shared_->options.head_time, true);
    http::async_read_header(stream_, buffer_, *parser_,
                            [self = this->shared_from_this()](error_code error, std::size_t) {
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
    request_ = HttpRequest{};
    request_.method = std::string(message.method_string());
    request_.target = std::string(message.target());
    request_.peer_address = peer_;
    request_.listener = listener_;
    for (const auto& field : message) {
      request_.headers.emplace_back(std::string(field.name_string()), std::string(field.value()));
    }
    const std::size_t limit =
        shared_->options.body_limit ? shared_->options.body_limit(request_) : limits::request_body_bytes;
    if (const auto length = parser_->content_length(); length && *length > limit) return refuse(413);
    parser_->body_limit(limit);
    if (parser_->is_done()) return hand_over();
    const auto expect = message.find(http::field::expect);
    if (expect != message.end() && boost::beast::iequals(expect->value(), "100-continue")) {
      static constexpr std::string_view go_on = "HTTP/1.1 100 Continue\r\n\r\n";
      asio::async_write(stream_, asio::buffer(go_on), [self = this->shared_from_this()](error_code error, std::size_t) {
        if (error) return self->close_socket();
        self->read_body();
      });
      return;
    }
    read_body();
  }

  void read_body() {
    arm(shared_->options.body_time, true);
    http::async_read(stream_, buffer_, *parser_, [self = this->shared_from_this()](error_code error, std::size_t) {
      if (error) return self->read_failed(error);
      self->hand_over();
    });
  }

  void hand_over() {
    timer_.cancel();
    keep_alive_ = parser_->get().keep_alive();
    head_only_ = request_.method == "HEAD";
    request_.body = std::move(parser_->get().body());
    parser_.reset();
    if (buffer_.size() == 0) buffer_.shrink_to_fit();  // a waiting /sync keeps no buffer
    if (!shared_->begin_request()) return close_socket();
    auto self = this->shared_from_this();
    Responder responder([self](HttpResponse response) {
      asio::post(self->stream_.get_executor(),
                 [self, answer = std::move(response)]() mutable { self->write(std::move(answer), true); });
    });
    shared_->handler(std::move(request_), std::move(responder));
    shared_->handler_returned();
  }

  // An answer to what never reaches the handler; the connection ends with it.
  void refuse(int status) {
    keep_alive_ = false;
    parser_.reset();
    HttpResponse response;
    response.status = status;
    write(shared_->options.error_response ? shared_->options.error_response(status) : std::move(response), false);
  }

  void write(HttpResponse response, bool counted) {
    if (response.status == 500 && response.body.empty() && shared_->options.error_response) {
      response = shared_->options.error_response(500);
    }
    writing_ = true;
    head_ = response_head(response, keep_alive_);
    body_ = head_only_ ? std::string() : std::move(response.body);
    arm(shared_->options.response_time, false);
    const std::array<asio::const_buffer, 2> buffers{asio::buffer(head_), asio::buffer(body_)};
    asio::async_write(stream_, buffers, [self = this->shared_from_this(), counted](error_code error, std::size_t) {
      if (counted) self->shared_->end_request();
      self->written(error);
    });
  }

  void written(error_code error) {
    writing_ = false;
    head_ = {};
    body_ = {};
    if (error) return close_socket();
    if (keep_alive_) return wait_for_request();
    // What the peer still sends is read for a moment, so that a reset does not eat the answer.
    error_code ignored;
    socket_of(stream_).shutdown(tcp::socket::shutdown_send, ignored);
    drain();
  }

  void drain() {
    arm(std::chrono::seconds(2), false);
    socket_of(stream_).async_read_some(asio::buffer(drained_),
                                       [self = this->shared_from_this()](error_code error, std::size_t) {
                                         if (error) return self->close_socket();
                                         if (++self->drained_reads_ < 4'096) self->drain();
                                       });
  }

  Stream stream_;
  asio::steady_timer timer_;
  boost::beast::flat_buffer buffer_;
  std::optional<http::request_parser<http::string_body>> parser_;
  HttpRequest request_;
  std::string head_;
  std::string body_;
  std::array<char, 256> drained_{};
  int drained_reads_ = 0;
  bool keep_alive_ = false;
  bool head_only_ = false;
  bool writing_ = false;
  bool timed_out_ = false;
  std::shared_ptr<Shared> shared_;
  const int listener_;
  const std::string peer_;
};

// One listening socket.
class Acceptor : public std::enable_shared_from_this<Acceptor> {
 public:
  Acceptor(asio::io_context& context, std::shared_ptr<Shared> shared, int listener)
      : context_(context),
        acceptor_(asio::make_strand(context)),
        retry_(acceptor_.get_executor()),
        shared_(std::move(shared)),
        listener_(listener) {}

  Result<void> open(const Listener& listener) {
    const std::string place = listener.address + ":" + std::to_string(listener.port);
    error_code error;
    const auto address = asio::ip::make_address(listener.address, error);
    if (error) return fail(ErrorCode::storage, "cannot listen on " + place + ": not an IP address");
    if (listener.tls) {
      auto made = server_context(*listener.tls);
      if (!made) return fail(ErrorCode::storage, "cannot listen on " + place + ": " + made.error().text);
      tls_.emplace(made->release());
    }
    const tcp::endpoint endpoint(address, listener.port);
    acceptor_.open(endpoint.protocol(), error);
    if (!error) acceptor_.set_option(asio::socket_base::reuse_address(true), error);
    if (!error) acceptor_.bind(endpoint, error);
    if (!error) acceptor_.listen(4'096, error);
    if (error) return fail(ErrorCode::storage, "cannot listen on " + place + ": " + error.message());
    return {};
  }

  std::uint16_t port() const {
    error_code error;
    return acceptor_.local_endpoint(error).port();
  }

  void accept() {
    acceptor_.async_accept(asio::make_strand(context_),
                           [self = shared_from_this()](error_code error, tcp::socket socket) {
                             if (!self->acceptor_.is_open()) return;
                             if (error) return self->accept_later();
                             self->take(std::move(socket));
                             self->accept();
                           });
  }

  void close() {
    asio::post(acceptor_.get_executor(), [self = shared_from_this()] {
      error_code ignored;
      self->acceptor_.close(ignored);
      self->retry_.cancel();
    });
  }

 private:
  // Out of descriptors, most likely: trying again at once would spin.
  void accept_later() {
    retry_.expires_after(std::chrono::milliseconds(100));
    retry_.async_wait([self = shared_from_this()](error_code error) {
      if (!error) self->accept();
    });
  }

  void take(tcp::socket socket) {
    error_code error;
    const auto peer = socket.remote_endpoint(error);
    if (error) return;
    socket.set_option(tcp::no_delay(true), error);
    {
      std::scoped_lock lock(shared_->mutex);
      auto& count = shared_->connections[static_cast<std::size_t>(listener_)];
      if (shared_->stopping || count >= shared_->options.connections_per_listener) return;
      ++count;
    }
    const std::string address = peer.address().to_string();
    if (tls_) {
      start(std::make_shared<Session<TlsStream>>(TlsStream(std::move(socket), *tls_), shared_, listener_, address));
    } else {
      start(std::make_shared<Session<PlainStream>>(std::move(socket), shared_, listener_, address));
    }
  }

  template <class SessionPtr>
  void start(SessionPtr session) {
    {
      std::scoped_lock lock(shared_->mutex);
      shared_->sessions.insert(session.get());
    }
    session->start();
  }

  asio::io_context& context_;
  tcp::acceptor acceptor_;
  asio::steady_timer retry_;
  std::optional<asio::ssl::context> tls_;
  std::shared_ptr<Shared> shared_;
  const int listener_;
};

class Server final : public HttpServer {
 public:
  explicit Server(std::shared_ptr<Shared> shared) : shared_(std::move(shared)) {}
  ~Server() override { stop(std::chrono::milliseconds(0)); }

  Result<void> open(asio::io_context& context) {
    const auto& listeners = shared_->options.listeners;
    shared_->connections.resize(listeners.size());
    for (std::size_t i = 0; i < listeners.size(); ++i) {
      auto acceptor = std::make_shared<Acceptor>(context, shared_, static_cast<int>(i));
      if (auto opened = acceptor->open(listeners[i]); !opened) return opened;
      ports_.push_back(acceptor->port());
      acceptors_.push_back(std::move(acceptor));
    }
    for (const auto& acceptor : acceptors_) acceptor->accept();
    return {};
  }

  std::uint16_t port(std::size_t listener) const override { return ports_.at(listener); }

  void stop(std::chrono::milliseconds grace) override {
    for (const auto& acceptor : acceptors_) acceptor->close();
    acceptors_.clear();
    std::unique_lock lock(shared_->mutex);
    shared_->changed.wait_for(lock, grace, [&] { return shared_->requests == 0; });
    shared_->stopping = true;
    shared_->changed.wait(lock, [&] { return shared_->in_handler == 0; });
    for (SessionBase* session : shared_->sessions) session->close();
  }

 private:
  std::shared_ptr<Shared> shared_;
  std::vector<std::shared_ptr<Acceptor>> acceptors_;
  std::vector<std::uint16_t> ports_;
};

}  // namespace

Result<std::unique_ptr<HttpServer>> HttpServer::start(Io& io, HttpServerOptions options, Handler handler) {
  auto shared = std::make_shared<Shared>();
  shared->options = std::move(options);
  shared->handler = std::move(handler);
  auto server = std::make_unique<Server>(shared);
  if (auto opened = server->open(io.impl().context); !opened) return tl::make_unexpected(opened.error());
  return server;
}

}  // namespace skerry::net
