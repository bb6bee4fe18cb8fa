#include "tests/crash/account.h"

#include "tests/support/world.h"

namespace skerry::crash {

Account::Account(sandbox::Web& web, const std::string& client_url, const std::string& localpart)
    : http_(web.make_client()) {
  auto registered = test::must(
      sandbox::register_account(sandbox::ClientApi(*http_, client_url), localpart, "correct horse"), "register");
  user_id_ = registered.user_id;
  api_ = std::make_unique<sandbox::ClientApi>(*http_, client_url, registered.access_token);
}

}  // namespace skerry::crash
