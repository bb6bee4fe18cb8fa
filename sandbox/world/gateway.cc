#include "sandbox/world/gateway.h"

#include <mutex>

#include "sandbox/world/dns_message.h"

namespace skerry::sandbox {

namespace {

// From the last look at what is known of a name to an open connection.
constexpr std::chrono::milliseconds connecting{500};

}  // namespace

// Who speaks, by the address that a connection comes from: the servers bind theirs. Thread-safe.
struct Gateway::Parties {
  std::string at(const std::string& address) {
    std::scoped_lock lock(mutex);
    const auto found = names.find(address);
    return found == names.end() ? clients_party : found->second;
  }

  std::mutex mutex;
  std::map<std::string, std::string> names;
};

Gateway::Gateway(net::Io& io, std::shared_ptr<const FaultBoard> faults, const Folder& folder)
    : io_(io),
      faults_(std::move(faults)),
      stand_ins_(std::make_shared<StandIns>(io, folder)),
      parties_(std::make_shared<Parties>()) {}

Result<void> Gateway::add(const ServerPlan& server, const Ports& ports) {
  {
    std::scoped_lock lock(parties_->mutex);
    parties_->names[server.own] = server.name;
  }
  servers_[server.name] = server;
  for (const std::uint16_t port : {ports.federation, ports.client, ports.https}) {
    const auto policy = [faults = faults_, stand_ins = std::weak_ptr(stand_ins_), parties = parties_,
                         name = server.name, tls = port != ports.client](const std::string& source) {
      LinkVerdict verdict = faults->judge_connection(parties->at(source), name);
      const auto ready = verdict.stand_in ? stand_ins.lock() : nullptr;
      if (ready) verdict.rules.instead = ready->place(name, *verdict.stand_in, tls);
      return std::move(verdict.rules);
    };
    auto relay = net::TcpRelay::start(io_, server.gateway, port, server.own, port, policy);
    if (!relay) return tl::make_unexpected(relay.error());
    relays_[server.name].push_back(std::move(*relay));
  }
  return {};
}

Result<void> Gateway::prepare(const Fault& fault) {
  const auto server = servers_.find(fault.to);
  if (fault.kind != FaultKind::link || server == servers_.end()) return {};
  if (fault.link.mode < LinkMode::http) return {};
  return stand_ins_->prepare(server->second, fault.link);
}

void Gateway::reconsider() {
  for (auto& [name, relays] : relays_) {
    for (auto& relay : relays) relay->reconsider();
  }
}

void Gateway::name_changed(const std::string& server) {
  const auto found = relays_.find(server);
  if (found == relays_.end()) return;
  const std::vector<std::weak_ptr<net::TcpRelay>> relays(found->second.begin(), found->second.end());
  const auto reset = [relays, parties = parties_] {
    for (const auto& each : relays) {
      const auto relay = each.lock();
      if (relay) relay->reset_open([&](const std::string& source) { return parties->at(source) != clients_party; });
    }
  };
  reset();
  second_resets_[server] = io_.after(dns_lifetime + connecting, reset);
}

void Gateway::name_restored(const std::string& server) { second_resets_.erase(server); }

}  // namespace skerry::sandbox
