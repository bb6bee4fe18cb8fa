#include "sandbox/world/authority.h"

#include <filesystem>

#include "net/runtime.h"
#include "net/tls.h"
#include "sandbox/world/files.h"

namespace skerry::sandbox {

namespace {

constexpr int authority_days = 3'650;
constexpr int certificate_days = 365;

Result<net::CertificateAuthority> load_or_create(const Folder& folder) {
  const auto certificate = read_file(folder.ca_file());
  const auto key = read_file(folder.ca_key_file());
  if (certificate && key) return net::CertificateAuthority::load(*certificate, *key);
  if (auto made = make_folder(folder.authority()); !made) return tl::make_unexpected(made.error());
  auto authority = net::CertificateAuthority::create("Skerry sandbox", net::system_clock().now_ms(), authority_days);
  if (!authority) return authority;
  for (const auto& [file, text] : {std::pair{folder.ca_key_file(), authority->key_pem()},
                                   std::pair{folder.ca_file(), authority->certificate_pem()}}) {
    if (auto written = write_file(file, text); !written) return tl::make_unexpected(written.error());
  }
  return authority;
}

}  // namespace

Result<void> write_certificates(const Folder& folder, const std::vector<ServerPlan>& servers) {
  auto authority = load_or_create(folder);
  if (!authority) return tl::make_unexpected(authority.error());
  for (const ServerPlan& server : servers) {
    std::vector<std::string> addresses = {server.own};
    if (server.gateway != server.own) addresses.push_back(server.gateway);
    auto identity =
        authority->issue({server.name, "localhost"}, addresses, net::system_clock().now_ms(), certificate_days);
    if (!identity) return tl::make_unexpected(identity.error());
    for (const auto& [name, text] :
         {std::pair{"/certificate.pem", identity->certificate_pem}, std::pair{"/key.pem", identity->key_pem}}) {
      if (auto written = write_file(folder.server(server.name) + name, text); !written) return written;
    }
  }
  return {};
}

}  // namespace skerry::sandbox
