// The passwords of the accounts that the sandbox made.
#include "sandbox/people/passwords.h"

#include <atomic>
#include <thread>
#include <vector>

#include <catch2/catch.hpp>

#include "tests/support/homeserver_process.h"
#include "tests/support/room_builder.h"

using namespace skerry;           // NOLINT(google-build-using-namespace)
using namespace skerry::sandbox;  // NOLINT(google-build-using-namespace)

TEST_CASE("passwords of people who register at the same time are all remembered") {
  const test::TemporaryFolder files;
  const Folder folder{files.path()};
  constexpr int people = 20;
  std::vector<std::thread> registering;
  std::atomic<int> failures = 0;
  for (const std::string town : {"alpha", "bravo", "charlie", "delta"}) {
    registering.emplace_back([&, town] {
      for (int i = 0; i < people; ++i) {
        const UserId who = test::user("@user" + std::to_string(i) + ":" + town + ".test");
        if (!remember_password(folder, who, town + std::to_string(i))) ++failures;
      }
    });
  }
  for (std::thread& each : registering) each.join();
  CHECK(failures == 0);
  for (const std::string town : {"alpha", "bravo", "charlie", "delta"}) {
    for (int i = 0; i < people; ++i) {
      const UserId who = test::user("@user" + std::to_string(i) + ":" + town + ".test");
      CHECK(remembered_password(folder, who) == town + std::to_string(i));
    }
  }
}
