// seed, scenario.
#include <iomanip>
#include <iostream>
#include <sstream>

#include <nlohmann/json.hpp>

#include "sandbox/cli/commands.h"
#include "sandbox/cli/table.h"
#include "sandbox/scenario/scenario_run.h"
#include "sandbox/scenario/seeder.h"
#include "sandbox/world/controller.h"
#include "sandbox/world/files.h"
#include "sandbox/world/interrupt.h"

namespace skerry::sandbox {

namespace {

Json seeded_json(const World& world, const Seeded& seeded) {
  Json users = Json::array();
  for (std::size_t i = 0; i < world.users.size(); ++i) {
    Json devices = Json::array();
    for (const Registered& session : seeded.sessions[i]) {
      devices.push_back({{"device_id", session.device_id}, {"access_token", session.access_token}});
    }
    users.push_back(
        {{"user_id", world.users[i].id()}, {"password", world.users[i].password}, {"devices", std::move(devices)}});
  }
  Json rooms = Json::array();
  for (std::size_t i = 0; i < world.rooms.size(); ++i) {
    rooms.push_back({{"name", world.rooms[i].name},
                     {"alias", world.alias_of(world.rooms[i])},
                     {"room_id", seeded.rooms[i]},
                     {"messages", world.rooms[i].messages.size()}});
  }
  return {{"seed", world.seed}, {"users", std::move(users)}, {"rooms", std::move(rooms)}};
}

Json played_json(const Scenario& scenario, const Played& played) {
  return {{"line", played.act->line}, {"at_s", played.at_s},
          {"took_s", played.took_s},  {"act", act_text(scenario, *played.act)},
          {"held", played.held},      {"found", played.found}};
}

void print_play(const Scenario& scenario, const Played& played) {
  std::ostringstream time;
  time << std::fixed << std::setprecision(2) << std::setw(7) << played.at_s << " s  ";
  std::cout << time.str() << act_text(scenario, *played.act) << "\n            "
            << (played.held ? "" : "DID NOT HOLD: ") << played.found << "\n"
            << std::flush;
}

bool is_assertion(const Act& act) {
  return act.verb == Verb::delivered || act.verb == Verb::not_delivered || act.verb == Verb::converged || act.fails;
}

// The lesson, and beside it what was measured.
void print_end(const Scenario& scenario, const ScenarioResult& result) {
  std::cout << "\nThe lesson: " << scenario.lesson << "\nMeasured:\n";
  for (const Played& played : result.acts) {
    if (!is_assertion(*played.act)) continue;
    std::cout << "  " << (played.held ? "held  " : "FAILED") << "  " << act_text(scenario, *played.act) << ": "
              << played.found << "\n";
  }
  std::cout << "Ready after " << seconds_text(std::chrono::duration<double>(result.ready_s)) << ", over after "
            << seconds_text(std::chrono::duration<double>(result.took_s)) << "\n";
}

Result<void> check_scenario(const Arguments& args, const Scenario& scenario) {
  if (args.json) {
    std::cout << dump({{"title", scenario.title},
                       {"lesson", scenario.lesson},
                       {"seed", scenario.world.seed},
                       {"acts", scenario.play.size()},
                       {"decisions", scenario.decisions}})
              << "\n";
    return {};
  }
  std::cout << scenario.title << ": " << scenario.world.servers.size() << " servers, " << scenario.world.users.size()
            << " users, " << scenario.play.size() << " acts; it can be played\n";
  for (const std::string& decision : scenario.decisions) {
    std::cout << "seed " << scenario.world.seed << ", " << decision << "\n";
  }
  return {};
}

Result<void> play_scenario(const Arguments& args, const Scenario& scenario) {
  catch_interrupts();
  if (!args.json) {
    std::cout << scenario.title << "\n";
    for (const std::string& decision : scenario.decisions) {
      std::cout << "seed " << scenario.world.seed << ", " << decision << "\n";
    }
    std::cout << std::flush;
  }
  Json acts = Json::array();
  const auto result = run_scenario(scenario, [&](const Played& played) {
    if (args.json) {
      acts.push_back(played_json(scenario, played));
    } else {
      print_play(scenario, played);
    }
  });
  if (!result) return tl::make_unexpected(result.error());
  if (args.json) {
    std::cout << dump({{"title", scenario.title},
                       {"lesson", scenario.lesson},
                       {"seed", scenario.world.seed},
                       {"decisions", scenario.decisions},
                       {"acts", std::move(acts)},
                       {"held", result->held()},
                       {"ready_s", result->ready_s},
                       {"took_s", result->took_s}})
              << "\n";
  } else {
    print_end(scenario, *result);
  }
  if (result->held()) return {};
  const Played& last = result->acts.back();
  return fail(ErrorCode::remote_error, args.file + ":" + std::to_string(last.act->line) + ": " +
                                           act_text(scenario, *last.act) + ": " + last.found);
}

}  // namespace

Result<void> scenario_command(const Arguments& args) {
  const auto text = read_file(args.file);
  if (!text) return tl::make_unexpected(text.error());
  const auto scenario = parse_scenario(*text, args.file, args.seed);
  if (!scenario) return tl::make_unexpected(scenario.error());
  return args.subcommand == "check" ? check_scenario(args, *scenario) : play_scenario(args, *scenario);
}

Result<void> seed_command(const Arguments& args) {
  catch_interrupts();
  const auto text = read_file(args.file);
  if (!text) return tl::make_unexpected(text.error());
  const auto world = parse_world(*text, args.file, args.seed);
  if (!world) return tl::make_unexpected(world.error());
  const Folder folder = choose_folder(args.dir);
  auto controller = Controller::connect(folder);
  if (!controller) return tl::make_unexpected(controller.error());
  const auto status = controller->status();
  if (!status) return tl::make_unexpected(status.error());
  Web web;
  if (auto possible = check_seedable(web, *status, *world); !possible) return possible;
  const auto seeded = seed_world(web, folder, *status, *world);
  if (!seeded) return tl::make_unexpected(seeded.error());
  if (args.json) {
    std::cout << dump(seeded_json(*world, *seeded)) << "\n";
    return {};
  }
  for (const WorldRoom& room : world->rooms) {
    std::cout << world->alias_of(room) << "  " << room.members.size() + 1 << " members, " << room.messages.size()
              << " messages\n";
  }
  std::cout << world->users.size() << " users in " << seconds_text(std::chrono::duration<double>(seeded->seconds[0]))
            << "; " << world->rooms.size() << " rooms with " << world->messages() << " messages in "
            << seconds_text(std::chrono::duration<double>(seeded->seconds[1])) << "; seed " << world->seed
            << ". Their passwords are known here:  skerry chat "
            << (world->users.empty() ? "USER" : world->users[0].id()) << "\n";
  return {};
}

}  // namespace skerry::sandbox
