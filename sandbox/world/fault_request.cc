#include "sandbox/world/fault_request.h"

#include <set>

#include <nlohmann/json.hpp>

#include "sandbox/world/names.h"

namespace skerry::sandbox {

namespace {

constexpr std::size_t max_faults = 10'000;

Result<void> resolve(std::string& name, const std::vector<std::string>& servers, bool clients, bool others) {
  if ((clients && name == clients_party) || (others && name == others_party)) return {};
  auto found = find_server(servers, name);
  if (!found) return tl::make_unexpected(found.error());
  name = std::move(*found);
  return {};
}

Result<void> resolve(Fault& fault, const std::vector<std::string>& servers) {
  if (fault.kind == FaultKind::link) {
    if (auto done = resolve(fault.from, servers, true, false); !done) return done;
    if (auto done = resolve(fault.to, servers, true, false); !done) return done;
    if (fault.from == fault.to) return fail(ErrorCode::invalid_param, "a link has two ends: both are " + fault.from);
    return {};
  }
  if (fault.kind != FaultKind::partition && fault.kind != FaultKind::backoff) {
    if (auto done = resolve(fault.server, servers, false, false); !done) return done;
  }
  if (fault.kind == FaultKind::block) fault.groups = {{fault.server}, {others_party}};
  std::set<std::string> seen;
  for (auto& group : fault.groups) {
    for (std::string& name : group) {
      if (auto done = resolve(name, servers, true, true); !done) return done;
      if (!seen.insert(name).second) return fail(ErrorCode::invalid_param, name + " is named twice");
    }
  }
  return {};
}

// Whether what is asked of a link acts on connections, which the one side opens to the other.
bool concerns_connections(const LinkSettings& settings) {
  return settings.mode != LinkMode::up && settings.mode != LinkMode::stall;
}

}  // namespace

Result<std::vector<Fault>> link_faults(const std::string& from, const std::string& to, bool one_way,
                                       const LinkSettings& settings) {
  std::vector<Fault> faults;
  const auto add = [&](const std::string& a, const std::string& b) {
    if (b == clients_party && concerns_connections(settings)) return;
    Fault fault;
    fault.from = a;
    fault.to = b;
    fault.link = settings;
    faults.push_back(std::move(fault));
  };
  add(from, to);
  if (!one_way) add(to, from);
  if (faults.empty()) {
    return fail(ErrorCode::invalid_param, "nobody connects to clients, so that nothing would ever be " +
                                              to_text(settings.mode) + " there; did you mean from clients to " + from +
                                              "?");
  }
  return faults;
}

Result<std::vector<Fault>> parse_fault_request(const Json& request, const std::vector<std::string>& servers) {
  const Json* list = find_array(request, "faults");
  if (list == nullptr || list->size() > max_faults) return fail(ErrorCode::bad_json, "which faults?");
  std::vector<Fault> faults;
  for (const Json& each : *list) {
    auto fault = parse_fault(each);
    if (!fault) return tl::make_unexpected(fault.error());
    if (auto resolved = resolve(*fault, servers); !resolved) return tl::make_unexpected(resolved.error());
    faults.push_back(std::move(*fault));
  }
  return faults;
}

}  // namespace skerry::sandbox
