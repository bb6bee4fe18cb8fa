#include "net/resolver.h"

#include <algorithm>
#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <deque>
#include <map>
#include <mutex>
#include <netdb.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <thread>
#include <unistd.h>

#include <ares.h>

#include "net/dns_impl.h"
#include "net/log.h"

namespace skerry::net {

namespace {

using Steady = std::chrono::steady_clock;
using std::chrono::milliseconds;
using std::chrono::seconds;
using Addresses = std::vector<std::string>;
using Targets = std::vector<SrvTarget>;

constexpr seconds failure_time{5};  // how long a failure is believed
constexpr seconds longest_time{3'600};
constexpr milliseconds aaaa_patience{150};  // how long IPv6 addresses are waited for once IPv4 ones are there
constexpr int tries = 3;                    // of each server; every one waits twice as long as the last

Error error_of(int status, const std::string& name) {
  if (status == ARES_ETIMEOUT) return {ErrorCode::timeout, "no DNS answer in time for " + name};
  if (status == ARES_ENOTFOUND || status == ARES_ENODATA) return {ErrorCode::unreachable, "no such name: " + name};
  return {ErrorCode::unreachable, "DNS for " + name + ": " + ares_strerror(status)};
}

std::string lower_case(std::string name) {
  for (char& c : name) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  }
  return name;
}

// What is known about names by one kind of question, and who waits for more.
template <class Value>
struct Book {
  using Done = std::function<void(Result<Value>)>;
  explicit Book(std::size_t entries) : cache(entries) {}

  DnsCache<Value> cache;
  std::unordered_map<std::string, std::vector<Done>> waiting;
};

struct AddressQuery {
  std::string name;
  int open = 2;  // A and AAAA
  Addresses v4, v6;
  int ttl_s = static_cast<int>(longest_time.count());
  int worst = ARES_SUCCESS;  // what to say when neither has an address
  bool settled = false;      // those who waited were told
};
struct SrvQuery {
  std::string name;
  bool settled = false;
};

}  // namespace

// One thread runs c-ares; everything but `commands` and `stopping` belongs to it.
struct Resolver::Impl {
  Impl(Io& carrier, ResolverOptions resolver_options)
      : io(carrier),
        options(std::move(resolver_options)),
        addresses(options.cache_entries),
        services(options.cache_entries) {}

  Io& io;
  const ResolverOptions options;
  ares_channel channel = nullptr;
  int wake_fd = -1;
  std::thread thread;
  std::mutex mutex;
  std::deque<std::function<void()>> commands;  // guarded by mutex
  bool stopping = false;                       // guarded by mutex
  std::multimap<Steady::time_point, std::function<void()>> timers;
  Book<Addresses> addresses;
  Book<Targets> services;

  // A query as c-ares carries it: one of these per callback, which deletes it.
  template <class Query>
  struct Carried {
    Impl* impl;
    std::shared_ptr<Query> query;
  };

  // -- the thread
  Result<void> open() {
    ares_options settings{};
    settings.flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES;  // full names only, single labels too
    settings.tries = tries;
    settings.timeout = std::max(static_cast<int>(options.timeout.count()) / ((1 << tries) - 1), 50);
    std::string lookups = options.servers.empty() ? "fb" : "b";
    settings.lookups = lookups.data();
    const int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_LOOKUPS;
    const int status = ares_init_options(&channel, &settings, mask);
    if (status != ARES_SUCCESS) return fail(ErrorCode::internal, std::string("DNS: ") + ares_strerror(status));
    if (!options.servers.empty()) {
      std::string list;
      for (const std::string& server : options.servers) list += (list.empty() ? "" : ",") + server;
      if (ares_set_servers_ports_csv(channel, list.c_str()) != ARES_SUCCESS) {
        return fail(ErrorCode::invalid_param, "not a list of DNS servers: " + list);
      }
    }
    wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (wake_fd < 0) return fail(ErrorCode::internal, "no eventfd");
    thread = std::thread([this] { run(); });
    return {};
  }

  void command(std::function<void()> task) {
    {
      std::scoped_lock lock(mutex);
      commands.push_back(std::move(task));
    }
    wake();
  }
  void wake() const {
    const std::uint64_t one = 1;
    (void)!write(wake_fd, &one, sizeof one);
  }

  void run() {
    for (;;) {
      std::deque<std::function<void()>> due;
      {
        std::scoped_lock lock(mutex);
        if (stopping) return;
        due.swap(commands);
      }
      for (auto& task : due) task();
      while (!timers.empty() && timers.begin()->first <= Steady::now()) {
        const auto task = std::move(timers.begin()->second);
        timers.erase(timers.begin());
        task();
      }
      wait_and_process();
    }
  }

  int wait_ms() const {
    timeval buffer{};
    timeval longest{60, 0};
    const timeval* wait = ares_timeout(channel, &longest, &buffer);
    auto time = seconds(wait->tv_sec) + std::chrono::microseconds(wait->tv_usec);
    if (!timers.empty()) {
      time = std::min<decltype(time)>(
          time, std::chrono::duration_cast<std::chrono::microseconds>(timers.begin()->first - Steady::now()));
    }
    return std::max(static_cast<int>(std::chrono::ceil<milliseconds>(time).count()), 0);
  }

  void wait_and_process() {
    ares_socket_t sockets[ARES_GETSOCK_MAXNUM];
    const auto wanted = static_cast<unsigned>(ares_getsock(channel, sockets, ARES_GETSOCK_MAXNUM));
    std::vector<pollfd> fds{{wake_fd, POLLIN, 0}};
    for (unsigned i = 0; i < ARES_GETSOCK_MAXNUM; ++i) {
      short events = 0;
      if (ARES_GETSOCK_READABLE(wanted, i) != 0) events |= POLLIN;
      if (ARES_GETSOCK_WRITABLE(wanted, i) != 0) events |= POLLOUT;
      if (events != 0) fds.push_back({sockets[i], events, 0});
    }
    poll(fds.data(), fds.size(), wait_ms());
    if ((fds[0].revents & POLLIN) != 0) {
      std::uint64_t count = 0;
      (void)!read(wake_fd, &count, sizeof count);
    }
    for (std::size_t i = 1; i < fds.size(); ++i) {
      if (fds[i].revents == 0) continue;
      const bool readable = (fds[i].revents & (POLLIN | POLLERR | POLLHUP)) != 0;
      const bool writable = (fds[i].revents & POLLOUT) != 0;
      ares_process_fd(channel, readable ? fds[i].fd : ARES_SOCKET_BAD, writable ? fds[i].fd : ARES_SOCKET_BAD);
    }
    ares_process_fd(channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);  // what timed out is asked again
  }

  // -- who waits
  // Answers from the cache, or joins who waits already; true when the question has to be asked.
  template <class Value>
  bool must_ask(Book<Value>& book, const std::string& name, typename Book<Value>::Done done) {
    if (const auto* cached = book.cache.find(name)) {
      tell<Value>(std::move(done), *cached);
      return false;
    }
    auto& waiting = book.waiting[name];
    waiting.push_back(std::move(done));
    return waiting.size() == 1;
  }

  template <class Value>
  void finish(Book<Value>& book, const std::string& name, const Result<Value>& result, seconds time) {
    book.cache.put(name, result, std::min(time, longest_time));
    auto waited = book.waiting.extract(name);
    if (waited.empty()) return;
    for (auto& done : waited.mapped()) tell<Value>(std::move(done), result);
  }

  template <class Value>
  void tell(typename Book<Value>::Done done, Result<Value> value) {
    if constexpr (std::is_same_v<Value, Targets>) {
      if (value) value = in_order(std::move(*value));
    }
    io.post([done = std::move(done), value = std::move(value)] { done(value); });
  }

  // -- addresses
  void find_addresses(const std::string& name, Book<Addresses>::Done done) {
    if (name.empty()) return tell<Addresses>(std::move(done), tl::make_unexpected(error_of(ARES_ENOTFOUND, name)));
    if (name == "localhost") return tell<Addresses>(std::move(done), Addresses{"127.0.0.1", "::1"});
    if (!must_ask(addresses, name, std::move(done))) return;
    auto query = std::make_shared<AddressQuery>();
    query->name = name;
    timers.emplace(Steady::now() + options.timeout, [this, query] {
      if (query->worst == ARES_SUCCESS) query->worst = ARES_ETIMEOUT;
      settle(*query);
    });
    if (options.servers.empty()) return find_system_addresses(query);
    const auto carry = [&] { return new Carried<AddressQuery>{this, query}; };
    ares_query(channel, name.c_str(), ns_c_in, ns_t_a, a_answered, carry());
    ares_query(channel, name.c_str(), ns_c_in, ns_t_aaaa, aaaa_answered, carry());
  }

  static void a_answered(void* arg, int status, int, unsigned char* reply, int size) {
    const std::unique_ptr<Carried<AddressQuery>> carried(static_cast<Carried<AddressQuery>*>(arg));
    AddressQuery& query = *carried->query;
    status = take_addresses(query, AF_INET, status, reply, size);
    if (status != ARES_SUCCESS) query.worst = status;  // what A says, says it best
    carried->impl->one_answered(carried->query);
  }

  static void aaaa_answered(void* arg, int status, int, unsigned char* reply, int size) {
    const std::unique_ptr<Carried<AddressQuery>> carried(static_cast<Carried<AddressQuery>*>(arg));
    AddressQuery& query = *carried->query;
    status = take_addresses(query, AF_INET6, status, reply, size);
    if (status != ARES_SUCCESS && query.worst == ARES_SUCCESS) query.worst = status;
    carried->impl->one_answered(carried->query);
  }

  static int take_addresses(AddressQuery& query, int family, int status, const unsigned char* reply, int size) {
    if (status != ARES_SUCCESS) return status;
    AddressAnswer answer = read_addresses(family, reply, size);
    if (answer.addresses.empty()) return answer.status;
    query.ttl_s = std::min(query.ttl_s, answer.ttl_s);
    (family == AF_INET ? query.v4 : query.v6) = std::move(answer.addresses);
    return answer.status;
  }

  static void add_address(AddressQuery& query, int family, const void* address, int ttl_s) {
    char text[INET6_ADDRSTRLEN];
    if (inet_ntop(family, address, text, sizeof text) == nullptr) return;
    (family == AF_INET ? query.v4 : query.v6).emplace_back(text);
    query.ttl_s = std::min(query.ttl_s, ttl_s);
  }

  void one_answered(const std::shared_ptr<AddressQuery>& query) {
    if (--query->open == 0) return settle(*query);
    if (query->v4.empty()) return;
    timers.emplace(Steady::now() + aaaa_patience, [this, query] { settle(*query); });
  }

  void settle(AddressQuery& query) {
    if (std::exchange(query.settled, true)) return;
    Addresses all = std::move(query.v4);
    all.insert(all.end(), query.v6.begin(), query.v6.end());
    if (!all.empty()) return finish<Addresses>(addresses, query.name, std::move(all), seconds(query.ttl_s));
    const int status = query.worst == ARES_SUCCESS ? ARES_ENODATA : query.worst;
    finish<Addresses>(addresses, query.name, tl::make_unexpected(error_of(status, query.name)), failure_time);
  }

  // By the system's configuration, /etc/hosts first.
  void find_system_addresses(const std::shared_ptr<AddressQuery>& query) {
    ares_addrinfo_hints hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_flags = ARES_AI_NOSORT;
    hints.ai_socktype = SOCK_STREAM;
    query->open = 1;
    ares_getaddrinfo(channel, query->name.c_str(), nullptr, &hints, system_answered,
                     new Carried<AddressQuery>{this, query});
  }

  static void system_answered(void* arg, int status, int, ares_addrinfo* info) {
    const std::unique_ptr<Carried<AddressQuery>> carried(static_cast<Carried<AddressQuery>*>(arg));
    if (status != ARES_SUCCESS) carried->query->worst = status;
    for (const auto* node = info == nullptr ? nullptr : info->nodes; node != nullptr; node = node->ai_next) {
      const bool v4 = node->ai_family == AF_INET;
      if (!v4 && node->ai_family != AF_INET6) continue;
      const void* address = v4 ? static_cast<const void*>(&reinterpret_cast<sockaddr_in*>(node->ai_addr)->sin_addr)
                               : &reinterpret_cast<sockaddr_in6*>(node->ai_addr)->sin6_addr;
      add_address(*carried->query, node->ai_family, address, node->ai_ttl);
    }
    if (info != nullptr) ares_freeaddrinfo(info);
    carried->impl->one_answered(carried->query);
  }

  // -- SRV
  void find_services(const std::string& name, Book<Targets>::Done done) {
    if (!must_ask(services, name, std::move(done))) return;
    auto query = std::make_shared<SrvQuery>();
    query->name = name;
    timers.emplace(Steady::now() + options.timeout, [this, query] {
      settle(*query, tl::make_unexpected(error_of(ARES_ETIMEOUT, query->name)), failure_time);
    });
    ares_query(channel, name.c_str(), ns_c_in, ns_t_srv, srv_answered, new Carried<SrvQuery>{this, query});
  }

  static void srv_answered(void* arg, int status, int, unsigned char* reply, int size) {
    const std::unique_ptr<Carried<SrvQuery>> carried(static_cast<Carried<SrvQuery>*>(arg));
    SrvQuery& query = *carried->query;
    ServiceAnswer answer;
    answer.status = status;
    if (status == ARES_SUCCESS) answer = read_services(reply, size);
    if (answer.status == ARES_SUCCESS) {
      carried->impl->settle(query, std::move(answer.targets), seconds(answer.ttl_s));
    } else if (answer.status == ARES_ENOTFOUND || answer.status == ARES_ENODATA) {
      carried->impl->settle(query, Targets{}, failure_time);
    } else {
      carried->impl->settle(query, tl::make_unexpected(error_of(answer.status, query.name)), failure_time);
    }
  }

  void settle(SrvQuery& query, const Result<Targets>& result, seconds time) {
    if (!std::exchange(query.settled, true)) finish(services, query.name, result, time);
  }

  // -- the end
  void stop() {
    if (thread.joinable()) {
      {
        std::scoped_lock lock(mutex);
        stopping = true;
      }
      wake();
      thread.join();
      for (auto& task : commands) task();  // those who came last wait as well
    }
    cancel(addresses);
    cancel(services);
    if (channel != nullptr) ares_destroy(channel);  // ends the queries, for which nobody waits any more
    if (wake_fd >= 0) close(wake_fd);
  }

  template <class Value>
  static void cancel(Book<Value>& book) {
    auto waiting = std::exchange(book.waiting, {});
    for (auto& [name, all] : waiting) {
      for (auto& done : all) done(fail(ErrorCode::cancelled, "shutting down"));
    }
  }
};

Resolver::Resolver(Io& io, ResolverOptions options) : impl_(std::make_shared<Impl>(io, std::move(options))) {
  static const int library = ares_library_init(ARES_LIB_INIT_ALL);
  (void)library;
  if (auto opened = impl_->open(); !opened) log::error("dns", opened.error().text);
}

Resolver::~Resolver() { impl_->stop(); }

void Resolver::resolve_addresses(const std::string& host, std::function<void(Result<std::vector<std::string>>)> done) {
  if (!impl_->thread.joinable()) return done(fail(ErrorCode::unreachable, "DNS is not configured"));
  impl_->command([impl = impl_.get(), host = lower_case(host), done = std::move(done)]() mutable {
    impl->find_addresses(host, std::move(done));
  });
}

void Resolver::resolve_srv(const std::string& name, std::function<void(Result<std::vector<SrvTarget>>)> done) {
  if (!impl_->thread.joinable()) return done(fail(ErrorCode::unreachable, "DNS is not configured"));
  impl_->command([impl = impl_.get(), name = lower_case(name), done = std::move(done)]() mutable {
    impl->find_services(name, std::move(done));
  });
}

}  // namespace skerry::net
