#include "sandbox/world/fault_board.h"

#include <algorithm>
#include <arpa/inet.h>

namespace skerry::sandbox {

namespace {

constexpr std::uint64_t bytes_per_kbit = 125;

// The group of a party in a partition; nothing when the partition does not concern it.
std::optional<std::size_t> group_of(const Fault& partition, const std::string& party) {
  std::optional<std::size_t> others;
  for (std::size_t i = 0; i < partition.groups.size(); ++i) {
    for (const std::string& member : partition.groups[i]) {
      if (member == party) return i;
      if (member == others_party) others = i;
    }
  }
  return others;
}

bool separates(const Fault& fault, const std::string& a, const std::string& b) {
  if (fault.kind != FaultKind::partition && fault.kind != FaultKind::block) return false;
  const auto first = group_of(fault, a);
  const auto second = group_of(fault, b);
  return first && second && *first != *second;
}

bool is_nothing(const Fault& fault) {
  if (fault.kind == FaultKind::link) return fault.link.whole();
  if (fault.kind == FaultKind::clock) return fault.offset_ms == 0;
  if (fault.kind == FaultKind::dns) return fault.answer == "right";
  return false;
}

bool concerns_bytes(const LinkSettings& link) {
  return link.mode == LinkMode::stall || link.latency.count() > 0 || link.jitter.count() > 0 || link.rate_kbit > 0;
}

void apply_to_flow(const LinkSettings& link, const std::shared_ptr<net::Tally>& tally, net::FlowRules& flow) {
  flow.stalled = link.mode == LinkMode::stall;
  flow.latency = link.latency;
  flow.jitter = link.jitter;
  flow.bytes_per_second = static_cast<std::uint64_t>(link.rate_kbit) * bytes_per_kbit;
  if (concerns_bytes(link)) flow.tallies.push_back(tally);
}

void apply_mode(const LinkSettings& link, const std::shared_ptr<net::Tally>& tally, LinkVerdict& verdict) {
  using Fate = net::ConnectionRules::Fate;
  switch (link.mode) {
    case LinkMode::up:
    case LinkMode::stall:
      return;
    case LinkMode::down:
      verdict.rules.fate = Fate::refused;
      break;
    case LinkMode::reset:
      if (verdict.rules.fate == Fate::pass) verdict.rules.fate = Fate::reset;
      break;
    case LinkMode::http:
    case LinkMode::expired_cert:
    case LinkMode::wrong_cert:
    case LinkMode::untrusted_cert:
      verdict.stand_in = link;
      break;
  }
  verdict.rules.tallies.push_back(tally);
}

}  // namespace

void FaultBoard::put(Fault fault) {
  std::scoped_lock lock(mutex_);
  const std::string key = fault.key();
  const auto same = [&](const Entry& entry) { return entry.fault.key() == key; };
  const auto there = std::find_if(entries_.begin(), entries_.end(), same);
  if (there != entries_.end()) {
    if (there->fault.same_as(fault)) return;
    entries_.erase(there);
  }
  if (!is_nothing(fault)) entries_.push_back({std::move(fault), std::make_shared<net::Tally>()});
}

bool FaultBoard::remove(const std::string& key) {
  std::scoped_lock lock(mutex_);
  return std::erase_if(entries_, [&](const Entry& entry) { return entry.fault.key() == key; }) > 0;
}

void FaultBoard::clear() {
  std::scoped_lock lock(mutex_);
  entries_.clear();
}

Fault FaultBoard::counted(const Entry& entry) {
  Fault fault = entry.fault;
  fault.hits = entry.tally->connections;
  fault.bytes = entry.tally->bytes;
  return fault;
}

const FaultBoard::Entry* FaultBoard::find_entry(const std::string& key) const {
  const auto found =
      std::find_if(entries_.begin(), entries_.end(), [&](const Entry& entry) { return entry.fault.key() == key; });
  return found == entries_.end() ? nullptr : &*found;
}

std::vector<Fault> FaultBoard::list() const {
  std::vector<Fault> faults;
  std::scoped_lock lock(mutex_);
  for (const Entry& entry : entries_) faults.push_back(counted(entry));
  return faults;
}

std::optional<Fault> FaultBoard::find(const std::string& key) const {
  std::scoped_lock lock(mutex_);
  const Entry* entry = find_entry(key);
  return entry != nullptr ? std::optional(counted(*entry)) : std::nullopt;
}

LinkVerdict FaultBoard::judge_connection(const std::string& from, const std::string& to) const {
  LinkVerdict verdict;
  std::scoped_lock lock(mutex_);
  for (const auto& [fault, tally] : entries_) {
    if (separates(fault, from, to)) {
      verdict.rules.fate = net::ConnectionRules::Fate::refused;
      verdict.rules.tallies.push_back(tally);
    }
    if (fault.kind == FaultKind::freeze && fault.server == to) verdict.rules.to_target.tallies.push_back(tally);
    if (fault.kind != FaultKind::link) continue;
    if (fault.from == from && fault.to == to) {
      apply_mode(fault.link, tally, verdict);
      apply_to_flow(fault.link, tally, verdict.rules.to_target);
    }
    if (fault.from == to && fault.to == from) apply_to_flow(fault.link, tally, verdict.rules.from_target);
  }
  return verdict;
}

bool FaultBoard::reaches(const std::string& from, const std::string& to) const {
  if (find("freeze " + to)) return false;
  const auto [rules, stand_in] = judge_connection(from, to);
  return rules.fate == net::ConnectionRules::Fate::pass && !stand_in && !rules.to_target.stalled &&
         !rules.from_target.stalled;
}

NameVerdict FaultBoard::judge_question(const std::string& server) {
  using Answer = NameVerdict::Answer;
  std::scoped_lock lock(mutex_);
  const Entry* entry = find_entry("dns " + server);
  if (entry == nullptr) return {};
  ++entry->tally->connections;
  const std::string& answer = entry->fault.answer;
  NameVerdict verdict;
  verdict.answer = answer == "nxdomain" ? Answer::no_such_name : answer == "timeout" ? Answer::none : Answer::other;
  if (verdict.answer == Answer::other) ::inet_pton(AF_INET, answer.c_str(), verdict.address.data());
  return verdict;
}

}  // namespace skerry::sandbox
