#include "net/http_client.h"

#include <algorithm>
#include <charconv>
#include <future>
#include <map>
#include <mutex>
#include <optional>
#include <unordered_set>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>

#include "net/io_impl.h"
#include "net/tls_impl.h"

namespace skerry::net {

namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;
using Steady = std::chrono::steady_clock;
using Done = std::function<void(Result<HttpResponse>)>;

constexpr std::chrono::seconds connect_time{5};  // per address, when there are several

std::string key_of(const Endpoint& endpoint) {
  return (endpoint.tls ? "tls " : "tcp ") + endpoint.connect_host + " " + std::to_string(endpoint.port) + " " +
         endpoint.tls_name;
}

bool is_idempotent(const std::string& method) {
  return method == "GET" || method == "PUT" || method == "DELETE" || method == "OPTIONS" || method == "HEAD";
}

std::string describe(const error_code& error) {
  if (error == asio::error::connection_refused) return "connection refused";
  if (error == asio::error::connection_reset) return "connection reset";
  if (error == asio::error::eof || error == http::error::end_of_stream || error == asio::ssl::error::stream_truncated) {
    return "connection closed before an answer came";
  }
  return error.message();
}

std::string request_text(const OutgoingRequest& request) {
  const auto clean = [](std::string_view text) { return text.find_first_of("\r\n") == std::string_view::npos; };
  std::string head =
      request.method + " " + request.target + " HTTP/1.1\r\nHost: " + request.endpoint.host_header + "\r\n";
  for (const auto& [name, value] : request.headers) {
    if (clean(name) && clean(value)) head += name + ": " + value + "\r\n";
  }
  const bool has_body = !request.body.empty() || request.method == "POST" || request.method == "PUT";
  if (has_body) head += "Content-Length: " + std::to_string(request.body.size()) + "\r\n";
  return head + "\r\n";
}

// A socket with its strand, plain or under TLS.
struct Connection {
  explicit Connection(asio::io_context& context) : strand(asio::make_strand(context)), plain(strand) {}

  asio::strand<asio::io_context::executor_type> strand;
  tcp::socket plain;  // before TLS begins, and without it
  std::optional<asio::ssl::stream<tcp::socket>> tls;
  boost::beast::flat_buffer buffer;
  bool idle = false;  // in the pool; guarded by its mutex

  tcp::socket& socket() { return tls ? tls->next_layer() : plain; }
  void close() {
    error_code ignored;
    socket().close(ignored);
  }
};
using ConnectionPtr = std::shared_ptr<Connection>;

// Kept-alive connections by endpoint. One that the peer closes, or that speaks unasked, leaves by itself.
class Pool : public std::enable_shared_from_this<Pool> {
 public:
  Pool(std::size_t per_endpoint, std::chrono::seconds idle_time) : per_endpoint_(per_endpoint), idle_time_(idle_time) {}

  // On the connection's strand the caller must cancel what the pool waits for (`socket().cancel()`) before it uses it.
  ConnectionPtr take(const std::string& key) {
    std::scoped_lock lock(mutex_);
    auto found = idle_.find(key);
    if (found == idle_.end()) return nullptr;
    ConnectionPtr connection = std::move(found->second.back().connection);
    found->second.pop_back();
    if (found->second.empty()) idle_.erase(found);
    connection->idle = false;
    return connection;
  }

  // On the connection's strand.
  void put(const std::string& key, const ConnectionPtr& connection) {
    {
      std::scoped_lock lock(mutex_);
      if (closed_) return connection->close();
      auto& list = idle_[key];
      if (list.size() >= per_endpoint_) return connection->close();
      connection->idle = true;
      list.push_back({connection, std::make_shared<asio::steady_timer>(connection->strand)});
      auto& timer = *list.back().timer;
      timer.expires_after(idle_time_);
      timer.async_wait([pool = weak_from_this(), key, weak = std::weak_ptr(connection)](error_code error) {
        if (error) return;
        auto self = pool.lock();
        auto expired = weak.lock();
        if (self && expired) self->remove(key, expired);
      });
    }
    connection->socket().async_wait(tcp::socket::wait_read,
                                    [pool = weak_from_this(), key, weak = std::weak_ptr(connection)](error_code error) {
                                      if (error) return;
                                      auto self = pool.lock();
                                      auto ended = weak.lock();
                                      if (self && ended) self->remove(key, ended);
                                    });
  }

  void close() {
    std::map<std::string, std::vector<Entry>> all;
    {
      std::scoped_lock lock(mutex_);
      closed_ = true;
      all.swap(idle_);
    }
    for (auto& [key, list] : all) {
      for (auto& entry : list)
        asio::post(entry.connection->strand, [connection = entry.connection] { connection->close(); });
    }
  }

 private:
  struct Entry {
    ConnectionPtr connection;
    std::shared_ptr<asio::steady_timer> timer;  // ends with the entry
  };

  void remove(const std::string& key, const ConnectionPtr& connection) {
    std::scoped_lock lock(mutex_);
    if (!connection->idle) return;
    auto found = idle_.find(key);
    if (found == idle_.end()) return;
    std::erase_if(found->second, [&](const Entry& entry) { return entry.connection == connection; });
    if (found->second.empty()) idle_.erase(found);
    connection->idle = false;
    connection->close();
  }

  const std::size_t per_endpoint_;
  const std::chrono::seconds idle_time_;
  std::mutex mutex_;
  bool closed_ = false;
  std::map<std::string, std::vector<Entry>> idle_;
};

struct Shared;

// One request over one connection. Everything after begin() runs on the connection's strand.
class Attempt : public std::enable_shared_from_this<Attempt> {
 public:
  Attempt(std::shared_ptr<Shared> shared, std::shared_ptr<const OutgoingRequest> request, Steady::time_point deadline,
          std::shared_ptr<Done> done, ConnectionPtr connection, bool reused)
      : shared_(std::move(shared)),
        request_(std::move(request)),
        deadline_(deadline),
        done_(std::move(done)),
        connection_(std::move(connection)),
        strand_(connection_->strand),
        reused_(reused),
        timer_(strand_) {}

  void begin();
  void cancel() {
    asio::post(strand_, [self = shared_from_this()] { self->end(fail(ErrorCode::cancelled, "shutting down")); });
  }

 private:
  void watch_deadline();
  void resolve();
  void resolved(Result<std::vector<std::string>> addresses);
  void connect(std::size_t next);
  void handshake();
  void write();
  void read();
  void answered();
  void too_large() { end(fail(ErrorCode::too_large, "the answer of " + place() + " is too large")); }
  void failed(ErrorCode code, const std::string& what);
  void end(Result<HttpResponse> result);
  std::string place() const { return request_->endpoint.connect_host + ":" + std::to_string(request_->endpoint.port); }

  template <class Use>
  void with_stream(Use use) {
    if (connection_->tls) {
      use(*connection_->tls);
    } else {
      use(connection_->plain);
    }
  }

  std::shared_ptr<Shared> shared_;
  const std::shared_ptr<const OutgoingRequest> request_;
  const Steady::time_point deadline_;
  const std::shared_ptr<Done> done_;
  ConnectionPtr connection_;  // null once it went back to the pool
  const asio::strand<asio::io_context::executor_type> strand_;
  const bool reused_;
  asio::steady_timer timer_;
  std::vector<std::string> addresses_;
  std::string head_;
  std::optional<http::response_parser<http::string_body>> parser_;
  bool got_bytes_ = false;
  bool ended_ = false;
};

struct Shared : std::enable_shared_from_this<Shared> {
  Shared(Io& io, Resolver& name_resolver, HttpClientOptions client_options)
      : context(io.impl().context),
        resolver(name_resolver),
        options(std::move(client_options)),
        pool(std::make_shared<Pool>(options.idle_connections_per_endpoint, options.idle_time)) {}

  asio::io_context& context;
  Resolver& resolver;
  const HttpClientOptions options;
  std::shared_ptr<Pool> pool;
  Result<std::shared_ptr<asio::ssl::context>> tls = fail(ErrorCode::internal, "");
  std::mutex mutex;
  std::unordered_set<Attempt*> attempts;
  bool closed = false;

  void attempt(std::shared_ptr<const OutgoingRequest> request, Steady::time_point deadline, std::shared_ptr<Done> done,
               bool may_reuse) {
    ConnectionPtr connection = may_reuse ? pool->take(key_of(request->endpoint)) : nullptr;
    const bool reused = connection != nullptr;
    if (!reused) connection = std::make_shared<Connection>(context);
    auto made = std::make_shared<Attempt>(shared_from_this(), std::move(request), deadline, done, std::move(connection),
                                          reused);
    {
      std::scoped_lock lock(mutex);
      if (!closed)
        attempts.insert(made.get());
      else
        made.reset();
    }
    if (made) {
      made->begin();
    } else {
      (*done)(fail(ErrorCode::cancelled, "shutting down"));
    }
  }
};

void Attempt::begin() {
  asio::post(strand_, [self = shared_from_this()] {
    if (self->ended_) return;
    self->watch_deadline();
    if (self->reused_) {
      error_code ignored;
      self->connection_->socket().cancel(ignored);
      self->write();
    } else {
      self->resolve();
    }
  });
}

void Attempt::watch_deadline() {
  timer_.expires_at(deadline_);
  timer_.async_wait([weak = weak_from_this()](error_code error) {
    auto self = weak.lock();
    if (error || !self) return;
    self->end(fail(ErrorCode::timeout, "no answer in time from " + self->place()));
  });
}

void Attempt::resolve() {
  error_code error;
  const std::string& host = request_->endpoint.connect_host;
  asio::ip::make_address(host, error);
  if (!error) return resolved(std::vector<std::string>{host});
  shared_->resolver.resolve_addresses(host, [self = shared_from_this()](Result<std::vector<std::string>> addresses) {
    asio::post(self->strand_, [self, addresses = std::move(addresses)] { self->resolved(addresses); });
  });
}

void Attempt::resolved(Result<std::vector<std::string>> addresses) {
  if (ended_) return;
  if (!addresses) return failed(addresses.error().code, addresses.error().text);
  for (std::string& address : *addresses) {
    if (shared_->options.policy.may_call(address)) addresses_.push_back(std::move(address));
  }
  if (addresses_.empty()) {
    return failed(ErrorCode::unreachable, addresses->empty()
                                              ? "the name has no address"
                                              : "its address is private, and private addresses are refused here");
  }
  connect(0);
}

void Attempt::connect(std::size_t next) {
  error_code error;
  const auto address = asio::ip::make_address(addresses_[next], error);
  if (error) return failed(ErrorCode::unreachable, "not an address: " + addresses_[next]);
  tcp::socket& socket = connection_->plain;
  if (socket.is_open()) socket.close(error);
  const tcp::endpoint endpoint(address, request_->endpoint.port);
  socket.open(endpoint.protocol(), error);
  if (!error && !shared_->options.bind_address.empty() && address.is_v4()) {
    socket.bind(tcp::endpoint(asio::ip::make_address(shared_->options.bind_address, error), 0), error);
  }
  if (error) return failed(ErrorCode::unreachable, error.message());
  const bool last = next + 1 == addresses_.size();
  auto patience = std::make_shared<asio::steady_timer>(strand_);
  if (!last) {
    patience->expires_after(connect_time);
    patience->async_wait([weak = weak_from_this()](error_code waited) {
      if (auto self = weak.lock(); self && !waited) self->connection_->close();
    });
  }
  socket.async_connect(endpoint, [self = shared_from_this(), patience, next, last](error_code connected) {
    patience->cancel();
    if (self->ended_) return;
    if (connected && !last) return self->connect(next + 1);
    if (connected) return self->failed(ErrorCode::unreachable, describe(connected));
    error_code ignored;
    self->connection_->plain.set_option(tcp::no_delay(true), ignored);
    self->handshake();
  });
}

void Attempt::handshake() {
  if (!request_->endpoint.tls) return write();
  if (!shared_->tls) return failed(shared_->tls.error().code, shared_->tls.error().text);
  connection_->tls.emplace(std::move(connection_->plain), **shared_->tls);
  SSL* ssl = connection_->tls->native_handle();
  const std::string& name = request_->endpoint.tls_name;
  error_code error;
  asio::ip::make_address(name, error);
  bool prepared = false;
  if (error) {
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    prepared = SSL_set_tlsext_host_name(ssl, name.c_str()) == 1 && SSL_set1_host(ssl, name.c_str()) == 1;
  } else {
    prepared = X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name.c_str()) == 1;
  }
  if (!prepared) return failed(ErrorCode::unreachable, "not a name that a certificate can carry: " + name);
  connection_->tls->async_handshake(asio::ssl::stream_base::client, [self = shared_from_this()](error_code shaken) {
    if (self->ended_) return;
    if (!shaken) return self->write();
    const long verified = SSL_get_verify_result(self->connection_->tls->native_handle());
    if (verified != X509_V_OK) {
      return self->failed(ErrorCode::unreachable,
                          std::string("its certificate is not good: ") + X509_verify_cert_error_string(verified));
    }
    self->failed(ErrorCode::unreachable, "TLS: " + describe(shaken));
  });
}

void Attempt::write() {
  head_ = request_text(*request_);
  const std::array<asio::const_buffer, 2> buffers{asio::buffer(head_), asio::buffer(request_->body)};
  with_stream([&](auto& stream) {
    asio::async_write(stream, buffers, [self = shared_from_this()](error_code error, std::size_t) {
      if (self->ended_) return;
      // A server may answer and close before it read all: what it said still counts.
      if (error && self->reused_) return self->failed(ErrorCode::unreachable, describe(error));
      self->read();
    });
  });
}

void Attempt::read() {
  parser_.emplace();
  parser_->header_limit(64 * 1'024);
  parser_->body_limit(request_->max_response_bytes);
  if (request_->method == "HEAD") parser_->skip(true);
  with_stream([&](auto& stream) {
    http::async_read_header(stream, connection_->buffer, *parser_,
                            [self = shared_from_this()](error_code error, std::size_t size) {
                              if (self->ended_) return;
                              self->got_bytes_ = size > 0;
                              if (error == http::error::body_limit) return self->too_large();
                              if (error) return self->failed(ErrorCode::unreachable, describe(error));
                              if (self->parser_->get().result_int() < 200)
                                return self->read();  // 100 Continue and the like
                              if (self->parser_->is_done()) return self->answered();
                              self->with_stream([&](auto& body_stream) {
                                http::async_read(body_stream, self->connection_->buffer, *self->parser_,
                                                 [self](error_code failure, std::size_t) {
                                                   if (self->ended_) return;
                                                   if (failure == http::error::body_limit) return self->too_large();
                                                   if (failure)
                                                     return self->failed(ErrorCode::unreachable, describe(failure));
                                                   self->answered();
                                                 });
                              });
                            });
  });
}

void Attempt::answered() {
  HttpResponse response;
  auto message = parser_->release();
  response.status = static_cast<int>(message.result_int());
  for (const auto& field : message) {
    response.headers.emplace_back(std::string(field.name_string()), std::string(field.value()));
  }
  response.body = std::move(message.body());
  if (message.keep_alive() && connection_->buffer.size() == 0) {
    connection_->buffer.shrink_to_fit();
    shared_->pool->put(key_of(request_->endpoint), connection_);
    connection_ = nullptr;
  }
  end(std::move(response));
}

void Attempt::failed(ErrorCode code, const std::string& what) {
  if (reused_ && !got_bytes_ && is_idempotent(request_->method) && !ended_) {
    // The server closed a kept connection just as it was taken up again.
    ended_ = true;
    timer_.cancel();
    connection_->close();
    {
      std::scoped_lock lock(shared_->mutex);
      shared_->attempts.erase(this);
    }
    return shared_->attempt(request_, deadline_, done_, false);
  }
  end(fail(code, place() + ": " + what));
}

void Attempt::end(Result<HttpResponse> result) {
  if (std::exchange(ended_, true)) return;
  timer_.cancel();
  if (connection_) connection_->close();
  {
    std::scoped_lock lock(shared_->mutex);
    shared_->attempts.erase(this);
  }
  (*done_)(std::move(result));
}

}  // namespace

struct HttpClient::Impl {
  std::shared_ptr<Shared> shared;
};

HttpClient::HttpClient(Io& io, Resolver& resolver, HttpClientOptions options) : impl_(std::make_shared<Impl>()) {
  impl_->shared = std::make_shared<Shared>(io, resolver, std::move(options));
  auto context = client_context(impl_->shared->options.trust);
  if (context) {
    impl_->shared->tls = std::make_shared<asio::ssl::context>(context->release());
  } else {
    impl_->shared->tls = tl::make_unexpected(context.error());
  }
}

HttpClient::~HttpClient() { close(); }

void HttpClient::close() {
  std::vector<std::shared_ptr<Attempt>> open;
  {
    std::scoped_lock lock(impl_->shared->mutex);
    impl_->shared->closed = true;
    for (Attempt* attempt : impl_->shared->attempts) {
      if (auto alive = attempt->weak_from_this().lock()) open.push_back(std::move(alive));
    }
  }
  for (const auto& attempt : open) attempt->cancel();
  impl_->shared->pool->close();
}

void HttpClient::send(OutgoingRequest request, Done done) {
  const auto deadline = Steady::now() + request.timeout;
  impl_->shared->attempt(std::make_shared<const OutgoingRequest>(std::move(request)), deadline,
                         std::make_shared<Done>(std::move(done)), true);
}

Result<HttpResponse> HttpClient::call(OutgoingRequest request) {
  auto answer = std::make_shared<std::promise<Result<HttpResponse>>>();
  auto future = answer->get_future();
  send(std::move(request), [answer](Result<HttpResponse> result) { answer->set_value(std::move(result)); });
  return future.get();
}

Result<ParsedUrl> parse_url(std::string_view url) {
  ParsedUrl parsed;
  const auto malformed = [&] {
    return fail(ErrorCode::invalid_param, "not an http or https URL: " + std::string(url));
  };
  std::string_view rest = url;
  if (rest.starts_with("https://")) {
    rest.remove_prefix(8);
  } else if (rest.starts_with("http://")) {
    rest.remove_prefix(7);
    parsed.endpoint.tls = false;
  } else {
    return malformed();
  }
  const auto slash = std::min(rest.find_first_of("/?#"), rest.size());
  const std::string_view authority = rest.substr(0, slash);
  std::string_view path = rest.substr(slash);
  if (path.find_first_of("?#") != std::string_view::npos || authority.find('@') != std::string_view::npos)
    return malformed();
  while (path.ends_with('/')) path.remove_suffix(1);
  parsed.base_path = path;
  std::string_view host = authority, port;
  if (authority.starts_with('[')) {
    const auto close = authority.find(']');
    if (close == std::string_view::npos) return malformed();
    host = authority.substr(1, close - 1);
    port = authority.substr(close + 1);
    if (!port.empty() && port.front() != ':') return malformed();
    if (!port.empty()) port.remove_prefix(1);
  } else if (const auto colon = authority.rfind(':'); colon != std::string_view::npos) {
    host = authority.substr(0, colon);
    port = authority.substr(colon + 1);
  }
  parsed.endpoint.port = parsed.endpoint.tls ? 443 : 80;
  if (!port.empty()) {
    const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), parsed.endpoint.port);
    if (error != std::errc{} || end != port.data() + port.size() || parsed.endpoint.port == 0) return malformed();
  }
  if (host.empty()) return malformed();
  parsed.endpoint.connect_host = host;
  parsed.endpoint.host_header = authority;
  parsed.endpoint.tls_name = host;
  return parsed;
}

}  // namespace skerry::net
