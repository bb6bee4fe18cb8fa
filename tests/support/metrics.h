// What a homeserver of a test counts. GET /metrics on a listener of its own.
#pragma once

#include <string>

#include "tests/support/homeserver_process.h"

namespace skerry::test {

// For HomeserverOptions::tables.
inline constexpr const char* metrics_table = "[metrics]\naddress = \"127.0.0.1\"\nport = 0\n";

std::string metrics_url(const HomeserverProcess& server);  // empty when it has no such listener
// The value of a sample in the text of /metrics; "" when there is none.
std::string sample(const std::string& text, const std::string& name);

}  // namespace skerry::test
