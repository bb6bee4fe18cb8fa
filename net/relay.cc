#include "net/relay.h"

#include <array>
#include <atomic>
#include <mutex>
#include <set>
#include <unordered_set>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/write.hpp>

#include "net/io_impl.h"

namespace skerry::net {

namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

constexpr std::size_t buffer_bytes = 16 * 1'024;  // per direction

// Closes with RST: what is under way is lost, and the peer sees a reset, not an end.
void reset(tcp::socket& socket) {
  error_code ignored;
  socket.set_option(asio::socket_base::linger(true, 0), ignored);
  socket.close(ignored);
}

struct Counters {
  std::atomic<std::uint64_t> accepted = 0;
  std::atomic<std::uint64_t> refused_by_cut = 0;
  std::atomic<std::uint64_t> bytes = 0;
};

class Link;

struct Shared {
  Counters counters;
  std::mutex mutex;
  bool cut = false;
  std::set<std::string> cut_sources;
  std::unordered_set<Link*> links;

  bool is_cut(const std::string& source) const { return cut || cut_sources.contains(source); }
};

// One spliced connection. Everything runs on one strand.
class Link : public std::enable_shared_from_this<Link> {
 public:
  Link(tcp::socket from, std::string source, std::shared_ptr<Shared> shared)
      : a_(std::move(from)), b_(a_.get_executor()), source_(std::move(source)), shared_(std::move(shared)) {}
  ~Link() {
    std::scoped_lock lock(shared_->mutex);
    shared_->links.erase(this);
  }

  const std::string& source() const { return source_; }

  void start(const tcp::endpoint& target) {
    error_code ignored;
    a_.set_option(tcp::no_delay(true), ignored);
    b_.async_connect(target, [self = shared_from_this()](error_code error) {
      if (error) return self->reset_both();
      error_code unimportant;
      self->b_.set_option(tcp::no_delay(true), unimportant);
      self->pump(self->a_, self->b_, self->a_to_b_);
      self->pump(self->b_, self->a_, self->b_to_a_);
    });
  }

  void cut() {
    asio::post(a_.get_executor(), [self = shared_from_this()] { self->reset_both(); });
  }

 private:
  using Buffer = std::array<char, buffer_bytes>;

  void pump(tcp::socket& from, tcp::socket& to, Buffer& buffer) {
    from.async_read_some(asio::buffer(buffer),
                         [self = shared_from_this(), &from, &to, &buffer](error_code error, std::size_t size) {
                           if (error == asio::error::eof) {  // a half-close goes on as one
                             error_code ignored;
                             to.shutdown(tcp::socket::shutdown_send, ignored);
                             return;
                           }
                           if (error) return self->reset_both();
                           self->shared_->counters.bytes += size;
                           asio::async_write(to, asio::buffer(buffer.data(), size),
                                             [self, &from, &to, &buffer](error_code failure, std::size_t) {
                                               if (failure) return self->reset_both();
                                               self->pump(from, to, buffer);
                                             });
                         });
  }

  void reset_both() {
    if (a_.is_open()) reset(a_);
    if (b_.is_open()) reset(b_);
  }

  tcp::socket a_;
  tcp::socket b_;
  Buffer a_to_b_{};
  Buffer b_to_a_{};
  const std::string source_;
  std::shared_ptr<Shared> shared_;
};

class Acceptor : public std::enable_shared_from_this<Acceptor> {
 public:
  Acceptor(asio::io_context& context, std::shared_ptr<Shared> shared)
      : context_(context),
        acceptor_(asio::make_strand(context)),
        retry_(acceptor_.get_executor()),
        shared_(std::move(shared)) {}

  Result<void> open(const std::string& listen_address, std::uint16_t listen_port, const std::string& target_address,
                    std::uint16_t target_port) {
    error_code error;
    const auto address = asio::ip::make_address(listen_address, error);
    const auto target = error ? address : asio::ip::make_address(target_address, error);
    const tcp::endpoint endpoint(address, listen_port);
    if (!error) acceptor_.open(endpoint.protocol(), error);
    if (!error) acceptor_.set_option(asio::socket_base::reuse_address(true), error);
    if (!error) acceptor_.bind(endpoint, error);
    if (!error) acceptor_.listen(1'024, error);
    if (error) {
      return fail(ErrorCode::storage,
                  "cannot relay from " + listen_address + ":" + std::to_string(listen_port) + ": " + error.message());
    }
    target_ = tcp::endpoint(target, target_port);
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
    stop_listening(acceptor_);
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
    const std::string source = peer.address().to_string();
    ++shared_->counters.accepted;
    std::shared_ptr<Link> link;
    {
      std::scoped_lock lock(shared_->mutex);
      if (shared_->is_cut(source)) {
        ++shared_->counters.refused_by_cut;
        return reset(socket);
      }
      link = std::make_shared<Link>(std::move(socket), source, shared_);
      shared_->links.insert(link.get());
    }
    link->start(target_);
  }

  asio::io_context& context_;
  tcp::acceptor acceptor_;
  asio::steady_timer retry_;
  tcp::endpoint target_;
  std::shared_ptr<Shared> shared_;
};

class Relay final : public TcpRelay {
 public:
  Relay(std::shared_ptr<Shared> shared, std::shared_ptr<Acceptor> acceptor)
      : shared_(std::move(shared)), acceptor_(std::move(acceptor)), port_(acceptor_->port()) {}
  ~Relay() override {
    acceptor_->close();
    set_cut(true);
  }

  void set_cut(bool cut) override {
    std::vector<std::shared_ptr<Link>> ended;  // destroyed after the lock is released
    std::scoped_lock lock(shared_->mutex);
    shared_->cut = cut;
    end_cut_links(ended);
  }

  void set_cut_source(const std::string& address, bool cut) override {
    std::vector<std::shared_ptr<Link>> ended;
    std::scoped_lock lock(shared_->mutex);
    if (cut) {
      shared_->cut_sources.insert(address);
    } else {
      shared_->cut_sources.erase(address);
    }
    end_cut_links(ended);
  }

  std::uint16_t port() const override { return port_; }

  RelayCounters counters() const override {
    return {shared_->counters.accepted, shared_->counters.refused_by_cut, shared_->counters.bytes};
  }

 private:
  // REQUIRES: the mutex is held.
  void end_cut_links(std::vector<std::shared_ptr<Link>>& ended) {
    for (Link* link : shared_->links) {
      auto alive = link->weak_from_this().lock();
      if (!alive) continue;
      if (shared_->is_cut(link->source())) {
        ++shared_->counters.refused_by_cut;
        alive->cut();
      }
      ended.push_back(std::move(alive));
    }
  }

  std::shared_ptr<Shared> shared_;
  std::shared_ptr<Acceptor> acceptor_;
  const std::uint16_t port_;
};

}  // namespace

Result<std::unique_ptr<TcpRelay>> TcpRelay::start(Io& io, const std::string& listen_address, std::uint16_t listen_port,
                                                  const std::string& target_address, std::uint16_t target_port) {
  auto shared = std::make_shared<Shared>();
  auto acceptor = std::make_shared<Acceptor>(io.impl().context, shared);
  if (auto opened = acceptor->open(listen_address, listen_port, target_address, target_port); !opened) {
    return tl::make_unexpected(opened.error());
  }
  acceptor->accept();
  return std::make_unique<Relay>(std::move(shared), std::move(acceptor));
}

}  // namespace skerry::net
