#include "sandbox/world/layout.h"

#include <cstdlib>
#include <filesystem>
#include <pwd.h>
#include <unistd.h>

namespace skerry::sandbox {

namespace {

constexpr std::size_t servers_per_net = 50;  // y is 1 to 50: never the DNS's 53

std::string address(int slot, std::size_t first_net, std::size_t index) {
  return "127." + std::to_string(slot) + "." + std::to_string(first_net + index / servers_per_net) + "." +
         std::to_string(index % servers_per_net + 1);
}

// The basedir specification: a relative path is to be ignored.
std::filesystem::path base_folder(const char* variable, const char* below_home) {
  const char* given = std::getenv(variable);
  if (given != nullptr && given[0] == '/') return given;
  const char* home = std::getenv("HOME");
  if (home == nullptr || home[0] != '/') {
    const passwd* user = ::getpwuid(::getuid());
    home = user != nullptr ? user->pw_dir : "/";
  }
  return std::filesystem::path(home) / below_home;
}

std::filesystem::path usual_folder() {
  const char* given = std::getenv(folder_variable);
  return given != nullptr && given[0] == '/' ? std::filesystem::path(given)
                                             : base_folder("XDG_STATE_HOME", ".local/state") / "skerry";
}

}  // namespace

Folder choose_folder(const std::string& typed) {
  const std::filesystem::path path = typed.empty() ? usual_folder() : std::filesystem::absolute(typed);
  std::string text = path.lexically_normal().string();
  while (text.size() > 1 && text.back() == '/') text.pop_back();
  return {text};
}

std::string cache_folder() { return (base_folder("XDG_CACHE_HOME", ".cache") / "skerry").string(); }

std::string own_address(int slot, std::size_t index) { return address(slot, 0, index); }
std::string gateway_address(int slot, std::size_t index) { return address(slot, 100, index); }
std::string dns_address(int slot) { return "127." + std::to_string(slot) + ".0.53"; }

}  // namespace skerry::sandbox
