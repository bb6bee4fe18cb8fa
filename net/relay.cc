#include "net/relay.h"

#include <atomic>
#include <mutex>
#include <unordered_map>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>

#include "net/acceptor_impl.h"
#include "net/io_impl.h"
#include "net/relay_flow_impl.h"

namespace skerry::net {

namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

constexpr int backlog = 1'024;

// Closes with RST: what is under way is lost, and the peer sees a reset, not an end.
void reset(tcp::socket& socket) {
  error_code ignored;
  socket.set_option(asio::socket_base::linger(true, 0), ignored);
  socket.close(ignored);
}

class Link;

struct Shared {
  explicit Shared(TcpRelay::Policy rules) : policy(std::move(rules)) {}

  const TcpRelay::Policy policy;
  ConnectionRules::Place target;  // set before there is a link
  std::atomic<std::uint64_t> accepted = 0;
  std::atomic<std::uint64_t> bytes = 0;
  std::mutex mutex;
  bool closed = false;
  std::unordered_map<Link*, std::shared_ptr<Link>> links;  // each until it ends
};

// One spliced connection. Everything runs on one strand.
class Link : public std::enable_shared_from_this<Link> {
 public:
  Link(tcp::socket from, std::string source, std::shared_ptr<Shared> shared)
      : a_(std::move(from)),
        b_(a_.get_executor()),
        to_target_(a_, b_),
        from_target_(b_, a_),
        source_(std::move(source)),
        shared_(std::move(shared)) {}

  const std::string& source() const { return source_; }

  // The policy is asked only now that reconsider() finds this link: no change passes it by.
  void start() {
    asio::post(a_.get_executor(), [self = shared_from_this()] {
      if (self->state_ == State::arrived) self->follow(self->shared_->policy(self->source_));
    });
  }
  void reconsider() {
    asio::post(a_.get_executor(), [self = shared_from_this()] {
      if (self->a_.is_open()) self->follow(self->shared_->policy(self->source_));
    });
  }
  void reset_soon() {
    asio::post(a_.get_executor(), [self = shared_from_this()] { self->reset_both(); });
  }

 private:
  using Fate = ConnectionRules::Fate;
  enum class State {
    arrived,
    doomed,  // waits for its first bytes, to be reset
    placed,  // connected, or about to be
  };

  void follow(ConnectionRules rules) {
    const auto place = rules.instead.value_or(shared_->target);
    if (rules.fate == Fate::pass && (state_ != State::placed || place == place_)) {
      if (state_ == State::placed) return update(std::move(rules));
      if (rules.instead) count(rules);
      return connect(place, std::move(rules));
    }
    if (rules.fate == Fate::reset && state_ == State::arrived) return wait_for_bytes();
    if (rules.fate == Fate::reset && state_ == State::doomed) return;
    count(rules);
    reset_both();
  }

  static void count(const ConnectionRules& rules) {
    for (const auto& tally : rules.tallies) ++tally->connections;
  }

  void wait_for_bytes() {
    state_ = State::doomed;
    a_.async_wait(tcp::socket::wait_read, [self = shared_from_this()](error_code error) {
      if (error || self->state_ != State::doomed) return;
      count(self->shared_->policy(self->source_));
      self->reset_both();
    });
  }

  void connect(const ConnectionRules::Place& place, ConnectionRules rules) {
    state_ = State::placed;
    place_ = place;
    rules_ = std::move(rules);
    error_code error;
    a_.set_option(tcp::no_delay(true), error);
    const auto address = asio::ip::make_address(place.address, error);
    if (error) return reset_both();
    b_.async_connect(tcp::endpoint(address, place.port), [self = shared_from_this()](error_code failure) {
      if (failure || !self->a_.is_open()) return self->reset_both();
      error_code ignored;
      self->b_.set_option(tcp::no_delay(true), ignored);
      self->connected_ = true;
      self->to_target_.start(self, self->owner(), std::move(self->rules_.to_target));
      self->from_target_.start(self, self->owner(), std::move(self->rules_.from_target));
    });
  }

  void update(ConnectionRules rules) {
    if (!connected_) {
      rules_ = std::move(rules);
      return;
    }
    to_target_.update(std::move(rules.to_target));
    if (a_.is_open()) from_target_.update(std::move(rules.from_target));
    settle();
  }

  Flow::Owner owner() {
    return {[this] { reset_both(); }, [this] { settle(); }, &shared_->bytes};
  }

  void settle() {
    if (to_target_.done() && from_target_.done()) return forget();
    // Both sides have closed: there is nobody left to whom anything that is held could be of use.
    const bool held = to_target_.stalled() || from_target_.stalled();
    if (held && to_target_.ended() && from_target_.ended()) reset_both();
  }

  void forget() {
    std::scoped_lock lock(shared_->mutex);
    shared_->links.erase(this);
  }

  void reset_both() {
    state_ = State::placed;
    to_target_.stop();
    from_target_.stop();
    if (a_.is_open()) reset(a_);
    if (b_.is_open()) reset(b_);
    forget();
  }

  tcp::socket a_;
  tcp::socket b_;
  Flow to_target_;
  Flow from_target_;
  State state_ = State::arrived;
  bool connected_ = false;
  ConnectionRules rules_;  // until it is connected
  ConnectionRules::Place place_;
  const std::string source_;
  std::shared_ptr<Shared> shared_;
};

void take(const std::shared_ptr<Shared>& shared, tcp::socket socket) {
  error_code error;
  const auto peer = socket.remote_endpoint(error);
  if (error) return;
  ++shared->accepted;
  std::shared_ptr<Link> link;
  {
    std::scoped_lock lock(shared->mutex);
    if (shared->closed) return reset(socket);
    link = std::make_shared<Link>(std::move(socket), peer.address().to_string(), shared);
    shared->links.emplace(link.get(), link);
  }
  link->start();
}

class Relay final : public TcpRelay {
 public:
  Relay(std::shared_ptr<Shared> shared, std::shared_ptr<Acceptor> acceptor)
      : shared_(std::move(shared)), acceptor_(std::move(acceptor)), port_(acceptor_->port()) {}
  ~Relay() override {
    acceptor_->close();
    std::unordered_map<Link*, std::shared_ptr<Link>> links;
    {
      std::scoped_lock lock(shared_->mutex);
      shared_->closed = true;
      links.swap(shared_->links);  // they own what owns them
    }
    for (const auto& [key, link] : links) link->reset_soon();
  }

  void reconsider() override {
    for (const auto& link : open_links()) link->reconsider();
  }

  void reset_open(const std::function<bool(const std::string&)>& whose) override {
    for (const auto& link : open_links()) {
      if (whose(link->source())) link->reset_soon();
    }
  }

  std::uint64_t accepted() const override { return shared_->accepted; }
  std::uint64_t bytes() const override { return shared_->bytes; }
  std::uint16_t port() const override { return port_; }

 private:
  std::vector<std::shared_ptr<Link>> open_links() {
    std::vector<std::shared_ptr<Link>> links;
    std::scoped_lock lock(shared_->mutex);
    for (const auto& [key, link] : shared_->links) links.push_back(link);
    return links;
  }

  std::shared_ptr<Shared> shared_;
  std::shared_ptr<Acceptor> acceptor_;
  const std::uint16_t port_;
};

}  // namespace

Result<std::unique_ptr<TcpRelay>> TcpRelay::start(Io& io, const std::string& listen_address, std::uint16_t listen_port,
                                                  const std::string& target_address, std::uint16_t target_port,
                                                  Policy policy) {
  auto shared = std::make_shared<Shared>(std::move(policy));
  error_code error;
  (void)asio::ip::make_address(target_address, error);
  if (error) return fail(ErrorCode::storage, "cannot relay to " + target_address + ": not an IP address");
  shared->target = {target_address, target_port};
  auto acceptor =
      std::make_shared<Acceptor>(io.impl().context, [shared](tcp::socket socket) { take(shared, std::move(socket)); });
  if (auto opened = acceptor->open(listen_address, listen_port, backlog); !opened) {
    return tl::make_unexpected(opened.error());
  }
  acceptor->accept();
  return std::make_unique<Relay>(std::move(shared), std::move(acceptor));
}

}  // namespace skerry::net
