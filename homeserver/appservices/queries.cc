#include "homeserver/appservices/queries.h"

#include <map>
#include <mutex>
#include <optional>
#include <vector>

#include "homeserver/rooms/once.h"

namespace skerry::homeserver {

namespace {

constexpr std::size_t questions_at_once = 200;
constexpr int attempts = 2;  // of each; the other side is most often on the same machine

}  // namespace

struct AppserviceQueries::Impl : std::enable_shared_from_this<Impl> {
  // One id that is looked for, and who may know it.
  struct Question {
    std::string path;
    std::vector<const Appservice*> left;
    int attempt = 0;
    Outcome outcome = Outcome::nobody;
  };

  Impl(const Appservices& all, AppserviceClient& to, storage::Database& stores)
      : appservices(all), client(to), database(stores) {}

  // Who may make it; nobody where it is there.
  std::vector<const Appservice*> whom(const UserId& user) {
    auto found = with([&](const Appservice& one) { return one.has_user(user); });
    const auto exists = found.empty() ? Result<bool>(true) : database.accounts().user_exists(user);
    if (!exists || *exists) found.clear();
    return found;
  }

  std::vector<const Appservice*> whom(const RoomAlias& alias) {
    auto found =
        with([&](const Appservice& one) { return alias.server() == one.sender().server() && one.has_alias(alias); });
    if (found.empty()) return found;
    const auto room = database.rooms().resolve_alias(alias);
    if (!room || *room) found.clear();
    return found;
  }

  template <class Has>
  std::vector<const Appservice*> with(const Has& has) {
    std::vector<const Appservice*> found;
    for (const auto& one : appservices.all()) {
      if (!one->registration().url.empty() && has(*one)) found.push_back(one.get());
    }
    return found;
  }

  void ask(const std::string& path, std::vector<const Appservice*> whom, Done done) {
    if (whom.empty()) return done(Outcome::nobody);
    {
      const std::lock_guard lock(mutex);
      const auto asked = waiting.find(path);
      if (asked != waiting.end()) return asked->second.push_back(std::move(done));
      if (waiting.size() < questions_at_once) {
        waiting[path].push_back(std::move(done));
        done = nullptr;
      }
    }
    if (done) return done(Outcome::no_answer);
    next(std::make_shared<Question>(Question{path, std::move(whom), 0, Outcome::nobody}));
  }

  void next(const std::shared_ptr<Question>& question) {
    if (question->left.empty()) return finish(*question);
    AppserviceRequest request;
    request.path = request.legacy_path = question->path;
    client.send(*question->left.front(), std::move(request),
                [self = shared_from_this(), question](const Result<net::HttpResponse>& answer) {
                  if (!answer && ++question->attempt < attempts) return self->next(question);
                  question->attempt = 0;
                  question->left.erase(question->left.begin());
                  if (answer && answer->status == 200) {
                    question->outcome = Outcome::made;
                    return self->finish(*question);
                  }
                  if (!answer) question->outcome = Outcome::no_answer;
                  self->next(question);
                });
  }

  void finish(const Question& question) {
    std::vector<Done> told;
    {
      const std::lock_guard lock(mutex);
      const auto found = waiting.find(question.path);
      told = std::move(found->second);
      waiting.erase(found);
    }
    for (const Done& done : told) done(question.outcome);
  }

  const Appservices& appservices;
  AppserviceClient& client;
  storage::Database& database;
  std::mutex mutex;
  std::map<std::string, std::vector<Done>> waiting;  // by path
};

AppserviceQueries::AppserviceQueries(const Appservices& appservices, AppserviceClient& client,
                                     storage::Database& database)
    : impl_(std::make_shared<Impl>(appservices, client, database)) {}

bool AppserviceQueries::has_whom_to_ask(const UserId& user) const { return !impl_->whom(user).empty(); }
bool AppserviceQueries::has_whom_to_ask(const RoomAlias& alias) const { return !impl_->whom(alias).empty(); }

void AppserviceQueries::look_for(const UserId& user, Done done) {
  impl_->ask("/users/" + net::percent_encode(user.str()), impl_->whom(user), std::move(done));
}

void AppserviceQueries::look_for(const RoomAlias& alias, Done done) {
  impl_->ask("/rooms/" + net::percent_encode(alias.str()), impl_->whom(alias), std::move(done));
}

namespace {

template <class IdType>
AppserviceQueries::Outcome wait_for(AppserviceQueries& queries, const IdType& id) {
  Answer<AppserviceQueries::Outcome> answer;
  queries.look_for(id, [give = answer.giver()](AppserviceQueries::Outcome outcome) { give(outcome); });
  return answer.wait().value_or(AppserviceQueries::Outcome::no_answer);
}

}  // namespace

AppserviceQueries::Outcome AppserviceQueries::look_for(const UserId& user) { return wait_for(*this, user); }
AppserviceQueries::Outcome AppserviceQueries::look_for(const RoomAlias& alias) { return wait_for(*this, alias); }

}  // namespace skerry::homeserver
