// An account on one server of the sandbox, spoken to past the gateway: cut links are between servers.
#pragma once

#include <memory>
#include <string>

#include "sandbox/people/client_api.h"
#include "sandbox/world/web.h"

namespace skerry::crash {

class Account {
 public:
  // Throws when that is refused.
  Account(sandbox::Web& web, const std::string& client_url, const std::string& localpart);

  const std::string& user_id() const { return user_id_; }
  const sandbox::ClientApi& api() const { return *api_; }
  // Ends pending requests and all later ones.
  void close() { http_->close(); }

 private:
  std::unique_ptr<net::HttpClient> http_;
  std::string user_id_;
  std::unique_ptr<sandbox::ClientApi> api_;
};

}  // namespace skerry::crash
