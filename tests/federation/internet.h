// A small internet for tests: names, SRV records, .well-known answers and federation listeners, all on 127.0.0.1 and
// told by the test; a clock and a scheduler that move when told.
#pragma once

#include <atomic>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "net/log.h"
#include "tests/federation/peers.h"
#include "tests/net/fake_dns.h"

namespace skerry::federation {

class FakeClock : public net::Clock {
 public:
  std::int64_t now_ms() const override { return now_ms_; }
  void advance(std::chrono::milliseconds time) { now_ms_ += time.count(); }

 private:
  std::atomic<std::int64_t> now_ms_{1'700'000'000'000};
};

// Tasks run inside advance(), on the test's thread.
class FakeScheduler : public net::Scheduler {
 public:
  Handle after(std::chrono::milliseconds delay, std::function<void()> task) override {
    auto handle = std::make_shared<std::function<void()>>(std::move(task));
    std::scoped_lock lock(mutex_);
    tasks_.emplace(now_ms_ + delay.count(), handle);
    return handle;
  }
  void advance(std::chrono::milliseconds time) {
    std::vector<std::shared_ptr<std::function<void()>>> due;
    {
      std::scoped_lock lock(mutex_);
      now_ms_ += time.count();
      while (!tasks_.empty() && tasks_.begin()->first <= now_ms_) {
        if (auto task = tasks_.begin()->second.lock()) due.push_back(std::move(task));
        tasks_.erase(tasks_.begin());
      }
    }
    for (const auto& task : due) (*task)();
  }
  // Milliseconds until the first task that is still wanted; nothing when there is none.
  std::optional<std::int64_t> next_in() {
    std::scoped_lock lock(mutex_);
    std::erase_if(tasks_, [](const auto& entry) { return entry.second.expired(); });
    return tasks_.empty() ? std::nullopt : std::optional(tasks_.begin()->first - now_ms_);
  }

 private:
  std::mutex mutex_;
  std::int64_t now_ms_ = 0;
  std::multimap<std::int64_t, std::weak_ptr<std::function<void()>>> tasks_;
};

class Internet {
 public:
  using Handler = net::HttpServer::Handler;

  // What `allowed` does not contain may not be called.
  explicit Internet(const std::vector<std::string>& allowed = {"127.0.0.0/8"})
      : policy_(*net::AddressPolicy::make(allowed)) {
    log::set_level(log::Level::error);  // peers that fail are what these tests are about
    std::ofstream(folder_.path + "/ca.pem") << authority_.certificate_pem();
    net::ResolverOptions dns_options;
    dns_options.servers = {dns_.place()};
    resolver_ = std::make_unique<net::Resolver>(io_, dns_options);
    net::HttpClientOptions client_options;
    client_options.trust = {false, {folder_.path + "/ca.pem"}};
    client_options.policy = policy_;
    http_ = std::make_unique<net::HttpClient>(io_, *resolver_, client_options);
    web_ = serve({"*.net.test", "*.alpha.net.test"}, [this](net::HttpRequest request, net::Responder responder) {
      answer_web(std::move(request), std::move(responder));
    });
  }
  ~Internet() { stop(); }

  // As a server ends.
  void stop() {
    http_->close();
    pool_.stop();
    io_.stop();
  }

  // Certificates are for names under net.test: a wildcard needs two labels behind it.
  // Names. Every name is at 127.0.0.1 unless said otherwise.
  void srv(const std::string& name, const std::string& target, std::uint16_t port, std::uint16_t priority = 0) {
    std::scoped_lock lock(mutex_);
    srv_[name].push_back(net::FakeDns::srv(priority, 0, port, target));
  }
  int srv_asked(const std::string& name) { return dns_.asked(name, net::dns_srv); }

  // What https://HOST/... answers at the port where .well-known is asked.
  void web(const std::string& host, Handler handler) {
    std::scoped_lock lock(mutex_);
    sites_[host] = std::move(handler);
  }
  void well_known(const std::string& host, const std::string& server, net::Headers headers = {}) {
    web(host, [server, headers](net::HttpRequest, net::Responder responder) {
      responder.respond({200, headers, R"({"m.server":")" + server + "\"}"});
    });
  }
  int web_asked(const std::string& host) {
    std::scoped_lock lock(mutex_);
    return web_asked_[host];
  }
  std::uint16_t web_port() const { return web_->port(0); }

  // A listener whose certificate names these (and its address).
  std::unique_ptr<net::HttpServer> serve(const std::vector<std::string>& names, Handler handler,
                                         const std::string& address = "127.0.0.1") {
    net::HttpServerOptions options;
    net::Listener listener{address, 0, {}};
    listener.tls = *authority_.issue(names, {address}, net::system_clock().now_ms(), 1);
    options.listeners = {listener};
    options.body_limit = [](const net::HttpRequest&) { return std::size_t{10'000'000}; };
    options.error_response = [](int status) { return net::HttpResponse{status, {}, ""}; };
    return std::move(*net::HttpServer::start(io_, std::move(options), std::move(handler)));
  }

  DiscoveryOptions discovery_options() const {
    DiscoveryOptions options;
    options.https_port = web_port();
    return options;
  }

  net::Io& io() { return io_; }
  net::HttpClient& http() { return *http_; }
  net::Resolver& resolver() { return *resolver_; }
  net::WorkerPool& pool() { return pool_; }
  FakeClock& clock() { return clock_; }
  std::int64_t now_ms() const { return clock_.now_ms(); }

 private:
  std::optional<net::FakeDns::Answer> answer_dns(const std::string& name, std::uint16_t type) {
    net::FakeDns::Answer answer;
    if (type == net::dns_a) answer.record_data = {net::FakeDns::a("127.0.0.1")};
    if (type != net::dns_srv) return answer;
    std::scoped_lock lock(mutex_);
    const auto found = srv_.find(name);
    if (found == srv_.end()) {
      answer.rcode = 3;
    } else {
      answer.record_data = found->second;
    }
    return answer;
  }

  void answer_web(net::HttpRequest request, net::Responder responder) {
    std::string host = net::find_header(request.headers, "Host").value_or("");
    host = host.substr(0, host.find(':'));
    Handler handler;
    {
      std::scoped_lock lock(mutex_);
      ++web_asked_[host];
      if (const auto found = sites_.find(host); found != sites_.end()) handler = found->second;
    }
    if (!handler) return responder.respond({404, {}, "{}"});
    handler(std::move(request), std::move(responder));
  }

  Folder folder_;
  std::mutex mutex_;
  std::map<std::string, std::vector<std::string>> srv_;
  std::map<std::string, Handler> sites_;
  std::map<std::string, int> web_asked_;
  net::AddressPolicy policy_;
  net::FakeDns dns_{[this](const std::string& name, std::uint16_t type) { return answer_dns(name, type); }};
  net::CertificateAuthority authority_ =
      std::move(*net::CertificateAuthority::create("test", net::system_clock().now_ms(), 1));
  FakeClock clock_;
  net::Io io_{2};
  net::WorkerPool pool_{"test", 4, 10'000};
  std::unique_ptr<net::Resolver> resolver_;
  std::unique_ptr<net::HttpClient> http_;
  std::unique_ptr<net::HttpServer> web_;
};

// Keeps a request's responder until the test lets it answer.
class Held {
 public:
  void hold(net::Responder responder) {
    changed_.change([&] { held_.push_back(std::move(responder)); });
  }
  bool wait(std::size_t count) {
    return changed_.wait([&] { return held_.size() >= count; });
  }
  std::size_t count() {
    std::size_t count = 0;
    changed_.change([&] { count = held_.size(); });
    return count;
  }
  void answer_all(const net::HttpResponse& response) {
    std::vector<net::Responder> all;
    changed_.change([&] { all.swap(held_); });
    for (auto& responder : all) responder.respond(response);
  }

 private:
  Condition changed_;
  std::vector<net::Responder> held_;
};

// Waits for one answer that comes by callback.
template <class Value>
class Waited {
 public:
  std::function<void(Value)> giver() {
    return [state = state_](Value value) { state->changed.change([&] { state->value.emplace(std::move(value)); }); };
  }
  bool came() {
    return state_->changed.wait([this] { return state_->value.has_value(); });
  }
  // Throws when nothing comes.
  Value& get() {
    if (!came()) throw std::runtime_error("no answer came");
    return *state_->value;
  }

 private:
  struct State {
    Condition changed;
    std::optional<Value> value;
  };
  std::shared_ptr<State> state_ = std::make_shared<State>();
};

}  // namespace skerry::federation
