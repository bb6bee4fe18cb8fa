// A GET /sync that waits for half a minute, on a thread of its own.
#pragma once

#include <future>

#include "tests/support/api.h"
#include "tests/support/metrics.h"

namespace skerry::test {

class WaitingSync {
 public:
  // Returns when it waits. `parameters` are further ones, as "&name=value". REQUIRES: the server has metrics_table, and
  // no other /sync waits there.
  WaitingSync(const HomeserverProcess& server, const Api& api, const std::string& parameters = {});
  // The answer. Fails the test when it was not interrupted.
  Answer answer();

 private:
  std::future<Answer> answer_;
};

}  // namespace skerry::test
