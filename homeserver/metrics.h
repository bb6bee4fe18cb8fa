// What /metrics tells, as Prometheus reads it (text format 0.0.4).
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "net/http.h"
#include "storage/database.h"

namespace skerry::homeserver {

struct Services;

// Counts requests by row of the route table. Thread-safe; counting takes no lock.
class Metrics {
 public:
  Metrics();
  ~Metrics();

  // The same responder, whose answer is counted when it is given. `row` is one of the route table, or routes().size()
  // for requests that have none.
  net::Responder counted(net::Responder responder, std::size_t row);

  std::atomic<std::uint64_t> received_pdus{0};
  std::atomic<std::uint64_t> received_edus{0};

  // Everything, with what the parts of the server count for themselves.
  std::string text(Services& services, std::size_t open_connections) const;

 private:
  struct Row;
  void write_requests(std::string& out) const;

  std::vector<std::shared_ptr<Row>> rows_;  // shared: an answer may come when all else has gone
};

}  // namespace skerry::homeserver
