#include "homeserver/accounts/user_interactive_auth.h"

#include <list>
#include <mutex>
#include <unordered_map>

#include <nlohmann/json.hpp>

#include "core/crypto.h"
#include "homeserver/matrix_error.h"

namespace skerry::homeserver {

namespace {

constexpr std::size_t sessions_at_most = 10'000;
constexpr std::int64_t session_ms = 15 * 60'000;

// Sessions by id, oldest first; each is for one operation.
class Sessions {
 public:
  std::string open(const std::string& operation, std::string id, std::int64_t now_ms) {
    std::scoped_lock lock(mutex_);
    drop_old(now_ms);
    order_.push_back({id, operation, now_ms});
    by_id_[id] = std::prev(order_.end());
    return id;
  }

  bool knows(const std::string& id, const std::string& operation, std::int64_t now_ms) {
    std::scoped_lock lock(mutex_);
    const auto found = by_id_.find(id);
    return found != by_id_.end() && found->second->operation == operation &&
           now_ms - found->second->opened_ms < session_ms;
  }

  void close(const std::string& id) {
    std::scoped_lock lock(mutex_);
    const auto found = by_id_.find(id);
    if (found == by_id_.end()) return;
    order_.erase(found->second);
    by_id_.erase(found);
  }

 private:
  struct Session {
    std::string id;
    std::string operation;
    std::int64_t opened_ms;
  };

  void drop_old(std::int64_t now_ms) {
    while (!order_.empty() && (order_.size() >= sessions_at_most || now_ms - order_.front().opened_ms >= session_ms)) {
      by_id_.erase(order_.front().id);
      order_.pop_front();
    }
  }

  std::mutex mutex_;
  std::list<Session> order_;
  std::unordered_map<std::string, std::list<Session>::iterator> by_id_;
};

}  // namespace

struct UserInteractiveAuth::Impl {
  Accounts& accounts;
  net::Clock& clock;
  net::Random& random;
  const ServerName us;
  Sessions sessions;

  // `problem` is absent when the client did not try yet.
  Json refusal(const std::string& operation, const char* stage, const std::string* known_session,
               const std::optional<Error>& problem) {
    const std::string session = known_session != nullptr
                                    ? *known_session
                                    : sessions.open(operation, base64url_encode(random.bytes(18)), clock.now_ms());
    Json answer = {{"flows", Json::array({{{"stages", Json::array({stage})}}})},
                   {"params", Json::object()},
                   {"completed", Json::array()},
                   {"session", session}};
    if (problem) {
      answer["errcode"] = matrix_error(problem->code).errcode;
      answer["error"] = problem->text;
    }
    return answer;
  }

  // `prove` is asked when the client comes with this stage.
  std::optional<Json> check(const std::string& operation, const char* stage, const Json& body,
                            const std::function<Result<void>(const Json& auth)>& prove) {
    const Json* auth = find_object(body, "auth");
    if (auth == nullptr) return refusal(operation, stage, nullptr, std::nullopt);
    const std::string* session = find_string(*auth, "session");
    if (session != nullptr && !sessions.knows(*session, operation, clock.now_ms())) {
      return refusal(operation, stage, nullptr, Error{ErrorCode::forbidden, "this authentication session has ended"});
    }
    const std::string* type = find_string(*auth, "type");
    if (type == nullptr) return refusal(operation, stage, session, std::nullopt);
    if (*type != stage) {
      return refusal(operation, stage, session,
                     Error{ErrorCode::forbidden, "this kind of authentication is not offered"});
    }
    if (auto proven = prove(*auth); !proven) return refusal(operation, stage, session, proven.error());
    if (session != nullptr) sessions.close(*session);
    return std::nullopt;
  }
};

UserInteractiveAuth::UserInteractiveAuth(Accounts& accounts, net::Clock& clock, net::Random& random, ServerName us)
    : impl_(new Impl{accounts, clock, random, std::move(us), {}}) {}

UserInteractiveAuth::~UserInteractiveAuth() = default;

std::optional<Json> UserInteractiveAuth::check_dummy(const std::string& operation, const Json& body) {
  return impl_->check(operation, "m.login.dummy", body, [](const Json&) { return Result<void>(); });
}

std::optional<Json> UserInteractiveAuth::check_password(const std::string& operation, const UserId& user,
                                                        const Json& body) {
  const auto prove = [&](const Json& auth) -> Result<void> {
    auto named = identified_user(auth, impl_->us);
    if (!named) return tl::make_unexpected(named.error());
    const std::string* password = find_string(auth, "password");
    if (password == nullptr) return fail(ErrorCode::missing_param, "password is required");
    if (*named != user) return fail(ErrorCode::forbidden, "this is another user");
    return impl_->accounts.check_password(user, *password);
  };
  return impl_->check(operation + " " + user.str(), "m.login.password", body, prove);
}

Result<UserId> identified_user(const Json& body, const ServerName& us) {
  const std::string* name = find_string(body, "user");
  if (const Json* identifier = find_object(body, "identifier")) {
    const std::string* type = find_string(*identifier, "type");
    if (type == nullptr) return fail(ErrorCode::missing_param, "identifier.type is required");
    if (*type != "m.id.user") return fail(ErrorCode::invalid_param, "this server knows users by m.id.user only");
    name = find_string(*identifier, "user");
  }
  if (name == nullptr) return fail(ErrorCode::missing_param, "identifier.user is required");
  auto user = UserId::parse(!name->empty() && name->front() == '@' ? *name : "@" + *name + ":" + us.str());
  if (!user) return fail(ErrorCode::invalid_param, user.error().text);
  return user;
}

}  // namespace skerry::homeserver
