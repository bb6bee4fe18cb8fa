// The application services of this server: who they are, and what is theirs. Application service API, 'Registration'.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/ids.h"
#include "homeserver/appservices/registration.h"

namespace skerry::homeserver {

// One of them. Thread-safe: immutable.
class Appservice {
 public:
  // Errors: invalid_param, naming what is wrong: the sender's name, a regular expression.
  static Result<std::unique_ptr<Appservice>> make(AppserviceRegistration registration, const ServerName& us);
  ~Appservice();
  Appservice(const Appservice&) = delete;
  Appservice& operator=(const Appservice&) = delete;

  const AppserviceRegistration& registration() const { return registration_; }
  const std::string& id() const { return registration_.id; }
  const UserId& sender() const { return sender_; }  // of sender_localpart

  // Its sender, or a user of this server in one of its namespaces.
  bool has_user(const UserId& user) const;
  bool has_alias(const RoomAlias& alias) const;
  bool has_room(const RoomId& room) const;
  // The same for exclusive namespaces; the sender is its own alone.
  bool owns_user(const UserId& user) const;
  bool owns_alias(const RoomAlias& alias) const;
  bool has_alias_namespaces() const { return !registration_.aliases.empty(); }

 private:
  class Namespaces;
  Appservice(AppserviceRegistration registration, UserId sender);

  const AppserviceRegistration registration_;
  const UserId sender_;
  std::unique_ptr<Namespaces> users_, aliases_, rooms_;
};

// Thread-safe: immutable.
class Appservices {
 public:
  // Errors: of reading and making each; invalid_param where two have the same id, token or sender.
  static Result<Appservices> read(const std::vector<std::string>& files, const ServerName& us);
  Appservices() = default;

  const std::vector<std::unique_ptr<Appservice>>& all() const { return all_; }
  // Null when there is none. Tokens are compared in constant time.
  const Appservice* by_token(std::string_view as_token) const;
  // One of the others than `by` (null: any) that has the user or alias for itself.
  const Appservice* other_owner(const UserId& user, const Appservice* by) const;
  const Appservice* other_owner(const RoomAlias& alias, const Appservice* by) const;

 private:
  std::vector<std::unique_ptr<Appservice>> all_;
};

}  // namespace skerry::homeserver
