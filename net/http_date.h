// Moments as HTTP writes them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/result.h"

namespace skerry::net {

// "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110, 5.6.7).
std::string http_date(std::int64_t time_ms);
// The moment that such a text means, in milliseconds. Errors: invalid_param; older forms are not read.
Result<std::int64_t> parse_http_date(std::string_view text);

}  // namespace skerry::net
