#include "sandbox/world/stand_in.h"

#include "sandbox/world/authority.h"

namespace skerry::sandbox {

namespace {

// Whoever reads the second text did not verify the certificate.
constexpr int unverified_status = 502;

std::string key_of(const std::string& server, const LinkSettings& settings) {
  return server + " " + to_text(settings.mode) + " " + std::to_string(settings.http_status);
}

net::HttpResponse answer(const LinkSettings& settings) {
  const bool http = settings.mode == LinkMode::http;
  return {http ? settings.http_status : unverified_status,
          {{"Content-Type", "text/plain"}},
          http ? "The sandbox's gateway answers in the server's place.\n"
               : "The sandbox's gateway ended this connection's TLS with a bad certificate, and it was not refused.\n"};
}

}  // namespace

Result<void> StandIns::prepare(const ServerPlan& server, const LinkSettings& settings) {
  const std::string key = key_of(server.name, settings);
  {
    std::scoped_lock lock(mutex_);
    if (ready_.contains(key)) return {};
  }
  auto identity = issue_for_gateway(folder_, server, settings.mode);
  if (!identity) return tl::make_unexpected(identity.error());
  net::HttpServerOptions options;
  options.listeners = {{server.gateway, 0, std::move(*identity)}, {server.gateway, 0, std::nullopt}};
  options.body_limit = [](const net::HttpRequest&) { return std::size_t{64} * 1'048'576; };
  options.error_response = [](int status) { return net::HttpResponse{status, {}, ""}; };
  auto http = net::HttpServer::start(io_, std::move(options), [settings](net::HttpRequest, net::Responder responder) {
    responder.respond(answer(settings));
  });
  if (!http) return tl::make_unexpected(http.error());
  std::scoped_lock lock(mutex_);
  ready_[key] = {server.gateway, std::move(*http)};
  return {};
}

std::optional<net::ConnectionRules::Place> StandIns::place(const std::string& server, const LinkSettings& settings,
                                                           bool tls) const {
  if (!tls && settings.mode != LinkMode::http) return std::nullopt;
  std::scoped_lock lock(mutex_);
  const auto found = ready_.find(key_of(server, settings));
  if (found == ready_.end()) return std::nullopt;
  return net::ConnectionRules::Place{found->second.address, found->second.http->port(tls ? 0 : 1)};
}

}  // namespace skerry::sandbox
