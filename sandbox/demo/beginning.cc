// Steps 1 to 5: servers start, people register, meet and talk, and all servers hold the same.
#include <nlohmann/json.hpp>

#include "sandbox/cli/table.h"
#include "sandbox/demo/stage.h"

namespace skerry::sandbox {

namespace {

using Steady = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;

constexpr const char* alias = "#lobby:alpha.test";

Result<void> register_one(Stage& stage, std::optional<Person>& who, const std::string& name,
                          const std::string& server) {
  const auto began = Steady::now();
  auto person = Person::register_at(stage.servers->web(), stage.servers->url(server), name);
  if (!person) return tl::make_unexpected(person.error());
  const Seconds took = Steady::now() - began;
  who.emplace(std::move(*person));
  stage.story.say(who->user_id() + "  after " + milliseconds_text(took) + ", sent: " + who->fields_sent());
  stage.story.fact(who->user_id(), {{"seconds", took.count()}, {"fields_sent", who->fields_sent()}});
  for (const char* more : {"phone", "email", "msisdn", "threepid"}) {
    if (who->fields_sent().find(more) != std::string::npos) {
      return fail(ErrorCode::internal, "more than a user name and a password was sent");
    }
  }
  return {};
}

Result<void> remember_join(const Person& person, const std::string& room_or_alias, const std::string& room) {
  const auto joined = person.join(room_or_alias);
  if (!joined) return tl::make_unexpected(joined.error());
  if (*joined != room) return fail(ErrorCode::remote_error, room_or_alias + " led to another room");
  return {};
}

}  // namespace

Result<void> start_servers(Stage& stage) {
  const auto began = Steady::now();
  auto servers = OwnSandbox::start(3);
  if (!servers) return tl::make_unexpected(servers.error());
  const Seconds took = Steady::now() - began;
  stage.servers = std::move(*servers);
  std::uint64_t memory = 0;
  for (const ServerStatus& server : stage.servers->status().servers) {
    memory += server.memory_bytes;
    stage.story.say(server.name + std::string(14 - server.name.size(), ' ') + "clients " + server.client_url +
                    ", other servers " + server.federation_address + ", " + megabytes_text(server.memory_bytes) +
                    ", process " + std::to_string(server.pid.value_or(0)));
  }
  stage.story.say("All answer, their certificates verified, " + seconds_text(took) +
                  " after the start; together they " + "use " + megabytes_text(memory) + " of memory (PSS).");
  stage.story.fact("seconds", took.count());
  stage.story.fact("memory_bytes", memory);
  stage.story.fact("sandbox", public_json(stage.servers->status()));
  return {};
}

Result<void> register_people(Stage& stage) {
  if (auto done = register_one(stage, stage.alice, "alice", alpha); !done) return done;
  if (auto done = register_one(stage, stage.bob, "bob", bravo); !done) return done;
  if (auto done = register_one(stage, stage.carol, "carol", charlie); !done) return done;
  stage.story.say("That is all that was asked for: no phone, no email.");
  return {};
}

Result<void> make_room(Stage& stage) {
  auto room = stage.alice->create_room({{"preset", "public_chat"}, {"room_alias_name", "lobby"}, {"name", "Lobby"}});
  if (!room) return tl::make_unexpected(room.error());
  stage.room = *room;
  stage.story.say("alice made " + stage.room + ", also known as " + alias);

  auto began = Steady::now();
  if (auto invited = stage.alice->invite(stage.room, stage.bob->user_id()); !invited) return invited;
  if (!stage.bob->listener().wait_for_invitation(stage.room, hearing_time)) {
    return fail(ErrorCode::timeout, "bob sees no invitation");
  }
  stage.story.say("bob saw the invitation after " + milliseconds_text(Steady::now() - began));
  began = Steady::now();
  if (auto joined = remember_join(*stage.bob, stage.room, stage.room); !joined) return joined;
  const Seconds bob_took = Steady::now() - began;
  began = Steady::now();
  if (auto joined = remember_join(*stage.carol, alias, stage.room); !joined) return joined;
  const Seconds carol_took = Steady::now() - began;
  stage.story.say("bob joined within " + milliseconds_text(bob_took) + ", carol by " + alias + " within " +
                  milliseconds_text(carol_took));
  stage.story.fact("room_id", stage.room);
  stage.story.fact("join_seconds", {bob_took.count(), carol_took.count()});

  auto direct = stage.alice->create_room(
      {{"preset", "trusted_private_chat"}, {"is_direct", true}, {"invite", {stage.bob->user_id()}}});
  if (!direct) return tl::make_unexpected(direct.error());
  stage.direct_chat = *direct;
  if (!stage.bob->listener().wait_for_invitation(stage.direct_chat, hearing_time)) {
    return fail(ErrorCode::timeout, "bob sees no invitation to the direct chat");
  }
  if (auto joined = remember_join(*stage.bob, stage.direct_chat, stage.direct_chat); !joined) return joined;
  stage.story.say("alice and bob also have a direct chat");
  return {};
}

Result<void> talk(Stage& stage) {
  const std::vector<std::pair<const Person*, std::string>> speakers = {
      {&*stage.alice, "Hello from alpha. Does it matter where you are?"},
      {&*stage.bob, "Not to me. I am on bravo."},
      {&*stage.carol, "And I on charlie. One room, three servers."}};
  Json times = Json::object();
  for (const auto& [speaker, text] : speakers) {
    std::vector<const Person*> listeners;
    for (const auto& [other, unused] : speakers) {
      if (other != speaker) listeners.push_back(other);
    }
    const auto said = say_and_hear(*speaker, listeners, stage.room, text);
    if (!said) return tl::make_unexpected(said.error());
    stage.acknowledged.push_back(said->event_id);
    stage.story.say(speaker->user_id() + ": \"" + text + "\"");
    std::string line = "    heard by";
    for (std::size_t i = 0; i < listeners.size(); ++i) {
      line += (i == 0 ? " " : ", by ") + listeners[i]->user_id() + " after " + milliseconds_text(said->times[i]);
      times[speaker->user_id()][listeners[i]->user_id()] = said->times[i].count();
    }
    stage.story.say(line);
  }
  stage.story.fact("seconds_to_arrive", times);
  return {};
}

Result<void> compare_servers(Stage& stage) {
  const auto agreed = wait_until_agreed({&*stage.alice, &*stage.bob, &*stage.carol}, stage.room, stage.acknowledged);
  if (!agreed) return tl::make_unexpected(agreed.error());
  stage.story.say("Asked one by one, each server gives the same " + std::to_string(agreed->events) +
                  " events and the same state of " + std::to_string(agreed->state_entries) + " entries.");
  stage.story.fact("events", agreed->events);
  stage.story.fact("state_entries", agreed->state_entries);
  return {};
}

}  // namespace skerry::sandbox
