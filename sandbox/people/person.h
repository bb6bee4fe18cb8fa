// A person in a sandbox: an account, and someone who listens.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "sandbox/people/client_api.h"
#include "sandbox/people/listener.h"
#include "sandbox/world/status.h"

namespace skerry::sandbox {

inline constexpr std::chrono::seconds hearing_time{30};

class Person {
 public:
  // A new account on a server, reached by its client URL. Errors: as register_account().
  static Result<Person> register_at(Web& web, const std::string& client_url, const std::string& localpart);

  // One who has an account and a session already.
  static Person with_session(Web& web, const std::string& client_url, Registered account) {
    return Person(web, client_url, std::move(account));
  }

  const std::string& user_id() const { return account_.user_id; }
  const std::string& fields_sent() const { return account_.fields_sent; }
  const ClientApi& api() const { return api_; }
  Listener& listener() const { return *listener_; }
  // The same account by another address of its server.
  ClientApi api_at(const std::string& client_url) const;

  // The room's id. `body` is that of createRoom. Errors, here and below: as ClientApi.
  Result<std::string> create_room(const Json& body) const;
  Result<std::string> join(const std::string& room_or_alias, const std::vector<std::string>& via = {}) const;
  Result<void> invite(const std::string& room_id, const std::string& user_id) const;
  Result<void> leave(const std::string& room_id) const;
  // The event's id.
  Result<std::string> say(const std::string& room_id, const std::string& text) const;
  Result<std::string> set_state(const std::string& room_id, const std::string& type, const std::string& state_key,
                                const Json& content) const;
  Result<std::string> redact(const std::string& room_id, const std::string& event_id) const;

  // The room's state as this person's server has it, as an object from "type|state_key" to event id.
  Result<Json> state(const std::string& room_id) const;
  // The ids of all events of the room that the server gives by /messages, oldest first.
  Result<std::vector<std::string>> event_ids(const std::string& room_id) const;

 private:
  Person(Web& web, const std::string& client_url, Registered account);

  net::HttpClient* http_;
  Registered account_;
  ClientApi api_;
  std::unique_ptr<Listener> listener_;
};

}  // namespace skerry::sandbox
