// Requests to the sandbox's servers, by literal address.
#pragma once

#include <memory>
#include <string>

#include "net/http_client.h"
#include "net/io.h"
#include "net/resolver.h"

namespace skerry::sandbox {

// What a client of HTTP needs, in one. Thread-safe.
class Web {
 public:
  // Trusts this authority alone (empty: plain HTTP only).
  explicit Web(const std::string& ca_file = {});
  net::HttpClient& client() { return *client_; }
  // One more client, whose pending requests can be ended apart from others.
  std::unique_ptr<net::HttpClient> make_client();
  net::Io& io() { return io_; }

 private:
  const net::HttpClientOptions options_;
  net::Io io_;
  net::Resolver resolver_;
  std::unique_ptr<net::HttpClient> client_;
};

}  // namespace skerry::sandbox
