// Namespaces are matched by RE2, in time linear in the id: the expressions are the operator's, the ids anybody's.
#include "homeserver/appservices/appservices.h"

#include <algorithm>
#include <re2/re2.h>

#include "core/crypto.h"

namespace skerry::homeserver {

namespace {

constexpr std::int64_t regex_memory_bytes = 1'048'576;

}  // namespace

class Appservice::Namespaces {
 public:
  // Errors: invalid_param.
  static Result<std::unique_ptr<Namespaces>> make(const char* what, const std::vector<AppserviceNamespace>& list) {
    auto made = std::make_unique<Namespaces>();
    RE2::Options options(RE2::Quiet);
    options.set_max_mem(regex_memory_bytes);
    for (const AppserviceNamespace& one : list) {
      auto expression = std::make_unique<RE2>(one.regex, options);
      if (!expression->ok()) {
        return fail(ErrorCode::invalid_param, std::string("namespaces.") + what + ": the regular expression \"" +
                                                  one.regex + "\" is none that RE2 takes: " + expression->error());
      }
      made->entries_.push_back({std::move(expression), one.exclusive});
    }
    return made;
  }

  // From the id's beginning, and not necessarily to its end: the specification is silent, and so do bridges expect it
  // that were written for Synapse.
  bool match(std::string_view id, bool only_exclusive) const {
    return std::any_of(entries_.begin(), entries_.end(), [&](const Entry& entry) {
      const re2::StringPiece text(id.data(), id.size());
      return (entry.exclusive || !only_exclusive) &&
             entry.expression->Match(text, 0, text.size(), RE2::ANCHOR_START, nullptr, 0);
    });
  }

 private:
  struct Entry {
    std::unique_ptr<RE2> expression;
    bool exclusive;
  };
  std::vector<Entry> entries_;
};

Appservice::Appservice(AppserviceRegistration registration, UserId sender)
    : registration_(std::move(registration)), sender_(std::move(sender)) {}
Appservice::~Appservice() = default;

Result<std::unique_ptr<Appservice>> Appservice::make(AppserviceRegistration registration, const ServerName& us) {
  auto sender = UserId::parse("@" + registration.sender_localpart + ":" + us.str());
  if (!sender || sender->server() != us)
    return fail(ErrorCode::invalid_param, "sender_localpart: is no user name: " + registration.sender_localpart);
  std::unique_ptr<Appservice> made(new Appservice(std::move(registration), std::move(*sender)));
  for (const auto& [what, list, target] : {std::tuple{"users", &made->registration_.users, &made->users_},
                                           std::tuple{"aliases", &made->registration_.aliases, &made->aliases_},
                                           std::tuple{"rooms", &made->registration_.rooms, &made->rooms_}}) {
    auto namespaces = Namespaces::make(what, *list);
    if (!namespaces) return tl::make_unexpected(namespaces.error());
    *target = std::move(*namespaces);
  }
  return made;
}

bool Appservice::has_user(const UserId& user) const {
  return user == sender_ || (user.server() == sender_.server() && users_->match(user.str(), false));
}
bool Appservice::has_alias(const RoomAlias& alias) const { return aliases_->match(alias.str(), false); }
bool Appservice::has_room(const RoomId& room) const { return rooms_->match(room.str(), false); }
bool Appservice::owns_user(const UserId& user) const {
  return user == sender_ || (user.server() == sender_.server() && users_->match(user.str(), true));
}
bool Appservice::owns_alias(const RoomAlias& alias) const { return aliases_->match(alias.str(), true); }

Result<Appservices> Appservices::read(const std::vector<std::string>& files, const ServerName& us) {
  Appservices made;
  for (const std::string& file : files) {
    auto registration = read_appservice_registration(file);
    if (!registration) return tl::make_unexpected(registration.error());
    for (const auto& other : made.all_) {
      const AppserviceRegistration& its = other->registration();
      const char* same = its.id == registration->id                               ? "id"
                         : its.as_token == registration->as_token                 ? "as_token"
                         : its.sender_localpart == registration->sender_localpart ? "sender_localpart"
                                                                                  : nullptr;
      if (same != nullptr)
        return fail(ErrorCode::invalid_param, file + ": has the same " + same + " as the registration of " + its.id);
    }
    auto appservice = Appservice::make(std::move(*registration), us);
    if (!appservice) return fail(ErrorCode::invalid_param, file + ": " + appservice.error().text);
    made.all_.push_back(std::move(*appservice));
  }
  return made;
}

const Appservice* Appservices::by_token(std::string_view as_token) const {
  for (const auto& one : all_) {
    if (equal_constant_time(one->registration().as_token, as_token)) return one.get();
  }
  return nullptr;
}

const Appservice* Appservices::other_owner(const UserId& user, const Appservice* by) const {
  for (const auto& one : all_) {
    if (one.get() != by && one->owns_user(user)) return one.get();
  }
  return nullptr;
}

const Appservice* Appservices::other_owner(const RoomAlias& alias, const Appservice* by) const {
  for (const auto& one : all_) {
    if (one.get() != by && one->owns_alias(alias)) return one.get();
  }
  return nullptr;
}

}  // namespace skerry::homeserver
