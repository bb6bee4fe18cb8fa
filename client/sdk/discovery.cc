#include "client/sdk/discovery.h"

#include <nlohmann/json.hpp>

#include "core/ids.h"
#include "core/json.h"
#include "core/limits.h"
#include "net/http_client.h"
#include "net/resolver.h"

namespace skerry::client {
namespace {

bool has_scheme(const std::string& text) { return text.starts_with("https://") || text.starts_with("http://"); }

std::string without_slash(std::string url) {
  while (url.ends_with('/')) url.pop_back();
  return url;
}

// GET, following redirects from HTTPS to HTTPS only.
Result<net::HttpResponse> get_well_known(net::HttpClient& http, std::string url) {
  for (std::size_t hop = 0; hop <= limits::redirects; ++hop) {
    auto parsed = net::parse_url(url);
    if (!parsed) return tl::make_unexpected(parsed.error());
    net::OutgoingRequest request;
    request.endpoint = parsed->endpoint;
    request.target = parsed->base_path;
    request.max_response_bytes = limits::well_known_bytes;
    auto response = http.call(std::move(request));
    if (!response || response->status < 300 || response->status > 399) return response;
    const auto location = net::find_header(response->headers, "Location");
    if (!location || !location->starts_with("https://")) break;
    url = *location;
  }
  return fail(ErrorCode::remote_error, "its /.well-known/matrix/client leads nowhere");
}

}  // namespace

Result<std::string> parse_well_known(const std::string& body) {
  auto answer = parse_untrusted(body, JsonNumbers::any);
  const Json* server = answer ? find_object(*answer, "m.homeserver") : nullptr;
  const std::string* url = server ? find_string(*server, "base_url") : nullptr;
  if (!url || !has_scheme(*url)) {
    return fail(ErrorCode::remote_error, "its /.well-known/matrix/client names no homeserver");
  }
  return without_slash(*url);
}

Result<std::string> discover_homeserver(net::Io& io, const std::string& server,
                                        const std::vector<std::string>& ca_files) {
  if (has_scheme(server)) return without_slash(server);
  if (!ServerName::parse(server)) {
    return fail(ErrorCode::invalid_param, "'" + server + "' is neither a URL nor a server name");
  }
  net::Resolver resolver(io, {});
  net::HttpClientOptions options;
  options.trust.ca_files = ca_files;
  options.policy = net::AddressPolicy::allow_all();
  net::HttpClient http(io, resolver, std::move(options));
  auto response = get_well_known(http, "https://" + server + "/.well-known/matrix/client");
  if (!response) return tl::make_unexpected(Error{response.error().code, server + ": " + response.error().text});
  if (response->status == 404) return "https://" + server;
  if (response->status != 200) {
    return fail(ErrorCode::remote_error, server + ": its /.well-known/matrix/client answers with HTTP status " +
                                             std::to_string(response->status));
  }
  auto url = parse_well_known(response->body);
  if (!url) return tl::make_unexpected(Error{url.error().code, server + ": " + url.error().text});
  return url;
}

}  // namespace skerry::client
