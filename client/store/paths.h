// Where the client keeps its files.
#pragma once

#include <string>

namespace skerry::client {

struct Paths {
  std::string config_dir;  // config.toml, written by the user
  std::string state_dir;   // client.db: sessions with their access tokens, and what was seen last
};

// $SKERRY_CLIENT_HOME holds both; otherwise skerry-client below $XDG_CONFIG_HOME (~/.config) and $XDG_STATE_HOME
// (~/.local/state).
Paths default_paths();

}  // namespace skerry::client
