#include <atomic>
#include <csignal>
#include <future>

#include <catch2/catch.hpp>

#include "net/address.h"
#include "net/http.h"
#include "net/router.h"
#include "net/tls.h"
#include "net/worker_pool.h"
#include "tests/net/loopback.h"

using namespace skerry;
using namespace skerry::net;

TEST_CASE("percent escapes are decoded strictly") {
  CHECK(*percent_decode("a%20b%C3%A9") == "a b\xC3\xA9");
  CHECK(*percent_decode("a+b", true) == "a b");
  CHECK_FALSE(percent_decode("%"));
  CHECK_FALSE(percent_decode("%zz"));
  CHECK_FALSE(percent_decode("%00"));
  CHECK_FALSE(percent_decode("%FF"));
  CHECK_FALSE(percent_decode("%ED%A0%80"));  // a surrogate
  CHECK(percent_encode("a b/\xC3\xA9") == "a%20b%2F%C3%A9");
  auto query = parse_query("a=1&b=&&c&d=%26");
  REQUIRE(query);
  CHECK(*query == std::vector<std::pair<std::string, std::string>>{{"a", "1"}, {"b", ""}, {"c", ""}, {"d", "&"}});
}

TEST_CASE("the router prefers literals and tells an unknown path from a wrong method") {
  Router router;
  router.add("GET", "/rooms/{room}/state/{type}/{key}", 1);
  router.add("GET", "/rooms/{room}/state/{type}/", 2);
  router.add("GET", "/rooms/{room}/state/{type}", 3);
  router.add("PUT", "/rooms/special/state/{type}", 4);
  CHECK(router.find("GET", "/rooms/%21a%2Fb/state/m.x/k").parameters == std::vector<std::string>{"!a/b", "m.x", "k"});
  CHECK(router.find("GET", "/rooms/r/state/m.x/").row == 2);
  CHECK(router.find("GET", "/rooms/r/state/m.x").row == 3);
  CHECK(router.find("GET", "/rooms/special/state/m.x").row == 3);
  CHECK(router.find("PUT", "/rooms/special/state/m.x").row == 4);
  CHECK(router.find("PUT", "/rooms/r/state/m.x").kind == Router::Match::Kind::wrong_method);
  CHECK(router.find("GET", "/rooms//state/m.x").kind == Router::Match::Kind::unknown_path);
  CHECK(router.find("GET", "/rooms/r%2/state/m.x").kind == Router::Match::Kind::bad_escape);
  CHECK(router.find("GET", "").kind == Router::Match::Kind::unknown_path);
}

TEST_CASE("special addresses may not be called unless allowed") {
  AddressPolicy closed;
  for (const char* address : {"127.0.0.1",
                              "10.1.2.3",
                              "192.168.0.1",
                              "172.31.255.255",
                              "169.254.169.254",
                              "100.64.0.1",
                              "0.0.0.0",
                              "255.255.255.255",
                              "224.0.0.1",
                              "::1",
                              "::",
                              "fe80::1",
                              "fd00::1",
                              "::ffff:127.0.0.1",
                              "64:ff9b::7f00:1",
                              "2002:7f00:1::",
                              "::127.0.0.1",
                              "::ffff:0:127.0.0.1",
                              "2001:db8::1",
                              "2001::1",
                              "64:ff9b:1::1",
                              "ff02::1",
                              "fec0::1",
                              "198.18.0.1",
                              "192.0.2.1",
                              "198.51.100.1",
                              "203.0.113.1",
                              "192.0.0.8",
                              "240.0.0.1",
                              "fe80::1%eth0",
                              "127.1",
                              "0x7f.1",
                              "not an address",
                              ""}) {
    CAPTURE(address);
    CHECK_FALSE(closed.may_call(address));
  }
  for (const char* address : {"9.9.9.9", "172.32.0.1", "2620:fe::fe", "::ffff:9.9.9.9"}) {
    CAPTURE(address);
    CHECK(closed.may_call(address));
  }
  auto sandbox = AddressPolicy::make({"127.0.0.0/8"});
  REQUIRE(sandbox);
  CHECK(sandbox->may_call("127.1.0.3"));
  CHECK_FALSE(sandbox->may_call("10.0.0.1"));
  CHECK_FALSE(AddressPolicy::make({"127.0.0.0/33"}));
  CHECK_FALSE(AddressPolicy::make({"everything"}));
}

TEST_CASE("a worker pool runs what it took and drops what waits when it stops") {
  WorkerPool pool("test", 2, 3);
  std::promise<void> go;
  auto gone = go.get_future().share();
  std::atomic<int> started = 0;
  for (int i = 0; i < 2; ++i) {
    REQUIRE(pool.post([&, gone] {
      ++started;
      gone.wait();
    }));
  }
  while (started < 2) std::this_thread::yield();
  std::atomic<int> late = 0;
  for (int i = 0; i < 3; ++i) CHECK(pool.post([&] { ++late; }));
  CHECK_FALSE(pool.post([&] { ++late; }));
  CHECK(pool.post_admitted([&] { ++late; }));  // what was let in goes on however many wait
  go.set_value();
  pool.stop();
  CHECK_FALSE(pool.post([] {}));
  CHECK_FALSE(pool.post_admitted([] {}));
}

TEST_CASE("a worker pool grows to its bound and survives tasks that throw") {
  WorkerPool pool("test", 3, 100);
  std::promise<void> go;
  auto gone = go.get_future().share();
  std::atomic<int> running = 0, most = 0, done = 0;
  CHECK(pool.post([] { throw std::runtime_error("of a test"); }));
  for (int i = 0; i < 10; ++i) {
    CHECK(pool.post([&, gone] {
      most = std::max(most.load(), ++running);
      gone.wait();
      --running;
      ++done;
    }));
  }
  while (running < 3) std::this_thread::yield();
  go.set_value();
  while (done < 10) std::this_thread::yield();
  CHECK(most == 3);
}

TEST_CASE("a task that is dropped unrun answers what it held") {
  std::atomic<int> status = 0;
  auto responder = std::make_shared<Responder>([&](HttpResponse response) { status = response.status; });
  WorkerPool pool("test", 1, 10);
  pool.stop();
  CHECK_FALSE(pool.post([responder = std::move(responder)] { responder->respond({}); }));
  CHECK(status == 500);
}

TEST_CASE("an Io goes on after a task that throws") {
  Io io(1);
  std::promise<void> ran;
  io.post([] { throw std::runtime_error("of a test"); });
  io.post([&] { ran.set_value(); });
  ran.get_future().get();
}

TEST_CASE("a handle may outlive its Io") {
  auto io = std::make_unique<Io>(1);
  auto handle = io->after(std::chrono::hours(1), [] { FAIL("nothing runs it"); });
  io.reset();
  handle.reset();
}

TEST_CASE("termination signals are told one by one") {
  Io io(1);
  std::promise<int> first, second;
  io.on_termination([&, n = std::make_shared<int>(0)](int signal) { (++*n == 1 ? first : second).set_value(signal); });
  raise(SIGTERM);
  CHECK(first.get_future().get() == SIGTERM);
  raise(SIGINT);
  CHECK(second.get_future().get() == SIGINT);
}

TEST_CASE("an authority is the same after saving and loading and refuses what is none") {
  auto authority = CertificateAuthority::create("test", system_clock().now_ms(), 1);
  REQUIRE(authority);
  auto loaded = CertificateAuthority::load(authority->certificate_pem(), authority->key_pem());
  REQUIRE(loaded);
  CHECK(loaded->issue({"a.test"}, {"127.0.0.1", "::1"}, system_clock().now_ms(), 1));
  CHECK_FALSE(loaded->issue({"a.test,IP:127.0.0.1"}, {}, system_clock().now_ms(), 1));
  CHECK_FALSE(loaded->issue({}, {"a.test"}, system_clock().now_ms(), 1));
  CHECK_FALSE(loaded->issue({}, {}, system_clock().now_ms(), 1));
  auto other = CertificateAuthority::create("other", system_clock().now_ms(), 1);
  CHECK_FALSE(CertificateAuthority::load(authority->certificate_pem(), other->key_pem()));
  CHECK_FALSE(CertificateAuthority::load("", ""));
}

TEST_CASE("a delayed task runs unless its handle was dropped") {
  Io io(1);
  std::promise<void> ran;
  auto kept = io.after(std::chrono::milliseconds(1), [&] { ran.set_value(); });
  auto dropped = io.after(std::chrono::milliseconds(1), [] { FAIL("cancelled tasks do not run"); });
  dropped.reset();
  ran.get_future().get();
}
