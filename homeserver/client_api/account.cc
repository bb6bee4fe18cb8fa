// POST /account/deactivate                    ends the caller's account for ever, after the password
// GET  /account/3pid                          no third-party identifiers: this server keeps none
// POST /login/get_token                       a token for one login of another device, after the password
// POST /user/{userId}/openid/request_token    a token by which others learn who the caller is
// GET  /voip/turnServer                       no TURN server is configured here: {}
// Client-server API, 'Account management', 'Login', 'OpenID', 'Voice over IP'.
#include <chrono>

#include <nlohmann/json.hpp>

#include "homeserver/client_api/handlers.h"
#include "homeserver/client_api/sessions.h"

namespace skerry::homeserver::client_api {

namespace {

constexpr std::chrono::minutes login_token_lifetime{2};
constexpr std::chrono::hours openid_token_lifetime{1};

// What cannot be left (its server is away) stays as it is: the account ends all the same.
void leave_all_rooms(Services& services, const UserId& user) {
  std::vector<RoomId> rooms;
  if (auto memberships = services.database.rooms().memberships_of(user)) {
    for (const storage::Membership& membership : *memberships) {
      if (membership.membership != "leave" && membership.membership != "ban") rooms.push_back(membership.room);
    }
  }
  if (auto invites = services.database.rooms().stripped_invites(user)) {
    for (const storage::StrippedInvite& invite : *invites) {
      if (invite.membership != "leave") rooms.push_back(invite.room);
    }
  }
  for (const RoomId& room : rooms) (void)services.membership.leave(user, room, "{}");
}

}  // namespace

void deactivate_account(Services& services, Call call, Reply reply) {
  if (!proves_password(services, call, "deactivate", reply)) return;
  const UserId user = call.caller->user;
  // First the account, so that nobody comes in while its rooms are left, which may take long.
  if (auto ended = services.accounts.deactivate(user); !ended) return reply.error(ended.error());
  services.presence.forget(user);
  leave_all_rooms(services, user);
  reply.json({{"id_server_unbind_result", "success"}});  // there was nothing to unbind
}

void get_third_party_ids(Services&, Call, Reply reply) { reply.json({{"threepids", Json::array()}}); }

void get_login_token(Services& services, Call call, Reply reply) {
  if (!proves_password(services, call, "get_login_token", reply)) return;
  auto token = services.accounts.make_pass(storage::PassKind::login, call.caller->user, login_token_lifetime);
  if (!token) return reply.error(token.error());
  reply.json({{"login_token", *token}, {"expires_in_ms", std::chrono::milliseconds(login_token_lifetime).count()}});
}

void request_openid_token(Services& services, Call call, Reply reply) {
  if (auto own = own_user(call, 0); !own) return reply.error(own.error());
  auto token = services.accounts.make_pass(storage::PassKind::openid, call.caller->user, openid_token_lifetime);
  if (!token) return reply.error(token.error());
  reply.json({{"access_token", *token},
              {"token_type", "Bearer"},
              {"matrix_server_name", services.config.server_name.str()},
              {"expires_in", std::chrono::seconds(openid_token_lifetime).count()}});
}

void get_turn_server(Services&, Call, Reply reply) { reply.json(nothing()); }

}  // namespace skerry::homeserver::client_api
