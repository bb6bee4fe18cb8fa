// add, kill, start, block, unblock, freeze, thaw, logs.
#include <chrono>
#include <fstream>
#include <iostream>
#include <thread>

#include <nlohmann/json.hpp>

#include "sandbox/cli/commands.h"
#include "sandbox/world/bring_up.h"
#include "sandbox/world/files.h"
#include "sandbox/world/interrupt.h"
#include "sandbox/world/names.h"
#include "sandbox/world/synapse.h"

namespace skerry::sandbox {

namespace {

constexpr std::chrono::milliseconds follow_step{100};

// The servers that were meant, by their whole names: all of them are known, or nothing is done.
Result<std::vector<std::string>> whole_names(Controller& controller, const std::vector<std::string>& typed) {
  const auto status = controller.status();
  if (!status) return tl::make_unexpected(status.error());
  std::vector<std::string> names;
  for (const std::string& each : typed) {
    auto name = find_server(status->names(), each);
    if (!name) return tl::make_unexpected(name.error());
    names.push_back(std::move(*name));
  }
  return names;
}

Result<void> for_each_server(const Arguments& args, const std::string& op) {
  const Folder folder = choose_folder(args.dir);
  auto controller = Controller::connect(folder);
  if (!controller) return tl::make_unexpected(controller.error());
  const auto names = whole_names(*controller, args.names);
  if (!names) return tl::make_unexpected(names.error());
  auto status = controller->status();
  if (!status) return tl::make_unexpected(status.error());
  for (const std::string& name : *names) {
    if (op == "start") {
      if (auto there = make_kind_ready(status->server(name).kind, status->server(name).program); !there) return there;
    }
    if (auto done = controller->command(op, name); !done) return done;
  }
  status = controller->status();
  if (!status) return tl::make_unexpected(status.error());
  if (op == "start") {
    std::vector<std::string> reachable;
    for (const std::string& name : *names) {
      if (status->server(name).reachable) reachable.push_back(name);
    }
    catch_interrupts();
    if (auto answering = wait_until_answering(folder, *controller, reachable); !answering) return answering;
    status = controller->status();
    if (!status) return tl::make_unexpected(status.error());
  }
  for (const std::string& name : *names) {
    const ServerStatus& server = status->server(name);
    const std::string state = op == "freeze" ? "frozen" : to_text(server.state);
    if (!args.json) std::cout << name << " is " << state << "\n";
  }
  if (args.json) std::cout << dump(public_json(*status)) << "\n";
  return {};
}

// Until interrupted, or until nobody reads it any more.
void follow(const std::string& file) {
  catch_interrupts();
  std::ifstream stream(file, std::ios::binary | std::ios::ate);
  std::string line;
  while (!interrupted() && std::cout) {
    std::string text{std::istreambuf_iterator<char>(stream), {}};
    stream.clear();
    if (!text.empty()) std::cout << without_controls(std::move(text)) << std::flush;
    std::this_thread::sleep_for(follow_step);
  }
}

}  // namespace

Result<void> add_command(const Arguments& args) {
  catch_interrupts();
  const Folder folder = choose_folder(args.dir);
  const auto kind = parse_server_kind(args.kind);
  if (!kind) return tl::make_unexpected(kind.error());
  auto controller = Controller::connect(folder);
  if (!controller) return tl::make_unexpected(controller.error());
  auto status = controller->status();
  if (!status) return tl::make_unexpected(status.error());
  const auto name = new_server_name(status->names(), args.name);
  if (!name) return tl::make_unexpected(name.error());
  if (auto there = make_kind_ready(*kind, ""); !there) return there;
  if (auto added = controller->add(*name, *kind, synapse_python("")); !added) return added;
  if (!args.json) std::cout << *name << " starts" << std::endl;
  if (auto answering = wait_until_answering(folder, *controller, {*name}); !answering) {
    return fail(answering.error().code, answering.error().text + "\nIt stays added: `skerry start` tries again");
  }
  status = controller->status();
  if (!status) return tl::make_unexpected(status.error());
  if (args.json) {
    std::cout << dump(public_json(*status)) << "\n";
    return {};
  }
  const ServerStatus& server = status->server(*name);
  std::cout << *name << " answers: clients " << server.client_url << ", other servers " << server.federation_address
            << "\n";
  return {};
}

Result<void> kill_command(const Arguments& args) { return for_each_server(args, "kill"); }
Result<void> start_command(const Arguments& args) { return for_each_server(args, "start"); }
Result<void> block_command(const Arguments& args) { return for_each_server(args, "block"); }
Result<void> unblock_command(const Arguments& args) { return for_each_server(args, "unblock"); }
Result<void> freeze_command(const Arguments& args) { return for_each_server(args, "freeze"); }
Result<void> thaw_command(const Arguments& args) { return for_each_server(args, "thaw"); }

Result<void> logs_command(const Arguments& args) {
  const Folder folder = choose_folder(args.dir);
  std::string file = folder.supervisor_log();
  if (args.name != "supervisor") {
    const auto status = last_status(folder);
    if (!status) return tl::make_unexpected(status.error());
    auto known = status->names();
    known.emplace_back("supervisor");
    const auto name = find_server(known, args.name);
    if (!name) return tl::make_unexpected(name.error());
    file = folder.server_log(*name);
  }
  const std::string text = last_lines(file, args.lines);
  if (!text.empty()) std::cout << text << "\n" << std::flush;
  if (args.follow) follow(file);
  return {};
}

}  // namespace skerry::sandbox
