// GET, POST /_synapse/admin/v1/register: who knows the configured secret makes accounts, as Synapse defines it: a
// nonce, and an HMAC-SHA1 over nonce, name, password and "admin" or "notadmin", joined by NUL. Off where there is no
// secret.
#include <nlohmann/json.hpp>

#include "core/crypto.h"
#include "homeserver/accounts/registration_nonces.h"
#include "homeserver/client_api/handlers.h"
#include "homeserver/client_api/sessions.h"

namespace skerry::homeserver::client_api {

namespace {

struct SharedSecretRequest {
  std::string nonce;
  std::string name;
  std::string password;
  std::string mac;
  bool admin = false;
};

Result<SharedSecretRequest> parse(const Json& body) {
  SharedSecretRequest request;
  for (const auto& [key, target] : {std::pair{"nonce", &request.nonce}, std::pair{"username", &request.name},
                                    std::pair{"password", &request.password}, std::pair{"mac", &request.mac}}) {
    auto text = required_string(body, key);
    if (!text) return tl::make_unexpected(text.error());
    *target = std::move(*text);
  }
  auto admin = flag(body, "admin");
  if (!admin) return tl::make_unexpected(admin.error());
  request.admin = *admin;
  const std::string with_nul = request.name + request.password;
  if (with_nul.find('\0') != std::string::npos) return fail(ErrorCode::invalid_param, "NUL in name or password");
  return request;
}

Result<void> check_mac(const SharedSecretRequest& request, const std::string& secret) {
  std::string message = request.nonce;
  for (const std::string& part : {request.name, request.password, std::string(request.admin ? "admin" : "notadmin")}) {
    message += '\0';
    message += part;
  }
  if (!equal_constant_time(hmac_sha1_hex(secret, message), request.mac)) {
    return fail(ErrorCode::forbidden, "the HMAC does not hold");
  }
  return {};
}

Result<void> enabled(const Services& services) {
  if (!services.config.registration.shared_secret.empty()) return {};
  return fail(ErrorCode::forbidden, "registration by shared secret is off on this server");
}

}  // namespace

void get_registration_nonce(Services& services, Call, Reply reply) {
  if (auto on = enabled(services); !on) return reply.error(on.error());
  reply.json({{"nonce", services.registration_nonces.issue()}});
}

void register_with_shared_secret(Services& services, Call call, Reply reply) {
  if (auto on = enabled(services); !on) return reply.error(on.error());
  auto request = parse(*call.body);
  if (!request) return reply.error(request.error());
  if (!services.registration_nonces.use(request->nonce)) {
    return reply.error({ErrorCode::invalid_param, "this nonce was not issued, was used, or is too old"});
  }
  if (auto good = check_mac(*request, services.config.registration.shared_secret); !good) {
    log_refusal(services, call, "refused a registration by shared secret");
    return reply.error(good.error());
  }
  auto user = create_account(services, request->name, request->password, request->admin);
  if (!user) return reply.error(user.error());
  auto session = services.accounts.open_session(*user, {});
  if (!session) return reply.error(session.error());
  reply.json({{"user_id", user->str()},
              {"access_token", session->access_token},
              {"device_id", session->device},
              {"home_server", services.config.server_name.str()}});
}

}  // namespace skerry::homeserver::client_api
