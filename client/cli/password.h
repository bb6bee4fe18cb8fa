// Passwords from where a person or a script gives them.
#pragma once

#include <string>

#include "client/cli/command.h"

namespace skerry::client {

// --password, --password-file, --password-stdin, $SKERRY_PASSWORD, or asked on the terminal without echo; twice when
// `confirm`.
Outcome<std::string> obtain_password(const Arguments& args, const SafeText& user, bool confirm);

// Asks on the terminal, with echo. Fails where there is none.
Outcome<std::string> ask(const SafeText& question);

}  // namespace skerry::client
