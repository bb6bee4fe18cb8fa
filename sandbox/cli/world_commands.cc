// up, status, down, reset.
#include <chrono>
#include <iostream>

#include <nlohmann/json.hpp>

#include "sandbox/cli/commands.h"
#include "sandbox/cli/table.h"
#include "sandbox/world/bring_up.h"
#include "sandbox/world/files.h"
#include "sandbox/world/interrupt.h"

namespace skerry::sandbox {

namespace {

void print(const SandboxStatus& status, const Folder& folder, bool json) {
  if (json) {
    std::cout << dump(public_json(status)) << "\n";
    return;
  }
  std::cout << server_table(status);
  if (!status.faults.empty()) std::cout << "\nFaults in force:\n" << fault_table(status.faults);
  std::cout << "\nDNS " << status.dns_address << ", authority " << status.ca_file
            << "\nAll of this for programs: " << folder.sandbox_json() << "\n";
}

// What a user has to add to a command to mean this sandbox.
std::string dir_option(const Arguments& args) { return args.dir.empty() ? "" : " --dir " + args.dir; }

}  // namespace

Result<void> up_command(const Arguments& args) {
  catch_interrupts();
  UpOptions options;
  options.folder = choose_folder(args.dir);
  options.servers = args.servers;
  options.traits.direct = args.direct;
  options.appservices = args.appservices;
  // A hash that is hard to reverse guards nothing here, where the passwords themselves are beside it; and a world of
  // hundreds of users would wait for it.
  options.traits.cheap_passwords = true;
  options.traits.real_limits = args.limits == "real";
  const auto began = std::chrono::steady_clock::now();
  const auto sandbox = bring_up(options);
  if (!sandbox) return tl::make_unexpected(sandbox.error());
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
  print(sandbox->status, options.folder, args.json);
  if (args.json) return {};
  std::cout << "\n"
            << (sandbox->found ? "The sandbox was up already" : "Up in " + seconds_text(took)) << ". Chat:  skerry chat"
            << dir_option(args) << " alice@" << sandbox->status.servers.front().name << "   Stop:  skerry down"
            << dir_option(args) << "\n";
  return {};
}

Result<void> status_command(const Arguments& args) {
  const Folder folder = choose_folder(args.dir);
  auto controller = Controller::connect(folder);
  const auto status = controller ? controller->status() : last_status(folder);
  if (!status) return tl::make_unexpected(status.error());
  print(*status, folder, args.json);
  if (!controller && !args.json) std::cout << "\nThe sandbox is down. Start it:  skerry up" << dir_option(args) << "\n";
  return {};
}

Result<void> down_command(const Arguments& args) {
  const Folder folder = choose_folder(args.dir);
  auto controller = Controller::connect(folder);
  if (!controller) {
    std::cout << "Nothing to stop: " << controller.error().text << "\n";
    return {};
  }
  if (auto ended = controller->down(); !ended) return ended;
  std::cout << "The sandbox is down; its data stays in " << folder.path << "\n";
  return {};
}

Result<void> reset_command(const Arguments& args) {
  const Folder folder = choose_folder(args.dir);
  if (auto controller = Controller::connect(folder)) {
    if (auto ended = controller->down(); !ended) return ended;
  }
  if (auto removed = remove_contents(folder); !removed) return removed;
  std::cout << "The sandbox in " << folder.path << " is gone, with its data\n";
  return {};
}

}  // namespace skerry::sandbox
