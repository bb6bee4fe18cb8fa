#include "sandbox/people/passwords.h"

#include <cerrno>
#include <fcntl.h>
#include <sys/file.h>

#include <nlohmann/json.hpp>

#include "core/crypto.h"
#include "core/json.h"
#include "net/runtime.h"
#include "sandbox/world/files.h"
#include "sandbox/world/sockets.h"

namespace skerry::sandbox {

namespace {

constexpr std::size_t random_bytes = 12;

Json read(const Folder& folder) {
  const auto text = read_file(folder.passwords_json());
  auto json = text ? parse_untrusted(*text, JsonNumbers::any) : Result<Json>(Json::object());
  return json && json->is_object() ? *json : Json::object();
}

}  // namespace

std::string make_password() { return base64url_encode(net::system_random().bytes(random_bytes)); }

Result<void> remember_password(const Folder& folder, const UserId& user, const std::string& password) {
  return remember_passwords(folder, {{user.str(), password}});
}

Result<void> remember_passwords(const Folder& folder, const std::map<std::string, std::string>& passwords) {
  // Others may register at the same time, in other processes too: the folder is locked from reading to writing.
  const Descriptor lock(::open(folder.path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!lock.open()) return tl::make_unexpected(system_error(folder.path));
  while (::flock(lock.get(), LOCK_EX) != 0) {
    if (errno != EINTR) return tl::make_unexpected(system_error(folder.path));
  }
  Json known = read(folder);
  for (const auto& [user, password] : passwords) known[user] = password;
  return write_file(folder.passwords_json(), known.dump(1) + "\n");
}

std::optional<std::string> remembered_password(const Folder& folder, const UserId& user) {
  const Json passwords = read(folder);
  const std::string* password = find_string(passwords, user.str());
  return password != nullptr ? std::optional(*password) : std::nullopt;
}

}  // namespace skerry::sandbox
