// A sandbox of real servers and the people in it, for scenarios that read like a play. Whatever does not happen throws,
// and so fails the test.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "sandbox/people/person.h"
#include "sandbox/world/bring_up.h"
#include "sandbox/world/names.h"
#include "tests/support/homeserver_process.h"

namespace skerry::test {

// One room of a server as all its members should see it.
struct RoomView {
  std::vector<std::string> event_ids;  // sorted
  std::string state;
  friend bool operator==(const RoomView&, const RoomView&) = default;
};

class Actor {
 public:
  explicit Actor(sandbox::Person person) : person_(std::move(person)) {}

  const std::string& id() const { return person_.user_id(); }
  const sandbox::Person& person() const { return person_; }

  // Of a public room, by version 12 and preset public_chat; `alias` is its local part.
  std::string creates_room(const std::string& alias, const std::string& version = {});
  void joins(const std::string& room_or_alias, const std::vector<std::string>& via = {});
  void invites(const std::string& room, const Actor& other);
  void is_invited_to(const std::string& room);
  void leaves(const std::string& room);
  std::string says(const std::string& room, const std::string& text);
  // Waits for a message of another in a room.
  sandbox::HeardEvent hears(const std::string& room, const Actor& other, const std::string& text);
  bool has_heard(const std::string& text) const;
  // What was heard of one in a room, in the order in which it came.
  std::vector<std::string> heard_of(const std::string& room, const Actor& other) const;
  // Waits for a state event in a room; `part` is in its content.
  void sees_state(const std::string& room, const std::string& type, const std::string& state_key,
                  const std::string& part);
  RoomView view(const std::string& room) const;

 private:
  sandbox::Person person_;
};

class World {
 public:
  explicit World(std::size_t servers);
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  // A new account on a server, named by its first label or whole.
  Actor person(const std::string& name, const std::string& server);
  void kill(const std::string& server) { command("kill", server); }
  void start(const std::string& server);  // returns when it answers
  void begin_to_start(const std::string& server) { command("start", server); }
  void block(const std::string& server) { command("block", server); }
  void unblock(const std::string& server) { command("unblock", server); }
  // To the server's process, as it is now: SIGSTOP, SIGCONT.
  void signal(const std::string& server, int number);
  const sandbox::SandboxStatus& status() const { return sandbox_.status; }
  const sandbox::Folder& folder() const { return folder_; }
  sandbox::Web& web() { return *web_; }

  // Waits until all of them see the same events and the same state in a room.
  void agree(const std::string& room, const std::vector<const Actor*>& actors);

 private:
  void command(const std::string& op, const std::string& server);

  TemporaryFolder root_;
  sandbox::Folder folder_;
  sandbox::Sandbox sandbox_;
  std::unique_ptr<sandbox::Web> web_;
};

// The value, or an exception with the error's text.
template <class T>
T must(Result<T> result, const std::string& what) {
  if (!result) throw std::runtime_error(what + ": " + result.error().text);
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

}  // namespace skerry::test
