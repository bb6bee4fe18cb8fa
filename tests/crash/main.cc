// crash_test: real servers under steady traffic, killed, cut off and frozen at random moments. Afterwards nothing that
// was acknowledged may be lost, doubled or seen differently by two servers. Prints its seed first: the same seed makes
// the same plan, though not the same moments.
#include <chrono>
#include <iostream>
#include <random>
#include <thread>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "net/log.h"
#include "tests/crash/agreement.h"
#include "tests/crash/faults.h"
#include "tests/crash/graph.h"
#include "tests/crash/sender.h"
#include "tests/crash/watcher.h"

namespace {

using namespace skerry;         // NOLINT(google-build-using-namespace)
using namespace skerry::crash;  // NOLINT(google-build-using-namespace)
using Steady = std::chrono::steady_clock;

constexpr std::size_t senders_per_server = 2;
constexpr std::chrono::seconds answer_patience{60};     // for what was begun
constexpr std::chrono::seconds agreement_patience{60};  // for what is on its way between the servers
constexpr std::chrono::milliseconds step{20};

struct Options {
  int kills = 10;
  std::uint64_t seed = std::random_device{}();
  std::size_t servers = 3;
  int pause_ms = 50;
};

double seconds_since(Steady::time_point began) { return std::chrono::duration<double>(Steady::now() - began).count(); }

// Rooms of several versions, made on different servers, which everybody may send to and set state in.
std::vector<std::string> make_rooms(const std::vector<std::unique_ptr<Account>>& accounts,
                                    const std::vector<std::string>& servers) {
  std::vector<std::string> rooms;
  const std::vector<std::string> versions = {"12", "11", "10"};
  for (std::size_t i = 0; i < servers.size(); ++i) {
    const Json body = {{"preset", "public_chat"},
                       {"room_version", versions[i % versions.size()]},
                       {"power_level_content_override", {{"state_default", 0}, {"events", Json::object()}}}};
    const Account& creator = *accounts[i];
    const auto made = test::must(creator.api().post("/createRoom", body), "a room is made");
    rooms.push_back(made.at("room_id").get<std::string>());
    const std::string path = "/join/" + net::percent_encode(rooms.back()) + "?via=" + servers[i];
    for (const auto& account : accounts) {
      if (account.get() != &creator) test::must(account->api().post(path, Json::object()), "a join");
    }
  }
  return rooms;
}

void wait_until_finished(const std::vector<std::unique_ptr<Sender>>& senders, Ledger& ledger) {
  for (const auto& sender : senders) sender->finish();
  const auto deadline = Steady::now() + answer_patience;
  for (const auto& sender : senders) {
    while (!sender->finished() && Steady::now() < deadline) std::this_thread::sleep_for(step);
    if (!sender->finished()) ledger.finding("a send is still not answered");
  }
}

int run(const Options& options) {
  std::cout << "seed " << options.seed << ": " << options.servers << " servers, " << options.kills << " kills"
            << std::endl;
  const auto began = Steady::now();
  std::mt19937_64 random(options.seed);
  test::World world(options.servers);
  const auto names = world.status().names();
  // The first ones watch, one on each server; the others send.
  std::vector<std::unique_ptr<Account>> accounts;
  for (std::size_t i = 0; i < names.size() * (1 + senders_per_server); ++i) {
    const std::string& url = world.status().server(names[i % names.size()]).own_client_url;
    accounts.push_back(std::make_unique<Account>(world.web(), url, "user" + std::to_string(i)));
  }
  const auto rooms = make_rooms(accounts, names);

  Ledger ledger;
  std::vector<std::unique_ptr<Watcher>> watchers;
  for (std::size_t i = 0; i < names.size(); ++i) watchers.push_back(std::make_unique<Watcher>(*accounts[i], ledger));
  std::vector<std::unique_ptr<Sender>> senders;
  for (std::size_t i = names.size(); i < accounts.size(); ++i) {
    senders.push_back(
        std::make_unique<Sender>(*accounts[i], rooms, ledger, random(), std::chrono::milliseconds(options.pause_ms)));
  }
  std::cout << "traffic begins after " << seconds_since(began) << " s" << std::endl;
  const FaultCounts faults = Faults(world, random()).run(options.kills);
  wait_until_finished(senders, ledger);
  std::cout << "all servers are back after " << seconds_since(began) << " s" << std::endl;

  const auto sent = ledger.sent();
  for (std::size_t i = 0; i < watchers.size(); ++i) {
    const auto unseen = watchers[i]->wait_for_all(sent, agreement_patience);
    if (unseen.empty()) continue;
    ledger.finding(accounts[i]->user_id() + " did not see " + std::to_string(unseen.size()) + " events in /sync, as " +
                   unseen.front().event + " of " + unseen.front().room);
  }
  std::vector<const Account*> witnesses;
  for (std::size_t i = 0; i < names.size(); ++i) witnesses.push_back(accounts[names.size() + i].get());
  const std::size_t events = check_agreement(witnesses, rooms, ledger, Steady::now() + agreement_patience);
  std::cout << "they agree, or not, after " << seconds_since(began) << " s" << std::endl;
  check_databases(world, ledger);

  for (const std::string& finding : ledger.findings()) std::cout << "  " << finding << "\n";
  std::cout << (ledger.finding_count() == 0 ? "good: " : "NOT GOOD: ") << faults.kills << " kills, " << faults.cuts
            << " cuts, " << faults.freezes << " freezes; " << sent.size() << " events acknowledged ("
            << ledger.repeated() << " answers repeated), " << events << " in the rooms, " << ledger.finding_count()
            << " findings; " << seconds_since(began) << " s; seed " << options.seed << std::endl;
  return ledger.finding_count() == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Kills servers under traffic, and looks for what they lost.");
  Options options;
  app.add_option("--kills", options.kills, "how often a server is killed")->capture_default_str();
  app.add_option("--seed", options.seed, "of an earlier run (default: a new one)");
  app.add_option("--servers", options.servers, "how many")->capture_default_str()->check(CLI::Range(2, 20));
  app.add_option("--pause-ms", options.pause_ms, "of each sender between two events")->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  log::set_level(log::Level::off);
  try {
    return run(options);
  } catch (const std::exception& error) {
    std::cout << "NOT GOOD: " << error.what() << "; seed " << options.seed << std::endl;
    return 1;
  }
}
