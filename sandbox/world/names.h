// What servers and users of a sandbox are called.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "core/ids.h"
#include "core/result.h"

namespace skerry::sandbox {

inline constexpr std::size_t max_servers = 1'000;

// alpha.test, bravo.test ... zulu.test, s027.test, s028.test ... for index 0, 1 ...
std::string server_name(std::size_t index);
std::vector<std::string> server_names(std::size_t count);

// The known server that was meant: its whole name, or its first label. Errors: not_found, listing the known ones.
Result<std::string> find_server(const std::vector<std::string>& known, std::string_view typed);

// The name of a server that is to be added: `typed` whole, or its first label. Errors: invalid_param for what is no
// name below .test, for a name that is known, and for one that servers of our own have when there are enough of them.
Result<std::string> new_server_name(const std::vector<std::string>& known, std::string_view typed);

// "@alice:alpha.test", "alice@alpha.test", or "alice" where `server` is given. The server must be known, and may be
// typed by its first label. Errors: invalid_param, not_found.
Result<UserId> parse_user(const std::vector<std::string>& known, std::string_view typed, std::string_view server = {});

}  // namespace skerry::sandbox
