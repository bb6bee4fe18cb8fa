// Where everything of a sandbox is: its files in its folder, its addresses in 127.0.0.0/8.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace skerry::sandbox {

// One sandbox's folder. `path` is absolute.
struct Folder {
  std::string path;

  std::string lock_file() const { return path + "/lock"; }
  std::string control_socket() const { return path + "/control.sock"; }
  std::string sandbox_json() const { return path + "/sandbox.json"; }
  std::string places_json() const {
    return path + "/places.json";
  }  // slot, ports and number of servers of the last time
  std::string supervisor_log() const { return path + "/supervisor.log"; }
  std::string authority() const { return path + "/authority"; }
  std::string ca_file() const { return authority() + "/ca.pem"; }
  // The authority beside the certificates that the user's programs trust anyway.
  std::string ca_bundle_file() const { return authority() + "/bundle.pem"; }
  std::string ca_key_file() const { return authority() + "/ca.key"; }
  std::string servers() const { return path + "/servers"; }
  std::string server(const std::string& name) const { return servers() + "/" + name; }
  std::string server_log(const std::string& name) const { return server(name) + "/log"; }
  std::string client_home() const { return path + "/client"; }
  std::string passwords_json() const { return path + "/passwords.json"; }
  std::string snapshots() const { return path + "/snapshots"; }
};

// Names the folder to programs that run on a sandbox.
inline constexpr const char* folder_variable = "SKERRY_SANDBOX_DIR";
// `typed` made absolute; where it is empty, $SKERRY_SANDBOX_DIR, else skerry below $XDG_STATE_HOME (~/.local/state).
Folder choose_folder(const std::string& typed);

// The ports that all servers of a sandbox have. Other ones where these are taken.
struct Ports {
  std::uint16_t federation = 8448;
  std::uint16_t client = 8008;
  std::uint16_t https = 8443;  // clients, and .well-known
  friend bool operator==(const Ports&, const Ports&) = default;
};

// What all sandboxes share and can fetch again: skerry below $XDG_CACHE_HOME (~/.cache).
std::string cache_folder();

inline constexpr int max_slot = 254;  // 127.0.x.y is left to the system

// Where the server of an index listens, and where the gateway listens for it. REQUIRES: 1 <= slot <= max_slot.
std::string own_address(int slot, std::size_t index);      // 127.S.0-99.y
std::string gateway_address(int slot, std::size_t index);  // 127.S.100-199.y
std::string dns_address(int slot);                         // 127.S.0.53

}  // namespace skerry::sandbox
