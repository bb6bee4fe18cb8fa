#include "sandbox/world/web.h"

namespace skerry::sandbox {

namespace {

net::HttpClientOptions options(const std::string& ca_file) {
  net::HttpClientOptions options;
  options.trust.system_store = false;
  if (!ca_file.empty()) options.trust.ca_files = {ca_file};
  options.policy = net::AddressPolicy::allow_all();
  return options;
}

}  // namespace

Web::Web(const std::string& ca_file) : options_(options(ca_file)), io_(1), resolver_(io_, {}), client_(make_client()) {}

std::unique_ptr<net::HttpClient> Web::make_client() {
  return std::make_unique<net::HttpClient>(io_, resolver_, options_);
}

}  // namespace skerry::sandbox
