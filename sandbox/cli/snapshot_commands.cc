// snapshot, restore, snapshots.
#include <chrono>
#include <ctime>
#include <fcntl.h>
#include <iomanip>
#include <iostream>
#include <sstream>
#include <sys/file.h>

#include <nlohmann/json.hpp>

#include "sandbox/cli/commands.h"
#include "sandbox/cli/table.h"
#include "sandbox/world/bring_up.h"
#include "sandbox/world/files.h"
#include "sandbox/world/interrupt.h"
#include "sandbox/world/snapshot.h"
#include "sandbox/world/sockets.h"

namespace skerry::sandbox {

namespace {

using Steady = std::chrono::steady_clock;

// A sandbox that is down and stays down as long as this is held.
Result<Descriptor> hold(const Folder& folder) {
  if (auto status = last_status(folder); !status) return tl::make_unexpected(status.error());
  Descriptor lock(::open(folder.lock_file().c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!lock.open()) return tl::make_unexpected(system_error(folder.lock_file()));
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    return fail(ErrorCode::storage, "the sandbox in " + folder.path + " is just coming up or going down; try again");
  }
  return lock;
}

Result<void> snapshot_when_down(const Folder& folder, const std::string& name, bool replace) {
  const auto lock = hold(folder);
  if (!lock) return tl::make_unexpected(lock.error());
  if (auto finished = finish_restore(folder); !finished) return finished;
  if (auto copied = copy_snapshot(folder, name, replace); !copied) return copied;
  return keep_snapshot(folder, name);
}

Result<void> restore_when_up(const Folder& folder, Controller& controller, const std::string& name) {
  if (auto done = controller.restore(name); !done) return done;
  const auto status = controller.status();
  if (!status) return tl::make_unexpected(status.error());
  std::vector<std::string> reachable;
  for (const ServerStatus& server : status->servers) {
    if (server.state == ServerState::running) reachable.push_back(server.name);
  }
  return wait_until_answering(folder, controller, reachable);
}

std::string date_text(std::int64_t seconds) {
  const std::time_t time = seconds;
  std::tm parts{};
  ::localtime_r(&time, &parts);
  std::ostringstream text;
  text << std::put_time(&parts, "%Y-%m-%d %H:%M:%S");
  return text.str();
}

Json to_json(const Snapshot& snapshot) {
  return {
      {"name", snapshot.name}, {"made_s", snapshot.made_s}, {"servers", snapshot.servers}, {"bytes", snapshot.bytes}};
}

double since(Steady::time_point began) { return std::chrono::duration<double>(Steady::now() - began).count(); }

}  // namespace

Result<void> snapshot_command(const Arguments& args) {
  const Folder folder = choose_folder(args.dir);
  if (auto good = check_snapshot_name(args.snapshot); !good) return good;
  const auto began = Steady::now();
  auto controller = Controller::connect(folder);
  const auto taken = controller ? controller->snapshot(args.snapshot, args.replace)
                                : snapshot_when_down(folder, args.snapshot, args.replace);
  if (!taken) return taken;
  const double took = since(began);
  const auto snapshot = find_snapshot(folder, args.snapshot);
  if (!snapshot) return tl::make_unexpected(snapshot.error());
  if (args.json) {
    std::cout << dump(to_json(*snapshot)) << "\n";
  } else {
    std::cout << "Snapshot " << snapshot->name << ": " << snapshot->servers << " servers, "
              << megabytes_text(snapshot->bytes) << ", in " << seconds_text(std::chrono::duration<double>(took))
              << ". Back to it:  skerry restore " << snapshot->name << (args.dir.empty() ? "" : " --dir " + args.dir)
              << "\n";
  }
  return {};
}

Result<void> restore_command(const Arguments& args) {
  catch_interrupts();
  const Folder folder = choose_folder(args.dir);
  if (auto good = check_snapshot_name(args.snapshot); !good) return good;
  const auto began = Steady::now();
  auto controller = Controller::connect(folder);
  Result<void> done;
  if (controller) {
    done = restore_when_up(folder, *controller, args.snapshot);
  } else {
    const auto lock = hold(folder);
    done = lock ? restore_snapshot(folder, args.snapshot) : tl::make_unexpected(lock.error());
  }
  if (!done) return done;
  if (args.json) {
    const auto status = controller ? controller->status() : last_status(folder);
    if (!status) return tl::make_unexpected(status.error());
    std::cout << dump(public_json(*status)) << "\n";
  } else {
    std::cout << "The sandbox is as it was in " << args.snapshot << ", after "
              << seconds_text(std::chrono::duration<double>(since(began)))
              << (controller ? "; its servers run" : "; skerry up starts it") << "\n";
  }
  return {};
}

Result<void> snapshots_command(const Arguments& args) {
  const Folder folder = choose_folder(args.dir);
  if (!args.snapshot.empty()) {
    if (auto removed = remove_snapshot(folder, args.snapshot); !removed) return removed;
    if (!args.json) std::cout << "Snapshot " << args.snapshot << " is removed\n";
  }
  const auto snapshots = list_snapshots(folder);
  if (args.json) {
    Json list = Json::array();
    for (const Snapshot& snapshot : snapshots) list.push_back(to_json(snapshot));
    std::cout << dump({{"snapshots", std::move(list)}}) << "\n";
    return {};
  }
  if (snapshots.empty() && args.snapshot.empty()) std::cout << "No snapshots; skerry snapshot NAME makes one\n";
  for (const Snapshot& snapshot : snapshots) {
    std::cout << std::left << std::setw(20) << snapshot.name << "  " << date_text(snapshot.made_s) << "  "
              << snapshot.servers << " servers  " << megabytes_text(snapshot.bytes) << "\n";
  }
  return {};
}

}  // namespace skerry::sandbox
