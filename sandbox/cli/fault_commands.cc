// link, partition, clock, backoff, dns, faults, heal.
#include <iostream>
#include <utility>

#include <nlohmann/json.hpp>

#include "sandbox/cli/commands.h"
#include "sandbox/cli/table.h"
#include "sandbox/world/controller.h"

namespace skerry::sandbox {

namespace {

Result<void> print_faults(Controller& controller, bool json) {
  const auto faults = controller.faults();
  if (!faults) return tl::make_unexpected(faults.error());
  if (json) {
    std::cout << dump({{"faults", faults_json(*faults)}}) << "\n";
  } else {
    std::cout << (faults->empty() ? "No faults are in force.\n" : fault_table(*faults));
  }
  return {};
}

// Does something about the faults, and shows which are in force then.
template <class Change>
Result<void> change_faults(const Arguments& args, const Change& change) {
  auto controller = Controller::connect(choose_folder(args.dir));
  if (!controller) return tl::make_unexpected(controller.error());
  if (auto done = change(*controller); !done) return done;
  return print_faults(*controller, args.json);
}

// However the shell split it: a,b / c,d and a,b/c,d and a, b / c are the same in kind.
std::vector<std::vector<std::string>> groups_of(const std::vector<std::string>& words) {
  std::vector<std::vector<std::string>> groups(1);
  for (const std::string& word : words) {
    std::string name;
    for (const char c : word + ",") {
      if (c != ',' && c != '/') {
        name += c;
        continue;
      }
      if (!name.empty()) groups.back().push_back(std::exchange(name, {}));
      if (c == '/') groups.emplace_back();
    }
  }
  return groups;
}

}  // namespace

Result<void> link_command(const Arguments& args) {
  return change_faults(
      args, [&](Controller& controller) { return controller.link(args.from, args.to, args.one_way, args.link); });
}

Result<void> partition_command(const Arguments& args) {
  return change_faults(args, [&](Controller& controller) { return controller.partition(groups_of(args.group_words)); });
}

Result<void> clock_command(const Arguments& args) {
  const auto offset_ms = parse_duration_ms(args.duration);
  if (!offset_ms) return tl::make_unexpected(offset_ms.error());
  Fault fault;
  fault.kind = FaultKind::clock;
  fault.server = args.name;
  fault.offset_ms = *offset_ms;
  return change_faults(args, [&](Controller& controller) { return controller.put({fault}); });
}

Result<void> backoff_command(const Arguments& args) {
  const auto max_ms = parse_duration_ms(args.duration);
  if (!max_ms) return tl::make_unexpected(max_ms.error());
  Fault fault;
  fault.kind = FaultKind::backoff;
  fault.max_ms = *max_ms;
  return change_faults(args, [&](Controller& controller) { return controller.put({fault}); });
}

Result<void> dns_command(const Arguments& args) {
  Fault fault;
  fault.kind = FaultKind::dns;
  fault.server = args.name;
  fault.answer = args.dns_answer;
  return change_faults(args, [&](Controller& controller) { return controller.put({fault}); });
}

Result<void> faults_command(const Arguments& args) {
  return change_faults(args, [](Controller&) { return Result<void>(); });
}

Result<void> heal_command(const Arguments& args) {
  std::vector<FaultKind> kinds;
  for (const std::string& name : args.names) {
    const auto kind = parse_fault_kind(name);
    if (!kind) return tl::make_unexpected(kind.error());
    kinds.push_back(*kind);
  }
  return change_faults(args, [&](Controller& controller) -> Result<void> {
    if (kinds.empty()) return controller.heal();
    for (const FaultKind kind : kinds) {
      if (auto healed = controller.heal(kind); !healed) return healed;
    }
    return {};
  });
}

}  // namespace skerry::sandbox
