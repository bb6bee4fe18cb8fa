// This server's side of federation, and other servers as in-process HTTPS listeners whose names are their addresses.
#pragma once

#include <condition_variable>
#include <mutex>

#include "federation/client.h"
#include "federation/key_ring.h"
#include "federation/outbox.h"
#include "storage/database.h"
#include "tests/net/loopback.h"
#include "tests/support/room_builder.h"

namespace skerry::federation {

inline ServerName name_of(const net::HttpServer& peer) {
  return test::server("127.0.0.1:" + std::to_string(peer.port(0)));
}

struct Federation {
  net::Loopback loopback;
  net::Resolver resolver{loopback.io(), {}};
  net::WorkerPool pool{"test", 4, 1'000};
  ServerName us = test::server("us.test");
  Discovery discovery{loopback.client(), resolver, net::system_clock(), {}};
  BackoffOptions backoff{std::chrono::milliseconds(5), std::chrono::milliseconds(20)};
  FederationClient client{loopback.client(), discovery, net::system_clock(), us, test::key_of(us), backoff};

  ~Federation() { stop(); }

  // As a server ends: no answer comes any more, nothing runs, and then no callback either.
  void stop() {
    loopback.client().close();
    pool.stop();
    loopback.io().stop();
  }
};

// A data folder that goes with the test.
struct Folder {
  Folder() {
    char name[] = "/tmp/skerry-federation-XXXXXX";
    if (mkdtemp(name) == nullptr) throw std::runtime_error("no temporary folder");
    path = name;
  }
  ~Folder() { std::filesystem::remove_all(path); }
  std::string path;
};

// Waits until `holds` does, for at most ten seconds if not told otherwise.
class Condition {
 public:
  template <class Change>
  void change(Change apply) {
    {
      const std::lock_guard lock(mutex_);
      apply();
    }
    changed_.notify_all();
  }
  template <class Holds>
  bool wait(Holds holds, std::chrono::milliseconds time = std::chrono::seconds(10)) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, time, holds);
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
};

}  // namespace skerry::federation
