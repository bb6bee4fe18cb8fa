#include <algorithm>
#include <arpa/inet.h>
#include <cstdint>
#include <limits>
#include <netdb.h>
#include <random>

#include <ares.h>

#include "net/dns_impl.h"

namespace skerry::net {

namespace {

constexpr int max_records = 64;
constexpr std::size_t nowhere = std::numeric_limits<std::size_t>::max();

std::uint32_t number(const unsigned char* bytes, int count) {
  std::uint32_t value = 0;
  for (int i = 0; i < count; ++i) value = value << 8 | bytes[i];
  return value;
}

// Where the name at `at` ends (RFC 1035, 4.1.4), or nowhere.
std::size_t after_name(const unsigned char* message, std::size_t size, std::size_t at) {
  while (at < size) {
    const unsigned char label = message[at];
    if (label == 0) return at + 1;
    if ((label & 0xC0) == 0xC0) return at + 2;
    if ((label & 0xC0) != 0) return nowhere;
    at += label + std::size_t{1};
  }
  return nowhere;
}

}  // namespace

int smallest_ttl_s(const unsigned char* message, std::size_t size) {
  constexpr std::size_t header = 12, after_question_name = 4, record_head = 10;
  if (size < header) return 0;
  std::size_t at = header;
  for (std::uint32_t left = number(message + 4, 2); left > 0; --left) {
    at = after_name(message, size, at);
    if (at > size || size - at < after_question_name) return 0;
    at += after_question_name;
  }
  int smallest = 0;
  for (std::uint32_t left = number(message + 6, 2); left > 0; --left) {
    at = after_name(message, size, at);
    if (at > size || size - at < record_head) return 0;
    const std::uint32_t ttl = number(message + at + 4, 4);
    if (ttl > std::numeric_limits<std::int32_t>::max()) return 0;  // RFC 2181, section 8
    smallest = smallest == 0 ? static_cast<int>(ttl) : std::min(smallest, static_cast<int>(ttl));
    if (smallest == 0) return 0;
    at += record_head + number(message + at + 8, 2);
  }
  return smallest;
}

namespace {

void add_address(AddressAnswer& answer, int family, const void* address, int ttl_s) {
  char text[INET6_ADDRSTRLEN];
  if (inet_ntop(family, address, text, sizeof text) == nullptr) return;
  answer.ttl_s = answer.addresses.empty() ? ttl_s : std::min(answer.ttl_s, ttl_s);
  answer.addresses.emplace_back(text);
}

}  // namespace

AddressAnswer read_addresses(int family, const unsigned char* message, int size) {
  AddressAnswer answer;
  int count = max_records;
  if (family == AF_INET) {
    ares_addrttl records[max_records];
    answer.status = ares_parse_a_reply(message, size, nullptr, records, &count);
    for (int i = 0; i < count && answer.status == ARES_SUCCESS; ++i) {
      add_address(answer, family, &records[i].ipaddr, records[i].ttl);
    }
  } else {
    ares_addr6ttl records[max_records];
    answer.status = ares_parse_aaaa_reply(message, size, nullptr, records, &count);
    for (int i = 0; i < count && answer.status == ARES_SUCCESS; ++i) {
      add_address(answer, family, &records[i].ip6addr, records[i].ttl);
    }
  }
  return answer;
}

ServiceAnswer read_services(const unsigned char* message, int size) {
  ServiceAnswer answer;
  ares_srv_reply* records = nullptr;
  answer.status = ares_parse_srv_reply(message, size, &records);
  for (const auto* record = records; record != nullptr && answer.targets.size() < max_records; record = record->next) {
    const std::string host = record->host;
    answer.targets.push_back({host == "." ? "" : host, record->port, record->priority, record->weight});
  }
  if (records != nullptr) ares_free_data(records);
  const auto is_none = [](const SrvTarget& target) { return target.host.empty(); };
  if (!std::all_of(answer.targets.begin(), answer.targets.end(), is_none)) std::erase_if(answer.targets, is_none);
  if (answer.status == ARES_SUCCESS) answer.ttl_s = smallest_ttl_s(message, static_cast<std::size_t>(size));
  return answer;
}

std::vector<SrvTarget> in_order(std::vector<SrvTarget> targets) {
  static thread_local std::mt19937 chance{std::random_device{}()};
  // Those of weight 0 come first among equals, so that they have a small chance at all.
  std::stable_sort(targets.begin(), targets.end(), [](const SrvTarget& a, const SrvTarget& b) {
    return a.priority != b.priority ? a.priority < b.priority : a.weight == 0 && b.weight != 0;
  });
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

}  // namespace skerry::net
