// From what a person types as a server to the base URL of its client-server API.
#pragma once

#include <string>
#include <vector>

#include "core/result.h"
#include "net/io.h"

namespace skerry::client {

// "https://..." and "http://..." are taken as they are. A server name ("example.org") is looked up at
// https://<name>/.well-known/matrix/client (client-server API, 'Well-known URIs'); a 404 there means https://<name>
// itself. Waits. Errors: invalid_param (neither), unreachable, timeout, remote_error (a broken answer).
Result<std::string> discover_homeserver(net::Io& io, const std::string& server,
                                        const std::vector<std::string>& ca_files);

// The base URL in a well-known answer, without a slash at its end. Errors: remote_error.
Result<std::string> parse_well_known(const std::string& body);

}  // namespace skerry::client
