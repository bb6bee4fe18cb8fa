#include "sandbox/world/layout.h"

#include <cstdlib>
#include <set>
#include <sys/stat.h>

#include <catch2/catch.hpp>

#include "sandbox/world/names.h"
#include "sandbox/world/sockets.h"
#include "tests/support/homeserver_process.h"

using namespace skerry::sandbox;  // NOLINT(google-build-using-namespace)

TEST_CASE("every server has addresses of its own that are nobody else's") {
  std::set<std::string> addresses = {dns_address(7)};
  for (std::size_t i = 0; i < max_servers; ++i) {
    CHECK(addresses.insert(own_address(7, i)).second);
    CHECK(addresses.insert(gateway_address(7, i)).second);
  }
  CHECK(own_address(7, 0) == "127.7.0.1");
  CHECK(gateway_address(7, 0) == "127.7.100.1");
  CHECK(own_address(7, 50) == "127.7.1.1");
  CHECK(gateway_address(7, 999) == "127.7.119.50");
}

TEST_CASE("a slot is held by one and free again with its end") {
  auto first = take_slot(0);
  REQUIRE(first);
  auto second = take_slot(first->number);
  REQUIRE(second);
  CHECK(second->number != first->number);
  const int number = first->number;
  first->held.close();
  auto third = take_slot(number);
  REQUIRE(third);
  CHECK(third->number == number);
}

TEST_CASE("a port that is taken is seen as such") {
  const auto taken = listen_udp_tcp("127.0.0.1", {0});
  REQUIRE(taken);
  CHECK_FALSE(can_listen("127.0.0.1", taken->port));
  const auto other = listen_udp_tcp("127.0.0.1", {taken->port, 0});
  REQUIRE(other);
  CHECK(other->port != taken->port);
}

TEST_CASE("a socket in a folder with a long name can be used") {
  const skerry::test::TemporaryFolder folder;
  const std::string deep = folder.path() + "/" + std::string(120, 'd');
  REQUIRE(::mkdir(deep.c_str(), 0700) == 0);
  const auto listener = listen_unix(deep + "/control.sock");
  REQUIRE(listener);
  CHECK(connect_unix(deep + "/control.sock"));
  CHECK_FALSE(connect_unix(deep + "/other.sock"));
}

TEST_CASE("the folder follows the XDG base directories and is absolute") {
  ::setenv("XDG_STATE_HOME", "/somewhere/state", 1);
  CHECK(choose_folder("").path == "/somewhere/state/skerry");
  ::setenv("XDG_STATE_HOME", "relative", 1);  // to be ignored
  ::setenv("HOME", "/home/of", 1);
  CHECK(choose_folder("").path == "/home/of/.local/state/skerry");
  CHECK(choose_folder("/a/b/../c/").path == "/a/c");
  CHECK(choose_folder("x").path.front() == '/');
}
