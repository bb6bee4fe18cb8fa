#include "sandbox/scenario/seeder.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <mutex>
#include <set>
#include <thread>

#include <nlohmann/json.hpp>

#include "sandbox/people/passwords.h"
#include "sandbox/world/interrupt.h"

namespace skerry::sandbox {

namespace {

using Steady = std::chrono::steady_clock;

constexpr std::size_t lanes = 16;
constexpr std::chrono::seconds hearing_time{60};
constexpr std::chrono::milliseconds first_look{2};
constexpr std::chrono::milliseconds longest_look{50};

// Calls `work` for 0 to `count` - 1, several at a time. The first error ends it; the others finish what they do.
template <class Work>
Result<void> for_all(std::size_t count, const Work& work) {
  std::atomic<std::size_t> next{0};
  std::mutex mutex;
  Result<void> done;
  std::vector<std::thread> threads;
  for (std::size_t lane = 0; lane < std::min(lanes, count); ++lane) {
    threads.emplace_back([&] {
      for (std::size_t i = next++; i < count; i = next++) {
        const Result<void> each = interrupted() ? fail(ErrorCode::cancelled, "interrupted") : work(i);
        if (each) continue;
        next = count;
        const std::scoped_lock lock(mutex);
        if (done) done = each;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  return done;
}

Result<void> with_text(const std::string& what, const Result<Json>& answer) {
  if (answer) return {};
  return fail(answer.error().code, what + ": " + answer.error().text);
}

class Seeder {
 public:
  Seeder(Web& web, const SandboxStatus& status, const World& world) : web_(web), status_(status), world_(world) {
    seeded_.sessions.resize(world.users.size());
    seeded_.rooms.resize(world.rooms.size());
  }

  Result<Seeded> run() {
    const auto began = Steady::now();
    if (auto made = for_all(world_.users.size(), [this](std::size_t i) { return make_user(i); }); !made) {
      return tl::make_unexpected(made.error());
    }
    const auto users = Steady::now();
    if (auto made = for_all(world_.rooms.size(), [this](std::size_t i) { return make_room(i); }); !made) {
      return tl::make_unexpected(made.error());
    }
    seeded_.seconds = {std::chrono::duration<double>(users - began).count(),
                       std::chrono::duration<double>(Steady::now() - users).count()};
    return std::move(seeded_);
  }

 private:
  ClientApi nobody(std::size_t user) const {
    return ClientApi(web_.client(), status_.server(world_.users[user].server).client_url);
  }
  ClientApi api(std::size_t user) const {
    return ClientApi(web_.client(), status_.server(world_.users[user].server).client_url,
                     seeded_.sessions[user].front().access_token);
  }

  Result<void> make_user(std::size_t index) {
    const WorldUser& user = world_.users[index];
    for (const std::string& device : user.devices) {
      const bool first = seeded_.sessions[index].empty();
      Json body = {{"password", user.password}, {"device_id", device}, {"initial_device_display_name", device}};
      if (first) {
        body["username"] = user.localpart;
        body["auth"] = {{"type", "m.login.dummy"}};
      } else {
        body["type"] = "m.login.password";
        body["identifier"] = {{"type", "m.id.user"}, {"user", user.localpart}};
      }
      const auto answer = nobody(index).post(first ? "/register" : "/login", body);
      if (!answer) return with_text(user.id(), answer);
      const std::string* token = find_string(*answer, "access_token");
      if (token == nullptr) return fail(ErrorCode::remote_error, user.id() + ": the server gave no session");
      seeded_.sessions[index].push_back({user.id(), *token, device, {}});
    }
    if (user.display_name.empty()) return {};
    return with_text(user.id(), api(index).put("/profile/" + net::percent_encode(user.id()) + "/displayname",
                                               {{"displayname", user.display_name}}));
  }

  Result<void> make_room(std::size_t index) {
    const WorldRoom& room = world_.rooms[index];
    const auto answer = api(room.creator).post("/createRoom", creation(room));
    if (!answer) return with_text("room " + room.name, answer);
    const std::string* id = find_string(*answer, "room_id");
    if (id == nullptr) return fail(ErrorCode::remote_error, "room " + room.name + ": the server gave no id");
    seeded_.rooms[index] = *id;
    for (const std::size_t member : room.members) {
      if (auto joined = join(room, *id, member); !joined) return joined;
    }
    for (const std::size_t guest : room.invited) {
      if (auto done = invite(room, *id, guest); !done) return done;
    }
    return talk(room, *id, index);
  }

  Json creation(const WorldRoom& room) const {
    Json body = {{"preset", room.open ? "public_chat" : "private_chat"}, {"room_alias_name", room.name}};
    if (room.open) body["visibility"] = "public";
    if (!room.title.empty()) body["name"] = room.title;
    if (!room.topic.empty()) body["topic"] = room.topic;
    if (!room.version.empty()) body["room_version"] = room.version;
    for (const auto& [user, power] : room.powers) {
      body["power_level_content_override"]["users"][world_.users[user].id()] = power;
    }
    return body;
  }

  Result<void> invite(const WorldRoom& room, const std::string& id, std::size_t user) const {
    return with_text("inviting " + world_.users[user].id() + " to " + room.name,
                     api(room.creator).post(in_room(id) + "/invite", {{"user_id", world_.users[user].id()}}));
  }

  Result<void> join(const WorldRoom& room, const std::string& id, std::size_t user) const {
    if (!room.open) {
      if (auto invited = invite(room, id, user); !invited) return invited;
    }
    const std::string via = net::percent_encode(world_.users[room.creator].server);
    return with_text(world_.users[user].id() + " joins " + room.name,
                     api(user).post("/join/" + net::percent_encode(id) + "?via=" + via, Json::object()));
  }

  Result<void> talk(const WorldRoom& room, const std::string& id, std::size_t index) const {
    std::string last;
    std::string server;  // on which it was said
    std::size_t number = 0;
    for (const WorldMessage& message : room.messages) {
      if (interrupted()) return fail(ErrorCode::cancelled, "interrupted");
      const WorldUser& speaker = world_.users[message.user];
      if (!last.empty() && server != speaker.server) {
        if (auto heard = wait_until_heard(id, last, message.user); !heard) return heard;
      }
      const auto answer =
          api(message.user)
              .put(in_room(id) + "/send/m.room.message/seed" + std::to_string(index) + "." + std::to_string(number++),
                   {{"msgtype", "m.text"}, {"body", message.text}});
      if (!answer) return with_text(speaker.id() + " says in " + room.name, answer);
      const std::string* event_id = find_string(*answer, "event_id");
      last = event_id != nullptr ? *event_id : "";
      server = speaker.server;
    }
    return {};
  }

  Result<void> wait_until_heard(const std::string& room_id, const std::string& event_id, std::size_t user) const {
    const auto deadline = Steady::now() + hearing_time;
    for (auto pause = first_look;; pause = std::min(pause * 2, longest_look)) {
      const auto answer = api(user).get(in_room(room_id) + "/event/" + net::percent_encode(event_id));
      if (answer) return {};
      if (interrupted()) return fail(ErrorCode::cancelled, "interrupted");
      if (Steady::now() > deadline) {
        return fail(ErrorCode::timeout, world_.users[user].server + " does not hear what was said in the room");
      }
      std::this_thread::sleep_for(pause);
    }
  }

  Web& web_;
  const SandboxStatus& status_;
  const World& world_;
  Seeded seeded_;
};

}  // namespace

Result<void> check_seedable(Web& web, const SandboxStatus& status, const World& world) {
  const auto known = status.names();
  std::set<std::string> needed;
  for (const WorldUser& user : world.users) needed.insert(user.server);
  for (const std::string& name : needed) {
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      return fail(ErrorCode::invalid_param, "the world has users on " + name + ", which this sandbox of " +
                                                std::to_string(known.size()) +
                                                " servers has not: skerry down, then skerry up --servers " +
                                                std::to_string(world.servers.size()));
    }
    const ServerState state = status.server(name).state;
    if (state != ServerState::running) return fail(ErrorCode::unreachable, name + " is " + to_text(state));
  }
  auto names = for_all(world.users.size(), [&](std::size_t i) -> Result<void> {
    const WorldUser& user = world.users[i];
    const auto free = name_is_free(ClientApi(web.client(), status.server(user.server).client_url), user.localpart);
    if (!free) return fail(free.error().code, user.id() + ": " + free.error().text);
    return *free ? Result<void>() : fail(ErrorCode::invalid_param, user.id() + " is there already");
  });
  if (!names) return names;
  return for_all(world.rooms.size(), [&](std::size_t i) -> Result<void> {
    const std::string alias = world.alias_of(world.rooms[i]);
    const std::string& url = status.server(world.users[world.rooms[i].creator].server).client_url;
    const auto found = ClientApi(web.client(), url).get("/directory/room/" + net::percent_encode(alias));
    if (found) return fail(ErrorCode::invalid_param, alias + " is there already");
    return refused_with(found.error(), "M_NOT_FOUND") ? Result<void>() : with_text(alias, found);
  });
}

Result<Seeded> seed_world(Web& web, const Folder& folder, const SandboxStatus& status, const World& world) {
  std::map<std::string, std::string> passwords;
  for (const WorldUser& user : world.users) passwords[user.id()] = user.password;
  if (auto kept = remember_passwords(folder, passwords); !kept) return tl::make_unexpected(kept.error());
  return Seeder(web, status, world).run();
}

}  // namespace skerry::sandbox
