#include "net/http_client.h"

#include <array>
#include <condition_variable>
#include <future>
#include <mutex>
#include <unordered_set>

#include <boost/asio/write.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>

#include "net/connection_pool_impl.h"
#include "net/http_text_impl.h"
#include "net/io_impl.h"
#include "net/log.h"
#include "net/text_body_impl.h"

namespace skerry::net {

namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;
using Steady = std::chrono::steady_clock;
using Done = std::function<void(Result<HttpResponse>)>;

constexpr std::chrono::seconds connect_time{5};        // per address, when others are left
constexpr std::chrono::seconds last_connect_time{10};  // for the last or only one
constexpr std::uint32_t response_head_bytes = 64 * 1'024;
constexpr int interim_answers = 8;  // 1xx before the real one

// IPv6 literals come with brackets or without.
std::string without_brackets(const std::string& host) {
  const bool has = host.size() > 2 && host.front() == '[' && host.back() == ']';
  return has ? host.substr(1, host.size() - 2) : host;
}

std::string key_of(const Endpoint& endpoint) {
  return (endpoint.tls ? "tls " : "tcp ") + endpoint.connect_host + " " + std::to_string(endpoint.port) + " " +
         endpoint.tls_name;
}

bool is_idempotent(const std::string& method) {
  return method == "GET" || method == "PUT" || method == "DELETE" || method == "OPTIONS" || method == "HEAD";
}

std::string describe(const error_code& error) {
  if (error == asio::error::connection_refused) return "connection refused";
  if (error == asio::error::connection_reset || error == asio::error::broken_pipe) return "connection reset";
  if (error == asio::error::eof || error == http::error::end_of_stream || error == http::error::partial_message ||
      error == asio::ssl::error::stream_truncated) {
    return "connection closed before the whole answer came";
  }
  return error.message();
}

// What the caller asked for, through all attempts.
struct Call {
  OutgoingRequest request;
  Steady::time_point deadline;
  Done done;
  std::function<void()> abandon;  // ends the current attempt; guarded by Shared's mutex
};
using CallPtr = std::shared_ptr<Call>;

struct Shared : std::enable_shared_from_this<Shared> {
  Shared(Io& io, Resolver& name_resolver, HttpClientOptions client_options)
      : context(io.impl().context),
        resolver(name_resolver),
        options(std::move(client_options)),
        pool(std::make_shared<ConnectionPool>(options.idle_connections_per_endpoint, options.idle_connections,
                                              options.idle_time)) {
    auto made = client_context(options.trust);
    if (made) {
      tls = std::move(*made);
    } else {
      tls_error = made.error().text;
      log::error("http", "no HTTPS request can be sent: " + tls_error);
    }
  }

  asio::io_context& context;
  Resolver& resolver;  // not once closed
  const HttpClientOptions options;
  const std::shared_ptr<ConnectionPool> pool;
  SslContextPtr tls;
  std::string tls_error;
  std::mutex mutex;
  std::condition_variable delivered;
  std::unordered_set<CallPtr> open;
  int delivering = 0;  // callbacks that run now
  bool closed = false;

  // False once closed.
  bool add(const CallPtr& call) {
    std::scoped_lock lock(mutex);
    return !closed && open.insert(call).second;
  }
  void attempt(const CallPtr& call, bool may_reuse);

  // Calls back, exactly once for each call.
  void finish(const CallPtr& call, Result<HttpResponse> result) {
    {
      std::scoped_lock lock(mutex);
      if (open.erase(call) == 0) return;
      call->abandon = nullptr;
      ++delivering;
    }
    try {
      std::exchange(call->done, nullptr)(std::move(result));
    } catch (const std::exception& error) {
      log::error("http", std::string("a callback ended with an exception: ") + error.what());
    }
    std::scoped_lock lock(mutex);
    --delivering;
    if (closed) delivered.notify_all();
  }

  // From now on there are no callbacks and no use of the resolver.
  void close() {
    std::unordered_set<CallPtr> ended;
    {
      std::unique_lock lock(mutex);
      closed = true;
      ended.swap(open);
      for (const CallPtr& call : ended) {
        if (auto abandon = std::exchange(call->abandon, nullptr)) abandon();
      }
      delivered.wait(lock, [this] { return delivering == 0; });
    }
    pool->close();
    for (const CallPtr& call : ended) call->done(fail(ErrorCode::cancelled, "shutting down"));
  }
};

// One request over one connection. Everything after begin() runs on the connection's strand.
class Attempt : public std::enable_shared_from_this<Attempt> {
 public:
  Attempt(std::shared_ptr<Shared> shared, CallPtr call, ConnectionPtr connection, bool reused)
      : shared_(std::move(shared)),
        call_(std::move(call)),
        connection_(std::move(connection)),
        strand_(connection_->strand),
        reused_(reused),
        timer_(strand_) {}

  void begin() {
    asio::post(strand_, [self = shared_from_this()] {
      if (self->ended_) return;
      self->watch_deadline();
      if (!self->reused_) return self->resolve();
      error_code ignored;
      self->connection_->socket().cancel(ignored);
      if (!self->connection_->is_quiet()) return self->repeat();
      self->write();
    });
  }
  // From any thread.
  void abandon() {
    asio::post(strand_, [self = shared_from_this()] { self->leave(); });
  }

 private:
  const OutgoingRequest& request() const { return call_->request; }
  std::string place() const { return request().endpoint.connect_host + ":" + std::to_string(request().endpoint.port); }

  // Whatever still runs ends and is ignored.
  void leave() {
    ended_ = true;
    timer_.cancel();
    if (connection_) connection_->close();
  }
  void end(Result<HttpResponse> result) {
    if (ended_) return;
    leave();
    shared_->finish(call_, std::move(result));
  }
  void repeat() {
    leave();
    shared_->attempt(call_, false);
  }
  void failed(ErrorCode code, const std::string& what) {
    // The server closed a kept connection just as it was taken up again.
    if (reused_ && !got_bytes_ && !ended_ && is_idempotent(request().method)) return repeat();
    end(fail(code, place() + ": " + what));
  }
  void too_large() { end(fail(ErrorCode::too_large, place() + ": the answer is too large")); }

  void watch_deadline() {
    timer_.expires_at(call_->deadline);
    timer_.async_wait([weak = weak_from_this()](error_code error) {
      auto self = weak.lock();
      if (error || !self) return;
      self->end(fail(ErrorCode::timeout, self->place() + ": timed out " + self->stage_));
    });
  }

  // -- connecting
  void resolve() {
    stage_ = "looking up the name";
    const std::string host = without_brackets(request().endpoint.connect_host);
    error_code error;
    asio::ip::make_address(host, error);
    if (!error) return resolved(std::vector<std::string>{host});
    std::scoped_lock lock(shared_->mutex);
    if (shared_->closed) return;
    shared_->resolver.resolve_addresses(host, [self = shared_from_this()](Result<std::vector<std::string>> addresses) {
      asio::post(self->strand_, [self, addresses = std::move(addresses)]() mutable {
        if (!self->ended_) self->resolved(std::move(addresses));
      });
    });
  }

  void resolved(Result<std::vector<std::string>> addresses) {
    if (!addresses) return failed(addresses.error().code, addresses.error().text);
    for (std::string& address : *addresses) {
      if (shared_->options.policy.may_call(address)) addresses_.push_back(std::move(address));
    }
    if (addresses->empty()) return failed(ErrorCode::unreachable, "the name has no address");
    if (addresses_.empty()) {
      return failed(ErrorCode::unreachable, "its address is private, and private addresses are refused here");
    }
    connect(0);
  }

  // Tries one address; if it does not answer, the next.
  void connect(std::size_t index) {
    stage_ = "connecting";
    const bool last = index + 1 == addresses_.size();
    tcp::endpoint endpoint;
    if (const error_code error = open_socket(addresses_[index], endpoint)) return not_connected(index, error);
    auto patience = std::make_shared<asio::steady_timer>(strand_, last ? last_connect_time : connect_time);
    auto settled = std::make_shared<bool>(false);  // by the connection or by the end of patience, whichever comes first
    patience->async_wait([self = shared_from_this(), settled](error_code waited) {
      if (waited || std::exchange(*settled, true) || self->ended_) return;
      self->connection_->close();
    });
    connection_->plain.async_connect(endpoint, [self = shared_from_this(), patience, settled, index](error_code error) {
      patience->cancel();
      if (self->ended_) return;
      if (std::exchange(*settled, true)) error = asio::error::timed_out;
      if (error) return self->not_connected(index, error);
      error_code ignored;
      self->connection_->plain.set_option(tcp::no_delay(true), ignored);
      self->handshake();
    });
  }

  error_code open_socket(const std::string& address_text, tcp::endpoint& endpoint) {
    error_code error;
    const auto address = asio::ip::make_address(address_text, error);
    if (error) return error;
    endpoint = tcp::endpoint(address, request().endpoint.port);
    tcp::socket& socket = connection_->plain;
    if (socket.is_open()) socket.close(error);
    socket.open(endpoint.protocol(), error);
    if (error || shared_->options.bind_address.empty()) return error;
    const auto local = asio::ip::make_address(shared_->options.bind_address, error);
    if (!error && local.is_v4() == address.is_v4()) socket.bind(tcp::endpoint(local, 0), error);
    return error;
  }

  void not_connected(std::size_t index, const error_code& error) {
    if (index + 1 < addresses_.size()) return connect(index + 1);
    failed(ErrorCode::unreachable, describe(error));
  }

  void handshake() {
    if (!request().endpoint.tls) return write();
    stage_ = "in the TLS handshake";
    if (!shared_->tls) return failed(ErrorCode::unreachable, shared_->tls_error);
    connection_->tls.emplace(std::move(connection_->plain), shared_->tls.get());
    if (!expect_name(connection_->tls->ssl())) {
      return failed(ErrorCode::unreachable, "not a name that a certificate can carry: " + request().endpoint.tls_name);
    }
    connection_->tls->async_handshake([self = shared_from_this()](error_code error, std::size_t) {
      if (self->ended_) return;
      if (!error) return self->write();
      const long verified = SSL_get_verify_result(self->connection_->tls->ssl());
      self->failed(ErrorCode::unreachable, verified == X509_V_OK ? "TLS: " + describe(error)
                                                                 : std::string("certificate verify failed: ") +
                                                                       X509_verify_cert_error_string(verified));
    });
  }

  // What the certificate must carry; a name is also asked for by SNI (RFC 6066: not an address).
  bool expect_name(SSL* ssl) const {
    if (ssl == nullptr) return false;
    const std::string name = without_brackets(request().endpoint.tls_name);
    error_code error;
    asio::ip::make_address(name, error);
    if (!error) return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name.c_str()) == 1;
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    return !name.empty() && SSL_set_tlsext_host_name(ssl, name.c_str()) == 1 && SSL_set1_host(ssl, name.c_str()) == 1;
  }

  // -- the exchange
  template <class Use>
  void with_stream(Use use) {
    if (connection_->tls) {
      use(*connection_->tls);
    } else {
      use(connection_->plain);
    }
  }

  void write() {
    stage_ = "waiting for the answer";
    head_ = request_head(request());
    constexpr std::size_t one_record = 16 * 1'024;
    const bool together = head_.size() + request().body.size() <= one_record;
    if (together) head_ += request().body;
    const std::array<asio::const_buffer, 2> buffers{
        asio::buffer(head_), asio::buffer(request().body.data(), together ? 0 : request().body.size())};
    with_stream([&](auto& stream) {
      asio::async_write(stream, buffers, [self = shared_from_this()](error_code error, std::size_t) {
        if (self->ended_) return;
        // A server may answer and close before it read all: what it said still counts.
        if (error && self->reused_) return self->failed(ErrorCode::unreachable, describe(error));
        self->read_head();
      });
    });
  }

  void read_head() {
    parser_.emplace();
    parser_->header_limit(response_head_bytes);
    parser_->body_limit(request().max_response_bytes);
    if (request().method == "HEAD") parser_->skip(true);
    with_stream([&](auto& stream) {
      http::async_read_header(stream, connection_->buffer, *parser_,
                              [self = shared_from_this()](error_code error, std::size_t size) {
                                if (self->ended_) return;
                                self->got_bytes_ = self->got_bytes_ || size > 0;
                                self->head_is_read(error);
                              });
    });
  }

  void head_is_read(error_code error) {
    if (error == http::error::body_limit) return too_large();
    if (error) return failed(ErrorCode::unreachable, describe(error));
    if (parser_->get().result_int() < 200) {  // 100 Continue and the like
      if (++interim_ > interim_answers) return failed(ErrorCode::unreachable, "too many interim answers");
      return read_head();
    }
    if (parser_->is_done()) return answered();
    with_stream([&](auto& stream) {
      http::async_read(stream, connection_->buffer, *parser_,
                       [self = shared_from_this()](error_code failure, std::size_t) {
                         if (self->ended_) return;
                         if (failure == http::error::body_limit) return self->too_large();
                         if (failure) return self->failed(ErrorCode::unreachable, describe(failure));
                         self->answered();
                       });
    });
  }

  void answered() {
    const bool keep = parser_->get().keep_alive() && connection_->buffer.size() == 0;
    auto message = parser_->release();
    HttpResponse response;
    response.status = static_cast<int>(message.result_int());
    for (const auto& field : message) response.headers.emplace_back(field.name_string(), field.value());
    response.body = std::move(message.body());
    if (keep) {
      connection_->buffer.shrink_to_fit();
      shared_->pool->put(key_of(request().endpoint), std::exchange(connection_, nullptr));
    }
    end(std::move(response));
  }

  const std::shared_ptr<Shared> shared_;
  const CallPtr call_;
  ConnectionPtr connection_;  // null once it went back to the pool
  const Connection::Strand strand_;
  const bool reused_;
  asio::steady_timer timer_;
  std::vector<std::string> addresses_;
  std::string head_;
  std::optional<http::response_parser<TextBody>> parser_;
  const char* stage_ = "connecting";
  int interim_ = 0;
  bool got_bytes_ = false;
  bool ended_ = false;
};

void Shared::attempt(const CallPtr& call, bool may_reuse) {
  ConnectionPtr connection = may_reuse ? pool->take(key_of(call->request.endpoint)) : nullptr;
  const bool reused = connection != nullptr;
  if (!reused) connection = std::make_shared<Connection>(context);
  auto made = std::make_shared<Attempt>(shared_from_this(), call, std::move(connection), reused);
  {
    std::scoped_lock lock(mutex);
    if (!open.contains(call)) return;  // cancelled meanwhile
    call->abandon = [weak = std::weak_ptr(made)] {
      if (auto attempt = weak.lock()) attempt->abandon();
    };
  }
  made->begin();
}

}  // namespace

struct HttpClient::Impl {
  std::shared_ptr<Shared> shared;
};

HttpClient::HttpClient(Io& io, Resolver& resolver, HttpClientOptions options) : impl_(std::make_shared<Impl>()) {
  impl_->shared = std::make_shared<Shared>(io, resolver, std::move(options));
}

HttpClient::~HttpClient() { close(); }

void HttpClient::close() { impl_->shared->close(); }

void HttpClient::send(OutgoingRequest request, Done done) {
  if (!is_clean_request(request)) return done(fail(ErrorCode::unreachable, "not a request that can be sent"));
  const auto deadline = Steady::now() + request.timeout;
  auto call = std::make_shared<Call>(Call{std::move(request), deadline, std::move(done), {}});
  if (!impl_->shared->add(call)) return call->done(fail(ErrorCode::cancelled, "shutting down"));
  impl_->shared->attempt(call, true);
}

Result<HttpResponse> HttpClient::call(OutgoingRequest request) {
  auto answer = std::make_shared<std::promise<Result<HttpResponse>>>();
  auto future = answer->get_future();
  send(std::move(request), [answer](Result<HttpResponse> result) { answer->set_value(std::move(result)); });
  return future.get();
}

}  // namespace skerry::net
