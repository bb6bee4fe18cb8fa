#include "net/resolver.h"

#include <algorithm>
#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <atomic>
#include <deque>
#include <list>
#include <map>
#include <mutex>
#include <netdb.h>
#include <poll.h>
#include <random>
#include <sys/eventfd.h>
#include <thread>
#include <unistd.h>
#include <unordered_map>

#include <ares.h>

#include "net/log.h"

namespace skerry::net {

namespace {

using Steady = std::chrono::steady_clock;
using Addresses = std::vector<std::string>;
using AddressesDone = std::function<void(Result<Addresses>)>;
using Targets = std::vector<SrvTarget>;
using TargetsDone = std::function<void(Result<Targets>)>;

constexpr std::chrono::seconds failure_time{5};  // how long a failure is believed
constexpr std::chrono::seconds longest_time{3'600};
constexpr std::chrono::seconds srv_time{5};  // c-ares 1.18 does not tell the TTL of SRV records
constexpr int max_records = 64;

Error error_of(int status, const std::string& name) {
  if (status == ARES_ETIMEOUT) return {ErrorCode::timeout, "no DNS answer in time for " + name};
  if (status == ARES_EDESTRUCTION || status == ARES_ECANCELLED) return {ErrorCode::cancelled, "shutting down"};
  if (status == ARES_ENOTFOUND || status == ARES_ENODATA) return {ErrorCode::unreachable, "no such name: " + name};
  return {ErrorCode::unreachable, "DNS for " + name + ": " + ares_strerror(status)};
}

// A bounded cache; what is oldest goes first.
template <class Value>
class Cache {
 public:
  explicit Cache(std::size_t most) : most_(most) {}

  const Result<Value>* find(const std::string& key) {
    auto found = entries_.find(key);
    if (found == entries_.end()) return nullptr;
    if (found->second.expires <= Steady::now()) {
      erase(found);
      return nullptr;
    }
    return &found->second.value;
  }

  void put(const std::string& key, Result<Value> value, std::chrono::seconds time) {
    if (auto found = entries_.find(key); found != entries_.end()) erase(found);
    if (entries_.size() >= most_ && !order_.empty()) erase(entries_.find(order_.front()));
    order_.push_back(key);
    entries_.emplace(key, Entry{std::move(value), Steady::now() + time, std::prev(order_.end())});
  }

 private:
  struct Entry {
    Result<Value> value;
    Steady::time_point expires;
    std::list<std::string>::iterator place;
  };
  void erase(typename std::unordered_map<std::string, Entry>::iterator entry) {
    order_.erase(entry->second.place);
    entries_.erase(entry);
  }
  const std::size_t most_;
  std::unordered_map<std::string, Entry> entries_;
  std::list<std::string> order_;
};

// RFC 2782: by priority; within one, by weighted chance.
Targets in_order(Targets targets) {
  static thread_local std::mt19937 chance{std::random_device{}()};
  std::stable_sort(targets.begin(), targets.end(),
                   [](const auto& a, const auto& b) { return a.priority < b.priority; });
  for (auto group = targets.begin(); group != targets.end();) {
    const auto end = std::find_if(group, targets.end(), [&](const auto& t) { return t.priority != group->priority; });
    for (; group != end; ++group) {
      std::uint64_t total = 0;
      for (auto it = group; it != end; ++it) total += it->weight;
      auto pick = std::uniform_int_distribution<std::uint64_t>(0, total)(chance);
      auto chosen = group;
      while (std::next(chosen) != end && pick > chosen->weight) {
        pick -= chosen->weight;
        ++chosen;
      }
      std::rotate(group, chosen, std::next(chosen));
    }
  }
  return targets;
}

}  // namespace

// One thread runs c-ares; everything but `commands` belongs to it.
struct Resolver::Impl {
  Impl(Io& carrier, ResolverOptions resolver_options)
      : io(carrier),
        options(std::move(resolver_options)),
        address_cache(options.cache_entries),
        srv_cache(options.cache_entries) {}

  Io& io;
  const ResolverOptions options;
  ares_channel channel = nullptr;
  int wake_fd = -1;
  std::thread thread;
  std::mutex mutex;
  std::deque<std::function<void()>> commands;  // guarded by mutex
  bool stopping = false;                       // guarded by mutex

  Cache<Addresses> address_cache;
  Cache<Targets> srv_cache;
  std::unordered_map<std::string, std::vector<AddressesDone>> address_waiters;
  std::unordered_map<std::string, std::vector<TargetsDone>> srv_waiters;

  struct AddressQuery {
    Impl* impl;
    std::string name;
    int open = 2;  // A and AAAA
    Addresses v4, v6;
    int ttl_s = 3'600;
    int worst = ARES_SUCCESS;  // what to say when neither has an address
  };
  struct SrvQuery {
    Impl* impl;
    std::string name;
  };

  Result<void> open() {
    ares_options settings{};
    int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_LOOKUPS;
    settings.flags = ARES_FLAG_NOSEARCH;  // full names only
    settings.tries = 2;
    settings.timeout = static_cast<int>(options.timeout.count()) / settings.tries;
    std::string lookups = options.servers.empty() ? "fb" : "b";
    settings.lookups = lookups.data();
    const int status = ares_init_options(&channel, &settings, mask);
    if (status != ARES_SUCCESS) return fail(ErrorCode::internal, std::string("DNS: ") + ares_strerror(status));
    if (!options.servers.empty()) {
      std::string list;
      for (const std::string& server : options.servers) list += (list.empty() ? "" : ",") + server;
      const int set = ares_set_servers_ports_csv(channel, list.c_str());
      if (set != ARES_SUCCESS) return fail(ErrorCode::invalid_param, "not a list of DNS servers: " + list);
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
    const std::uint64_t one = 1;
    (void)!write(wake_fd, &one, sizeof one);
  }

  void run() {
    for (;;) {
      std::deque<std::function<void()>> due;
      bool last = false;
      {
        std::scoped_lock lock(mutex);
        due.swap(commands);
        last = stopping;
      }
      for (auto& task : due) task();
      if (last) break;
      wait_and_process();
    }
    ares_cancel(channel);  // every open query is answered: cancelled
  }

  void wait_and_process() {
    ares_socket_t sockets[ARES_GETSOCK_MAXNUM];
    const int wanted = ares_getsock(channel, sockets, ARES_GETSOCK_MAXNUM);
    std::vector<pollfd> fds{{wake_fd, POLLIN, 0}};
    for (int i = 0; i < ARES_GETSOCK_MAXNUM; ++i) {
      short events = 0;
      if (ARES_GETSOCK_READABLE(wanted, i)) events |= POLLIN;
      if (ARES_GETSOCK_WRITABLE(wanted, i)) events |= POLLOUT;
      if (events != 0) fds.push_back({sockets[i], events, 0});
    }
    timeval buffer{};
    timeval longest{60, 0};
    const timeval* wait = ares_timeout(channel, &longest, &buffer);
    const auto wait_ms = static_cast<int>(wait->tv_sec * 1'000 + wait->tv_usec / 1'000 + 1);
    poll(fds.data(), fds.size(), wait_ms);
    if ((fds[0].revents & POLLIN) != 0) {
      std::uint64_t count = 0;
      (void)!read(wake_fd, &count, sizeof count);
    }
    bool processed = false;
    for (std::size_t i = 1; i < fds.size(); ++i) {
      if (fds[i].revents == 0) continue;
      const bool readable = (fds[i].revents & (POLLIN | POLLERR | POLLHUP)) != 0;
      const bool writable = (fds[i].revents & POLLOUT) != 0;
      ares_process_fd(channel, readable ? fds[i].fd : ARES_SOCKET_BAD, writable ? fds[i].fd : ARES_SOCKET_BAD);
      processed = true;
    }
    if (!processed) ares_process_fd(channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);  // time-outs
  }

  // -- addresses
  void addresses(const std::string& name, AddressesDone done) {
    if (name == "localhost") return io.post([done = std::move(done)] { done(Addresses{"127.0.0.1", "::1"}); });
    if (const auto* cached = address_cache.find(name))
      return io.post([done = std::move(done), value = *cached] { done(value); });
    auto& waiters = address_waiters[name];
    waiters.push_back(std::move(done));
    if (waiters.size() > 1) return;
    if (options.servers.empty()) return system_addresses(name);
    auto* query = new AddressQuery{this, name, 2, {}, {}, 3'600, ARES_SUCCESS};
    ares_query(
        channel, name.c_str(), ns_c_in, ns_t_a,
        [](void* arg, int status, int, unsigned char* reply, int size) {
          static_cast<AddressQuery*>(arg)->impl->a_answered(static_cast<AddressQuery*>(arg), status, reply, size);
        },
        query);
    ares_query(
        channel, name.c_str(), ns_c_in, ns_t_aaaa,
        [](void* arg, int status, int, unsigned char* reply, int size) {
          static_cast<AddressQuery*>(arg)->impl->aaaa_answered(static_cast<AddressQuery*>(arg), status, reply, size);
        },
        query);
  }

  void a_answered(AddressQuery* query, int status, const unsigned char* reply, int size) {
    ares_addrttl records[max_records];
    int count = max_records;
    if (status == ARES_SUCCESS) status = ares_parse_a_reply(reply, size, nullptr, records, &count);
    if (status == ARES_SUCCESS) {
      for (int i = 0; i < count; ++i) {
        char text[INET_ADDRSTRLEN];
        if (inet_ntop(AF_INET, &records[i].ipaddr, text, sizeof text) != nullptr) query->v4.emplace_back(text);
        query->ttl_s = std::min(query->ttl_s, records[i].ttl);
      }
    } else {
      query->worst = status;  // what A says, says it best
    }
    one_answered(query);
  }

  void aaaa_answered(AddressQuery* query, int status, const unsigned char* reply, int size) {
    ares_addr6ttl records[max_records];
    int count = max_records;
    if (status == ARES_SUCCESS) status = ares_parse_aaaa_reply(reply, size, nullptr, records, &count);
    if (status == ARES_SUCCESS) {
      for (int i = 0; i < count; ++i) {
        char text[INET6_ADDRSTRLEN];
        if (inet_ntop(AF_INET6, &records[i].ip6addr, text, sizeof text) != nullptr) query->v6.emplace_back(text);
        query->ttl_s = std::min(query->ttl_s, records[i].ttl);
      }
    } else if (query->worst == ARES_SUCCESS) {
      query->worst = status;
    }
    one_answered(query);
  }

  void one_answered(AddressQuery* query) {
    if (--query->open > 0) return;
    Addresses all = std::move(query->v4);
    all.insert(all.end(), query->v6.begin(), query->v6.end());
    if (all.empty()) {
      finish_addresses(
          query->name,
          tl::make_unexpected(error_of(query->worst == ARES_SUCCESS ? ARES_ENODATA : query->worst, query->name)),
          failure_time);
    } else {
      finish_addresses(query->name, std::move(all), std::chrono::seconds(query->ttl_s));
    }
    delete query;
  }

  // By the system's configuration, /etc/hosts first.
  void system_addresses(const std::string& name) {
    ares_addrinfo_hints hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_flags = ARES_AI_NOSORT;
    hints.ai_socktype = SOCK_STREAM;
    auto* query = new AddressQuery{this, name, 1, {}, {}, 3'600, ARES_SUCCESS};
    ares_getaddrinfo(
        channel, name.c_str(), nullptr, &hints,
        [](void* arg, int status, int, ares_addrinfo* info) {
          auto* asked = static_cast<AddressQuery*>(arg);
          asked->worst = status;
          for (const ares_addrinfo_node* node = status == ARES_SUCCESS ? info->nodes : nullptr; node != nullptr;
               node = node->ai_next) {
            char text[INET6_ADDRSTRLEN];
            const void* address =
                node->ai_family == AF_INET
                    ? static_cast<const void*>(&reinterpret_cast<const sockaddr_in*>(node->ai_addr)->sin_addr)
                    : static_cast<const void*>(&reinterpret_cast<const sockaddr_in6*>(node->ai_addr)->sin6_addr);
            if (inet_ntop(node->ai_family, address, text, sizeof text) == nullptr) continue;
            (node->ai_family == AF_INET ? asked->v4 : asked->v6).emplace_back(text);
            asked->ttl_s = std::min(asked->ttl_s, node->ai_ttl);
          }
          if (info != nullptr) ares_freeaddrinfo(info);
          asked->impl->one_answered(asked);
        },
        query);
  }

  void finish_addresses(const std::string& name, Result<Addresses> result, std::chrono::seconds time) {
    const bool cancelled = !result && result.error().code == ErrorCode::cancelled;
    if (!cancelled) address_cache.put(name, result, std::clamp(time, std::chrono::seconds(0), longest_time));
    auto waiting = address_waiters.extract(name);
    if (waiting.empty()) return;
    for (auto& done : waiting.mapped()) tell(std::move(done), result, cancelled);
  }

  // -- SRV
  void srv(const std::string& name, TargetsDone done) {
    if (const auto* cached = srv_cache.find(name)) {
      Result<Targets> value = *cached;
      if (value) value = in_order(std::move(*value));
      return io.post([done = std::move(done), value = std::move(value)] { done(value); });
    }
    auto& waiters = srv_waiters[name];
    waiters.push_back(std::move(done));
    if (waiters.size() > 1) return;
    auto* query = new SrvQuery{this, name};
    ares_query(
        channel, name.c_str(), ns_c_in, ns_t_srv,
        [](void* arg, int status, int, unsigned char* reply, int size) {
          auto* asked = static_cast<SrvQuery*>(arg);
          asked->impl->srv_answered(asked->name, status, reply, size);
          delete asked;
        },
        query);
  }

  void srv_answered(const std::string& name, int status, const unsigned char* reply, int size) {
    Targets targets;
    ares_srv_reply* records = nullptr;
    if (status == ARES_SUCCESS) status = ares_parse_srv_reply(reply, size, &records);
    for (const ares_srv_reply* record = records; record != nullptr && targets.size() < max_records;
         record = record->next) {
      targets.push_back({record->host, record->port, record->priority, record->weight});
    }
    if (records != nullptr) ares_free_data(records);
    Result<Targets> result = std::move(targets);
    if (status != ARES_SUCCESS && status != ARES_ENOTFOUND && status != ARES_ENODATA)
      result = tl::make_unexpected(error_of(status, name));
    const bool cancelled = !result && result.error().code == ErrorCode::cancelled;
    if (!cancelled) srv_cache.put(name, result, srv_time);
    if (result) result = in_order(std::move(*result));
    auto waiting = srv_waiters.extract(name);
    if (waiting.empty()) return;
    for (auto& done : waiting.mapped()) tell(std::move(done), result, cancelled);
  }

  // On an Io thread; at the end of the resolver on the spot, since Io may stop as well.
  template <class Done, class Value>
  void tell(Done done, const Value& value, bool now) {
    if (now) return done(value);
    io.post([done = std::move(done), value] { done(value); });
  }

  void stop() {
    {
      std::scoped_lock lock(mutex);
      stopping = true;
    }
    command([] {});
    if (thread.joinable()) thread.join();
    if (channel != nullptr) ares_destroy(channel);
    if (wake_fd >= 0) close(wake_fd);
    const Error over{ErrorCode::cancelled, "shutting down"};
    for (auto& [name, waiters] : address_waiters) {
      for (auto& done : waiters) done(tl::make_unexpected(over));
    }
    for (auto& [name, waiters] : srv_waiters) {
      for (auto& done : waiters) done(tl::make_unexpected(over));
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
  impl_->command(
      [impl = impl_.get(), host, done = std::move(done)]() mutable { impl->addresses(host, std::move(done)); });
}

void Resolver::resolve_srv(const std::string& name, std::function<void(Result<std::vector<SrvTarget>>)> done) {
  if (!impl_->thread.joinable()) return done(fail(ErrorCode::unreachable, "DNS is not configured"));
  impl_->command([impl = impl_.get(), name, done = std::move(done)]() mutable { impl->srv(name, std::move(done)); });
}

}  // namespace skerry::net
