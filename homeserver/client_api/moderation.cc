// GET, PUT /admin/lock/{userId}       whether a user of this server is shut out of everything but logging out
// GET, PUT /admin/suspend/{userId}    whether they are kept from what others would see
// For the server's administrators. Client-server API, 'Server administration', 'Account moderation'.
#include <nlohmann/json.hpp>

#include "homeserver/client_api/common.h"
#include "homeserver/client_api/handlers.h"

namespace skerry::homeserver::client_api {

namespace {

struct Account {
  UserId user;
  storage::Standing standing;
};

// The account that the path names. Errors: forbidden, before anything is looked up, so that nobody else learns who is
// here; invalid_param, not_found.
Result<Account> moderated(Services& services, const Call& call) {
  if (!call.caller->standing.admin) return fail(ErrorCode::forbidden, "this is for the server's administrators");
  auto user = path_id<UserId>(call, 0);
  if (!user) return tl::make_unexpected(user.error());
  if (user->server() != services.config.server_name)
    return fail(ErrorCode::invalid_param, "that user is of another server");
  auto standing = services.database.accounts().standing(*user);
  if (!standing) return tl::make_unexpected(standing.error());
  if (!*standing) return fail(ErrorCode::not_found, "there is no such user");
  if ((*standing)->admin && *user != call.caller->user)
    return fail(ErrorCode::forbidden, "that user is an administrator as well");
  return Account{std::move(*user), **standing};
}

void show(Services& services, const Call& call, const char* key, bool storage::Standing::*what, Reply reply) {
  auto account = moderated(services, call);
  if (!account) return reply.error(account.error());
  reply.json({{key, account->standing.*what}});
}

using Change = Result<void> (Accounts::*)(const UserId&, bool);

void change(Services& services, const Call& call, const char* key, Change set, Reply reply) {
  auto account = moderated(services, call);
  if (!account) return reply.error(account.error());
  if (account->user == call.caller->user)
    return reply.error({ErrorCode::forbidden, "administrators do not do that to themselves"});
  const Json* wanted = find_member(*call.body, key);
  if (wanted == nullptr) return reply.error({ErrorCode::missing_param, std::string(key) + " is required"});
  if (!wanted->is_boolean()) return reply.error({ErrorCode::bad_json, std::string(key) + " must be true or false"});
  auto done = (services.accounts.*set)(account->user, wanted->get<bool>());
  if (!done) return reply.error(done.error());
  reply.json({{key, *wanted}});
}

}  // namespace

void get_locked(Services& services, Call call, Reply reply) {
  show(services, call, "locked", &storage::Standing::locked, std::move(reply));
}

void put_locked(Services& services, Call call, Reply reply) {
  change(services, call, "locked", &Accounts::set_locked, std::move(reply));
}

void get_suspended(Services& services, Call call, Reply reply) {
  show(services, call, "suspended", &storage::Standing::suspended, std::move(reply));
}

void put_suspended(Services& services, Call call, Reply reply) {
  change(services, call, "suspended", &Accounts::set_suspended, std::move(reply));
}

}  // namespace skerry::homeserver::client_api
