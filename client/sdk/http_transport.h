// Requests to one homeserver over HTTP or HTTPS.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "client/sdk/transport.h"
#include "net/http_client.h"
#include "net/io.h"
#include "net/resolver.h"

namespace skerry::client {

class HttpTransport final : public Transport {
 public:
  // `base_url` as in "https://matrix.example.org" or "http://127.0.0.1:8008". Errors: invalid_param (not such a URL).
  // `io` must outlive it.
  static Result<std::unique_ptr<HttpTransport>> make(net::Io& io, const std::string& base_url,
                                                     const std::vector<std::string>& ca_files);
  void send(ApiRequest request, Done done) override;

 private:
  HttpTransport(net::Io& io, net::ParsedUrl url, const std::vector<std::string>& ca_files);
  net::ParsedUrl url_;
  net::Resolver resolver_;
  net::HttpClient http_;
};

}  // namespace skerry::client
