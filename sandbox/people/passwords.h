// Passwords that this program made up, so that nobody has to remember those of a sandbox.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "core/ids.h"
#include "core/result.h"
#include "sandbox/world/layout.h"

namespace skerry::sandbox {

std::string make_password();
// Errors: storage.
Result<void> remember_password(const Folder& folder, const UserId& user, const std::string& password);
// Of several users, by their ids.
Result<void> remember_passwords(const Folder& folder, const std::map<std::string, std::string>& passwords);
std::optional<std::string> remembered_password(const Folder& folder, const UserId& user);

}  // namespace skerry::sandbox
