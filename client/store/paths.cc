#include "client/store/paths.h"

#include <cstdlib>
#include <pwd.h>
#include <unistd.h>

namespace skerry::client {
namespace {

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

std::string home() {
  if (std::string set = environment("HOME"); !set.empty()) return set;
  const passwd* user = getpwuid(getuid());
  return user && user->pw_dir ? user->pw_dir : "/";
}

// The XDG Base Directory Specification: paths that are not absolute count as unset.
std::string xdg(const char* name, const char* below_home) {
  const std::string set = environment(name);
  return (set.starts_with('/') ? set : home() + below_home) + "/skerry-client";
}

}  // namespace

Paths default_paths() {
  if (const std::string all = environment("SKERRY_CLIENT_HOME"); !all.empty()) return {all, all};
  return {xdg("XDG_CONFIG_HOME", "/.config"), xdg("XDG_STATE_HOME", "/.local/state")};
}

}  // namespace skerry::client
