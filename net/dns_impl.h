// Parts of the resolver that need no network. Not for other folders.
#pragma once

#include <chrono>
#include <cstddef>
#include <list>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/result.h"
#include "net/resolver.h"

namespace skerry::net {

// The smallest TTL among a DNS answer's records, in seconds; 0 when the message is malformed or answers nothing.
int smallest_ttl_s(const unsigned char* message, std::size_t size);

// What an answer says. `status` is c-ares's; nothing was found unless it is ARES_SUCCESS.
struct AddressAnswer {
  int status = 0;
  std::vector<std::string> addresses;
  int ttl_s = 0;  // the smallest
};
struct ServiceAnswer {
  int status = 0;
  std::vector<SrvTarget> targets;  // one without a host only when all are: the service is decidedly not there
  int ttl_s = 0;
};
// `family`: AF_INET for an answer to A, AF_INET6 for one to AAAA. Bounded in the number of records.
AddressAnswer read_addresses(int family, const unsigned char* message, int size);
ServiceAnswer read_services(const unsigned char* message, int size);

// RFC 2782: by priority; within one, by weighted chance.
std::vector<SrvTarget> in_order(std::vector<SrvTarget> targets);

// A bounded cache; what came first goes first.
template <class Value>
class DnsCache {
 public:
  using Clock = std::chrono::steady_clock;
  explicit DnsCache(std::size_t most) : most_(most) {}

  const Result<Value>* find(const std::string& name) {
    const auto found = entries_.find(name);
    if (found == entries_.end()) return nullptr;
    if (found->second.expires > Clock::now()) return &found->second.value;
    erase(found);
    return nullptr;
  }

  void put(const std::string& name, Result<Value> value, std::chrono::seconds time) {
    if (const auto found = entries_.find(name); found != entries_.end()) erase(found);
    if (time <= std::chrono::seconds(0) || most_ == 0) return;
    if (entries_.size() >= most_) erase(entries_.find(order_.front()));
    order_.push_back(name);
    entries_.emplace(name, Entry{std::move(value), Clock::now() + time, std::prev(order_.end())});
  }

 private:
  struct Entry {
    Result<Value> value;
    Clock::time_point expires;
    std::list<std::string>::iterator place;
  };
  using Entries = std::unordered_map<std::string, Entry>;

  void erase(typename Entries::iterator entry) {
    order_.erase(entry->second.place);
    entries_.erase(entry);
  }

  const std::size_t most_;
  Entries entries_;
  std::list<std::string> order_;
};

}  // namespace skerry::net
