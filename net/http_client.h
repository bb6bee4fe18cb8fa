// HTTP and HTTPS requests to a known place, over kept-alive connections. Certificates are always verified.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/result.h"
#include "net/address.h"
#include "net/http.h"
#include "net/io.h"
#include "net/resolver.h"
#include "net/tls.h"

namespace skerry::net {

// Where a request goes.
struct Endpoint {
  std::string connect_host;  // name or literal IP to connect to (names go through the resolver)
  std::uint16_t port = 0;
  bool tls = true;
  std::string host_header;  // e.g. "example.org:8448"
  std::string tls_name;     // name or IP that the certificate must carry; also SNI when a name
};

struct OutgoingRequest {
  Endpoint endpoint;
  std::string method = "GET";
  std::string target = "/";
  Headers headers;  // without Host and Content-Length
  std::string body;
  std::chrono::milliseconds timeout{30'000};  // for the whole request, resolution included
  std::size_t max_response_bytes = 4 * 1'048'576;
};

struct HttpClientOptions {
  TrustOptions trust;
  AddressPolicy policy;      // every address is asked before a connection to it
  std::string bind_address;  // local address of outgoing sockets; empty: any
  std::size_t idle_connections_per_endpoint = 4;
  std::size_t idle_connections = 256;  // to all together
  std::chrono::seconds idle_time{60};
};

// Thread-safe. Redirects are not followed. A request that was not answered on a reused connection before a byte of the
// answer came is repeated once on a fresh one only if its method is idempotent (GET, HEAD, PUT, DELETE, OPTIONS).
// Each callback is called exactly once.
class HttpClient {
 public:
  HttpClient(Io& io, Resolver& resolver, HttpClientOptions options);
  ~HttpClient();  // close()

  // `done` runs on an Io thread (at once, when the request is malformed) and must not block. Errors: unreachable,
  // timeout, too_large, cancelled, with the place and what failed there; any HTTP status is a value.
  void send(OutgoingRequest request, std::function<void(Result<HttpResponse>)> done);
  // The same, waiting. Not from an Io thread.
  Result<HttpResponse> call(OutgoingRequest request);
  // Pending requests and all later ones end with `cancelled`. Waits for callbacks that run; once it returns all were
  // called, and the resolver is not used any more. Idempotent. Not from a callback.
  void close();

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

// "http://127.0.0.1:8008/base" and "https://..." into an endpoint and a base path (without trailing slash). Errors:
// invalid_param.
struct ParsedUrl {
  Endpoint endpoint;
  std::string base_path;
};
Result<ParsedUrl> parse_url(std::string_view url);

// Where a Location header leads that stood in an answer of `from`: to another path of the same place, or anywhere by
// https. Errors: invalid_param.
struct Place {
  Endpoint endpoint;
  std::string target;
};
Result<Place> parse_location(std::string_view location, const Endpoint& from);

}  // namespace skerry::net
