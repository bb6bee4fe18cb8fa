// One homeserver in this process: everything built in its order, wired, and taken down again.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "core/result.h"
#include "homeserver/config.h"

namespace skerry::homeserver {

class Server {
 public:
  // Opens the data folder, reads or makes the signing key, listens, and takes up what was owed to others. The ports in
  // use are then in `data_folder`/listeners.json: {"pid": N, "listeners": [{"address", "port", "tls"}], "metrics":
  // {"address", "port"}}. Errors: storage, invalid_param, with what to mend.
  // `steering_file` is for experiments (steering.h); empty: none.
  static Result<std::unique_ptr<Server>> start(Config config, const std::string& steering_file = {});
  ~Server();  // stop()

  std::uint16_t port(std::size_t listener) const;

  // Calls `on_signal` for each SIGTERM and SIGINT, on a thread of this server: it must not block or stop the server.
  void on_termination(std::function<void(int signal)> on_signal);

  // Takes no more requests, lets those under way end within `grace` (waiting /sync requests answer at once), writes
  // what is queued, closes the database. Idempotent. Not from a thread of the server.
  void stop(std::chrono::milliseconds grace);

 private:
  struct Impl;
  explicit Server(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// What --check-config checks beyond the file itself: that certificates and CA files can be read. Errors: storage.
Result<void> check_files(const Config& config);

}  // namespace skerry::homeserver
