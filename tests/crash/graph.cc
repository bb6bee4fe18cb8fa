#include "tests/crash/graph.h"

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <map>
#include <set>

#include "storage/database.h"

namespace skerry::crash {

namespace {

constexpr std::size_t page = 1'000;

// A room as a database holds it.
struct Graph {
  std::map<EventId, std::vector<EventId>> prev_events;
  std::set<EventId> heads;
  StateMap state;
};

Graph read_room(storage::RoomStore& store, const RoomId& room, const std::string& where, Ledger& ledger) {
  Graph graph;
  storage::TopologicalPosition from{0, INT64_MIN};
  for (;;) {
    const auto events = test::must(store.history(room, from, false, page), "the history");
    if (events.empty()) break;
    for (const auto& stored : events) {
      // What has no place here yet may be unknown; what has one must have had it before.
      for (const EventId& prev : stored.event->prev_events()) {
        const auto known = test::must(store.event(prev), "an event");
        if (known && !known->outlier && known->judgement.verdict == Verdict::accepted &&
            !graph.prev_events.contains(prev))
          ledger.finding(where + " tells " + stored.event->id().str() + " before " + prev.str() + ", which it cites");
      }
      if (!graph.prev_events.emplace(stored.event->id(), stored.event->prev_events()).second)
        ledger.finding(where + " tells " + stored.event->id().str() + " twice");
    }
    from = events.back().topological;
  }
  const auto head = test::must(store.head(room), "the heads");
  graph.heads.insert(head->heads.begin(), head->heads.end());
  graph.state = *test::must(store.state(head->current_state), "the state");
  return graph;
}

void compare(const Graph& one, const Graph& other, const std::string& where, Ledger& ledger) {
  if (one.prev_events != other.prev_events) ledger.finding(where + " have different events, or in different places");
  if (one.heads != other.heads) ledger.finding(where + " have different heads");
  if (one.state != other.state) ledger.finding(where + " have different states");
}

std::vector<std::string> with_config(const test::World& world, const std::string& server) {
  return {test::homeserver_program(), "--config", world.folder().server(server) + "/homeserver.toml"};
}

void run_check(const test::World& world, const std::string& server, Ledger& ledger) {
  auto check = with_config(world, server);
  check.emplace_back("--check-database");
  const auto checked = test::run(check);
  if (checked.status != 0) ledger.finding(server + ": " + checked.output);
}

std::map<RoomId, Graph> read_backup(const test::World& world, const std::string& server, Ledger& ledger) {
  const test::TemporaryFolder folder;
  auto backup = with_config(world, server);
  backup.insert(backup.end(), {"--backup", folder.path() + "/homeserver.db"});
  const auto copied = test::run(backup);
  std::map<RoomId, Graph> graphs;
  if (copied.status != 0) {
    ledger.finding(server + ": " + copied.output);
    return graphs;
  }
  const auto database = test::must(storage::open_sqlite(folder.path(), *ServerName::parse(server)), "open a backup");
  for (const RoomId& room : test::must(database->rooms().rooms(), "the rooms"))
    graphs[room] = read_room(database->rooms(), room, server, ledger);
  return graphs;
}

}  // namespace

void check_databases(const test::World& world, Ledger& ledger) {
  std::map<RoomId, Graph> first;
  const auto names = world.status().names();
  for (const std::string& name : names) {
    run_check(world, name, ledger);
    auto graphs = read_backup(world, name, ledger);
    if (first.empty()) {
      first = std::move(graphs);
      continue;
    }
    if (graphs.size() != first.size()) ledger.finding(name + " has other rooms than " + names.front());
    for (const auto& [room, graph] : graphs)
      compare(graph, first[room], room.str() + ": " + name + " and " + names.front(), ledger);
  }
}

}  // namespace skerry::crash
