// Sends application services what they are interested in: in order, again until it was taken, over crashes.
// Application service API, 'Pushing events'.
#pragma once

#include <memory>
#include <string>

#include "federation/backoff.h"
#include "homeserver/appservices/client.h"
#include "homeserver/sync/presence.h"
#include "homeserver/sync/typing.h"
#include "net/runtime.h"
#include "net/worker_pool.h"
#include "storage/database.h"

namespace skerry::homeserver {

// Thread-safe. Holds no thread while it waits for an answer or for the next attempt. One transaction of each
// application service is under way. A transaction is on the disk before it is sent, so that after a crash the same
// events go out under the same id.
class AppserviceSender {
 public:
  struct Parts {
    const Appservices& appservices;
    AppserviceClient& client;
    storage::Database& database;
    const Typing& typing;
    const Presence& presence;
    net::Scheduler& scheduler;
    net::WorkerPool& pool;
    net::Clock& clock;
    net::Random& random;
    federation::BackoffOptions backoff;
  };
  explicit AppserviceSender(Parts parts);
  ~AppserviceSender();  // stop()

  // Takes up where the last run ended; an application service that is new is told what happens from now on. Errors:
  // storage.
  Result<void> start();
  // The stream grew. Cheap, does not block.
  void wake();
  // It made a request: if it gave no answer lately, try again soon.
  void saw_alive(const Appservice& appservice);
  void stop();

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace skerry::homeserver
