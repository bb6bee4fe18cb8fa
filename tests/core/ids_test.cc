#include "core/ids.h"

#include <unordered_set>

#include <catch2/catch.hpp>

namespace skerry {
namespace {

TEST_CASE("server names of the specification are accepted and taken apart") {
  struct Example {
    const char* text;
    const char* host;
    int port;
    bool ip;
  };
  for (const Example& e :
       {Example{"matrix.org", "matrix.org", 0, false}, Example{"matrix.org:8888", "matrix.org", 8888, false},
        Example{"1.2.3.4", "1.2.3.4", 0, true}, Example{"1.2.3.4:1234", "1.2.3.4", 1234, true},
        Example{"[1234:5678::abcd]", "1234:5678::abcd", 0, true},
        Example{"[1234:5678::abcd]:5678", "1234:5678::abcd", 5678, true},
        Example{"localhost", "localhost", 0, false}}) {
    INFO(e.text);
    const auto name = ServerName::parse(e.text);
    REQUIRE(name);
    CHECK(name->host() == e.host);
    CHECK(name->port() == e.port);
    CHECK(name->is_ip_literal() == e.ip);
  }
}

TEST_CASE("what is no server name is refused") {
  for (const std::string& text :
       {std::string(), std::string("a b"), std::string("a:"), std::string("a:99999"), std::string("a:123456"),
        std::string("a:-1"), std::string("a:1:2"), std::string("[::1"), std::string("::1"), std::string("[::1]x"),
        std::string("[nonsense]"), std::string("a/b"), std::string("a_b"), std::string("ex\xC3\xA4mple.org"),
        std::string("a\0b", 3), std::string("[::1\0\nHost: x]", 14), std::string("1.2.3.4\0", 8), std::string(231, 'a'),
        std::string(":8448")}) {
    INFO(text);
    CHECK_FALSE(ServerName::parse(text));
  }
  CHECK(ServerName::parse(std::string(230, 'a')));
}

TEST_CASE("user ids may be historical but not malformed") {
  const auto alice = UserId::parse("@alice:alpha.test:8448");
  REQUIRE(alice);
  CHECK(alice->localpart() == "alice");
  CHECK(alice->server().str() == "alpha.test:8448");
  CHECK(UserId::parse("@:alpha.test"));
  CHECK(UserId::parse("@Ali ce!\xC3\xA4:alpha.test"));
  for (const std::string& text : {std::string("alice:alpha.test"), std::string("@alice"), std::string("@alice:"),
                                  std::string("@a\xFF:alpha.test"), std::string("@a\0:alpha.test", 14),
                                  "@" + std::string(250, 'a') + ":b.test"}) {
    INFO(text);
    CHECK_FALSE(UserId::parse(text));
  }
  CHECK(UserId::parse("@" + std::string(247, 'a') + ":b.test"));
  CHECK_FALSE(UserId::parse("@" + std::string(248, 'a') + ":b.test"));
}

TEST_CASE("new users have names of the narrow grammar") {
  const ServerName server = ServerName::parse("alpha.test").value();
  CHECK(UserId::make_local("a-z0.9_=/+", server)->str() == "@a-z0.9_=/+:alpha.test");
  for (const char* name : {"", "Alice", "a b", "a:b", "\xC3\xA4"}) {
    INFO(name);
    const auto user = UserId::make_local(name, server);
    REQUIRE_FALSE(user);
    CHECK(user.error().code == ErrorCode::invalid_username);
  }
  CHECK_FALSE(UserId::make_local(std::string(244, 'a'), server));
}

TEST_CASE("room ids have a domain or are a hash") {
  CHECK(RoomId::parse("!abc:alpha.test"));
  CHECK(RoomId::parse("!Rqnc-F-dvnEYJTyHq_iKxU2bZ1CI92-kuZq3a5lr5Zg"));
  for (const char* text :
       {"", "!", "!ab.c", "!:alpha.test", "abc:alpha.test", "!Rqnc+F-dvnEYJTyHq_iKxU2bZ1CI92-kuZq3a5lr5Zg", "!a:b c"}) {
    INFO(text);
    CHECK_FALSE(RoomId::parse(text));
  }
}

TEST_CASE("event ids aliases and key ids keep their grammar") {
  CHECK(EventId::parse("$abc:alpha.test"));
  CHECK(EventId::parse("$Rqnc-F-dvnEYJTyHq_iKxU2bZ1CI92-kuZq3a5lr5Zg"));
  CHECK_FALSE(EventId::parse("$"));
  CHECK_FALSE(EventId::parse("abc"));
  CHECK_FALSE(EventId::parse("$" + std::string(255, 'a')));
  CHECK(RoomAlias::parse("#t\xC3\xB6pic:alpha.test")->server().str() == "alpha.test");
  CHECK_FALSE(RoomAlias::parse("#:alpha.test"));
  CHECK_FALSE(RoomAlias::parse("#topic"));
  CHECK(KeyId::parse("ed25519:a_1")->algorithm() == "ed25519");
  for (const char* text : {"", "ed25519", "ed25519:", ":1", "ed25519:a\"b", "ed25519:a:b"}) {
    INFO(text);
    CHECK_FALSE(KeyId::parse(text));
  }
}

TEST_CASE("ids compare by their bytes and can be hashed") {
  const auto a = UserId::parse("@a:b").value();
  const auto b = UserId::parse("@b:b").value();
  CHECK(a < b);
  CHECK(a != b);
  CHECK(UserId{}.empty());
  CHECK(std::unordered_set<UserId>{a, b, a}.size() == 2);
}

}  // namespace
}  // namespace skerry
