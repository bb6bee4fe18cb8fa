#include "tests/support/world.h"

#include <algorithm>
#include <csignal>
#include <stdexcept>
#include <thread>

#include <nlohmann/json.hpp>

namespace skerry::test {

namespace {

using Steady = std::chrono::steady_clock;
constexpr std::chrono::seconds patience{60};
constexpr std::chrono::milliseconds step{20};

}  // namespace

std::string Actor::creates_room(const std::string& alias, const std::string& version) {
  Json body = {{"preset", "public_chat"}, {"room_alias_name", alias}, {"name", alias}};
  if (!version.empty()) body["room_version"] = version;
  return must(person_.create_room(body), id() + " creates a room");
}

void Actor::joins(const std::string& room_or_alias, const std::vector<std::string>& via) {
  must(person_.join(room_or_alias, via), id() + " joins " + room_or_alias);
}

void Actor::invites(const std::string& room, const Actor& other) {
  must(person_.invite(room, other.id()), id() + " invites " + other.id());
}

void Actor::is_invited_to(const std::string& room) {
  if (!person_.listener().wait_for_invitation(room, patience)) throw std::runtime_error(id() + " sees no invitation");
}

void Actor::leaves(const std::string& room) { must(person_.leave(room), id() + " leaves"); }

std::string Actor::says(const std::string& room, const std::string& text) {
  return must(person_.say(room, text), id() + " says " + text);
}

sandbox::HeardEvent Actor::hears(const std::string& room, const Actor& other, const std::string& text) {
  auto event = person_.listener().wait_for(
      [&](const sandbox::HeardEvent& heard) {
        return heard.room_id == room && heard.sender == other.id() && heard.type == "m.room.message" &&
               heard.text == text;
      },
      patience);
  if (!event) throw std::runtime_error(id() + " does not hear " + other.id() + " say " + text);
  return *event;
}

bool Actor::has_heard(const std::string& text) const {
  const auto all = person_.listener().heard();
  return std::any_of(all.begin(), all.end(), [&](const sandbox::HeardEvent& event) { return event.text == text; });
}

std::vector<std::string> Actor::heard_of(const std::string& room, const Actor& other) const {
  std::vector<std::string> out;
  for (const sandbox::HeardEvent& event : person_.listener().heard()) {
    if (event.room_id == room && event.sender == other.id() && event.type == "m.room.message")
      out.push_back(event.text);
  }
  return out;
}

void Actor::sees_state(const std::string& room, const std::string& type, const std::string& state_key,
                       const std::string& part) {
  const auto event = person_.listener().wait_for(
      [&](const sandbox::HeardEvent& heard) {
        return heard.room_id == room && heard.type == type && heard.state_key == state_key &&
               heard.text.find(part) != std::string::npos;
      },
      patience);
  if (!event) throw std::runtime_error(id() + " does not see " + type + " with " + part);
}

RoomView Actor::view(const std::string& room) const {
  RoomView view;
  view.event_ids = must(person_.event_ids(room), id() + " reads the history");
  std::sort(view.event_ids.begin(), view.event_ids.end());
  view.state = must(person_.state(room), id() + " reads the state").dump();
  return view;
}

World::World(std::size_t servers) : folder_{root_.path() + "/sandbox"} {
  sandbox::UpOptions options;
  options.folder = folder_;
  options.servers = servers;
  options.tied = true;
  options.program = SKERRY_BIN_DIR "/skerry";
  sandbox_ = must(sandbox::bring_up(options), "the sandbox comes up");
  web_ = std::make_unique<sandbox::Web>(sandbox_.status.ca_file);
}

World::~World() {
  if (auto controller = sandbox::Controller::connect(folder_)) (void)controller->down();
}

Actor World::person(const std::string& name, const std::string& server) {
  const std::string whole = must(sandbox::find_server(status().names(), server), "find the server");
  return Actor(must(sandbox::Person::register_at(*web_, status().server(whole).client_url, name),
                    name + " registers on " + whole));
}

void World::start(const std::string& server) {
  command("start", server);
  auto controller = must(sandbox::Controller::connect(folder_), "reach the supervisor");
  const std::string whole = must(sandbox::find_server(status().names(), server), "find the server");
  must(sandbox::wait_until_answering(folder_, controller, {whole}), whole + " starts");
}

void World::signal(const std::string& server, int number) {
  const auto now = must(must(sandbox::Controller::connect(folder_), "reach the supervisor").status(), "the status");
  const auto pid = now.server(must(sandbox::find_server(now.names(), server), "find the server")).pid;
  if (!pid || ::kill(*pid, number) != 0) throw std::runtime_error(server + " is not running");
}

void World::command(const std::string& op, const std::string& server) {
  must(must(sandbox::Controller::connect(folder_), "reach the supervisor").command(op, server), op + " " + server);
}

void World::agree(const std::string& room, const std::vector<const Actor*>& actors) {
  const auto deadline = Steady::now() + patience;
  while (true) {
    const RoomView first = actors.front()->view(room);
    const bool same =
        std::all_of(actors.begin() + 1, actors.end(), [&](const Actor* actor) { return actor->view(room) == first; });
    if (same) return;
    if (Steady::now() > deadline) {
      std::string text = "the servers do not agree:";
      for (const Actor* actor : actors) {
        const RoomView view = actor->view(room);
        text += "\n" + actor->id() + ": " + std::to_string(view.event_ids.size()) + " events, state " + view.state;
      }
      throw std::runtime_error(text);
    }
    std::this_thread::sleep_for(step);
  }
}

}  // namespace skerry::test
