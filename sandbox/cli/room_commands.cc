// room resolve, graph, explain, diff: looking into rooms, beside the servers that have them.
#include <filesystem>
#include <iostream>
#include <map>

#include "homeserver/inspect/diff.h"
#include "homeserver/inspect/explain.h"
#include "homeserver/inspect/graph.h"
#include "homeserver/inspect/resolve.h"
#include "sandbox/cli/commands.h"
#include "sandbox/world/bring_up.h"
#include "sandbox/world/layout.h"
#include "sandbox/world/names.h"

namespace skerry::sandbox {

namespace {

namespace inspect = homeserver::inspect;

struct Opened {
  std::string server;
  std::unique_ptr<storage::Inspection> database;
};

// The databases of the sandbox's servers of our own, running or not; of one only when it is named.
Result<std::vector<Opened>> open_databases(const Arguments& args) {
  const Folder folder = choose_folder(args.dir);
  const auto status = last_status(folder);
  if (!status) return tl::make_unexpected(status.error());
  std::vector<std::string> names;
  for (const ServerStatus& server : status->servers) {
    if (server.kind == ServerKind::skerry) names.push_back(server.name);
  }
  if (!args.server.empty()) {
    auto name = find_server(names, args.server);
    if (!name) return tl::make_unexpected(name.error());
    names = {std::move(*name)};
  }
  std::vector<Opened> opened;
  for (const std::string& name : names) {
    auto database = storage::inspect_sqlite(folder.server(name) + "/data");
    if (!database) return tl::make_unexpected(database.error());
    opened.push_back({name, std::move(*database)});
  }
  return opened;
}

// A room's id, or its alias as one of the servers knows it.
Result<RoomId> find_room(const std::vector<Opened>& servers, const std::string& typed) {
  if (typed.starts_with('!')) return RoomId::parse(typed);
  const auto alias = RoomAlias::parse(typed);
  if (!alias) return fail(ErrorCode::invalid_param, typed + " is neither a room id (!...) nor an alias (#name:server)");
  for (const Opened& server : servers) {
    const auto room = server.database->resolve_alias(*alias);
    if (!room) return tl::make_unexpected(room.error());
    if (*room) return **room;
  }
  return fail(ErrorCode::not_found, "no server here knows the alias " + typed);
}

Result<std::optional<EventId>> typed_event(const std::string& typed) {
  if (typed.empty()) return std::optional<EventId>();
  auto id = EventId::parse(typed);
  if (!id) return fail(ErrorCode::invalid_param, typed + " is no event id");
  return std::optional(std::move(*id));
}

Result<void> resolve_command(const Arguments& args) {
  return inspect::resolve({args.room_version, args.event_files, args.state_files, args.explain, args.json}, std::cout);
}

Result<void> graph_command(const Arguments& args) {
  static const std::map<std::string, inspect::GraphFormat> formats = {{"text", inspect::GraphFormat::text},
                                                                      {"dot", inspect::GraphFormat::dot},
                                                                      {"svg", inspect::GraphFormat::svg},
                                                                      {"json", inspect::GraphFormat::json}};
  const auto servers = open_databases(args);
  if (!servers) return tl::make_unexpected(servers.error());
  const auto room = find_room(*servers, args.room);
  if (!room) return tl::make_unexpected(room.error());
  const auto around = typed_event(args.around);
  if (!around) return tl::make_unexpected(around.error());
  const auto format = args.json ? inspect::GraphFormat::json : formats.at(args.format);
  Error why{ErrorCode::not_found, "no server here knows the room " + room->str()};
  for (const Opened& server : *servers) {
    const auto graph = inspect::load_graph(*server.database, *room, *around, args.most);
    if (!graph && graph.error().code != ErrorCode::not_found) return tl::make_unexpected(graph.error());
    if (!graph) {
      why = graph.error();
      continue;
    }
    if (format == inspect::GraphFormat::text) std::cout << "As " << server.server << " has it\n";
    inspect::print_graph(*graph, format, std::cout);
    return {};
  }
  return tl::make_unexpected(why);
}

Result<void> explain_command(const Arguments& args) {
  const auto servers = open_databases(args);
  if (!servers) return tl::make_unexpected(servers.error());
  const auto event = typed_event(args.event);
  if (!event) return tl::make_unexpected(event.error());
  for (const Opened& server : *servers) {
    const auto known = server.database->event(**event);
    if (!known) return tl::make_unexpected(known.error());
    if (!*known) continue;
    if (!args.json) std::cout << "As " << server.server << " has it\n";
    return inspect::explain(*server.database, **event, args.json, std::cout);
  }
  return fail(ErrorCode::not_found, "no server here has the event " + args.event);
}

Result<void> diff_command(const Arguments& args) {
  const auto servers = open_databases(args);
  if (!servers) return tl::make_unexpected(servers.error());
  const auto room = find_room(*servers, args.room);
  if (!room) return tl::make_unexpected(room.error());
  std::vector<inspect::NamedDatabase> databases;
  for (const Opened& server : *servers) databases.push_back({server.server, server.database.get()});
  const auto agree = inspect::diff(databases, *room, args.json, std::cout);
  if (!agree) return tl::make_unexpected(agree.error());
  return {};
}

}  // namespace

Result<void> room_command(const Arguments& args) {
  static const std::map<std::string, Result<void> (*)(const Arguments&)> commands = {
      {"resolve", resolve_command}, {"graph", graph_command}, {"explain", explain_command}, {"diff", diff_command}};
  return commands.at(args.subcommand)(args);
}

}  // namespace skerry::sandbox
