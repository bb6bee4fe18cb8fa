#include "client/sdk/http_transport.h"

#include <utility>

namespace skerry::client {
namespace {

// The user names the server, so any address may be called: loopback and private ones too.
net::HttpClientOptions options(const std::vector<std::string>& ca_files) {
  net::HttpClientOptions out;
  out.trust.ca_files = ca_files;
  out.policy = net::AddressPolicy::allow_all();
  return out;
}

}  // namespace

Result<std::unique_ptr<HttpTransport>> HttpTransport::make(net::Io& io, const std::string& base_url,
                                                           const std::vector<std::string>& ca_files) {
  auto url = net::parse_url(base_url);
  if (!url) return tl::make_unexpected(url.error());
  return std::unique_ptr<HttpTransport>(new HttpTransport(io, std::move(*url), ca_files));
}

HttpTransport::HttpTransport(net::Io& io, net::ParsedUrl url, const std::vector<std::string>& ca_files)
    : url_(std::move(url)), resolver_(io, {}), http_(io, resolver_, options(ca_files)) {}

void HttpTransport::send(ApiRequest request, Done done) {
  net::OutgoingRequest out;
  out.endpoint = url_.endpoint;
  out.method = std::move(request.method);
  out.target = url_.base_path + request.target;
  if (!request.access_token.empty()) out.headers.emplace_back("Authorization", "Bearer " + request.access_token);
  if (!request.body.empty()) out.headers.emplace_back("Content-Type", "application/json");
  out.headers.emplace_back("User-Agent", "skerry-client/" SKERRY_VERSION);
  out.body = std::move(request.body);
  out.timeout = request.timeout;
  out.max_response_bytes = request.max_response_bytes;
  http_.send(std::move(out), std::move(done));
}

}  // namespace skerry::client
