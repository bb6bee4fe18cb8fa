#include "sandbox/world/gateway.h"

namespace skerry::sandbox {

Result<std::unique_ptr<Gateway>> Gateway::start(net::Io& io, const Plan& plan) {
  auto gateway = std::make_unique<Gateway>();
  for (const ServerPlan& server : plan.servers) {
    if (auto added = gateway->add(io, plan, server); !added) return tl::make_unexpected(added.error());
  }
  return gateway;
}

Result<void> Gateway::add(net::Io& io, const Plan& plan, const ServerPlan& server) {
  std::vector<std::unique_ptr<net::TcpRelay>> relays;
  for (const std::uint16_t port : {plan.ports.federation, plan.ports.client, plan.ports.https}) {
    auto relay = net::TcpRelay::start(io, server.gateway, port, server.own, port);
    if (!relay) return tl::make_unexpected(relay.error());
    relays.push_back(std::move(*relay));
  }
  own_addresses_[server.name] = server.own;
  relays_[server.name] = std::move(relays);
  return {};
}

void Gateway::set_blocked(const std::string& server, bool blocked) {
  const std::string& address = own_addresses_.at(server);
  for (auto& [name, relays] : relays_) {
    for (auto& relay : relays) {
      if (name == server) {
        relay->set_cut(blocked);
      } else {
        relay->set_cut_source(address, blocked);
      }
    }
  }
}

}  // namespace skerry::sandbox
