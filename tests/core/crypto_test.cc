#include "core/crypto.h"

#include <thread>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace skerry {
namespace {

SigningKey specification_key() {
  return SigningKey::from_seed(KeyId::parse("ed25519:1").value(),
                               base64_decode("YJDBA9Xnr2sVqXD9Vj7XVUnmFZcZrlw8Md7kMW+3XA1").value());
}

TEST_CASE("unpadded base64 examples of the appendices") {
  const std::pair<const char*, const char*> examples[] = {
      {"", ""},           {"f", "Zg"},          {"fo", "Zm8"},         {"foo", "Zm9v"},
      {"foob", "Zm9vYg"}, {"fooba", "Zm9vYmE"}, {"foobar", "Zm9vYmFy"}};
  for (const auto& [bytes, text] : examples) {
    CHECK(base64_encode(bytes) == text);
    CHECK(base64_decode(text).value() == bytes);
  }
}

TEST_CASE("base64 decodes either alphabet with or without padding and nothing else") {
  CHECK(base64_encode("\xFB\xFF\xFE") == "+//+");
  CHECK(base64url_encode("\xFB\xFF\xFE") == "-__-");
  CHECK(base64_decode("-__-") == base64_decode("+//+"));
  CHECK(base64_decode("Zg==").value() == "f");
  CHECK(base64_decode("Zm8=").value() == "fo");
  for (const char* text : {"Z", "Zg=", "Z===", "====", "Zm9v=", "Zm 9v", "Zm9v\n", "Z=g=", "Zg*="}) {
    INFO(text);
    CHECK_FALSE(base64_decode(text));
  }
}

TEST_CASE("SHA-256 and HMAC-SHA1 known answers") {
  const Sha256 digest = sha256("abc");
  CHECK(base64_encode({reinterpret_cast<const char*>(digest.data()), digest.size()}) ==
        "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0");
  CHECK(hmac_sha1_hex("Jefe", "what do ya want for nothing?") == "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
}

TEST_CASE("constant-time comparison") {
  CHECK(equal_constant_time("abc", "abc"));
  CHECK(equal_constant_time("", ""));
  CHECK_FALSE(equal_constant_time("abc", "abd"));
  CHECK_FALSE(equal_constant_time("abc", "ab"));
}

TEST_CASE("JSON signing vectors of the appendices") {
  Json empty = Json::object();
  REQUIRE(sign_json(empty, "domain", specification_key()));
  CHECK(empty["signatures"]["domain"]["ed25519:1"] ==
        "K8280/U9SSy9IVtjBuVeLr+HpOB4BQFWbg+UZaADMtTdGYI7Geitb76LTrr5QV/7Xg4ahLwYGYZzuHGZKM5ZAQ");
  Json object{{"one", 1}, {"two", "Two"}};
  REQUIRE(sign_json(object, "domain", specification_key()));
  CHECK(object["signatures"]["domain"]["ed25519:1"] ==
        "KqmLSbO39/Bzb0QIYE82zqLwsA+PDzYIpIRA2sRQ4sL53+sN6/fpNSoqE7BP7vBZhG6kYdD13EIMJpvhJI+6Bw");
}

TEST_CASE("a signature holds until the object changes") {
  const SigningKey key = specification_key();
  Json object{{"a", 1}, {"unsigned", {{"age", 1}}}, {"signatures", {{"other", {{"ed25519:x", "abc"}}}}}};
  REQUIRE(sign_json(object, "domain", key));
  CHECK(object["signatures"]["other"]["ed25519:x"] == "abc");
  CHECK(verify_json(object, "domain", key.id(), key.public_key()));
  object["unsigned"]["age"] = 2;
  CHECK(verify_json(object, "domain", key.id(), key.public_key()));
  CHECK_FALSE(verify_json(object, "other", key.id(), key.public_key()));
  CHECK_FALSE(verify_json(object, "domain", KeyId::parse("ed25519:2").value(), key.public_key()));
  CHECK_FALSE(verify_json(object, "domain", key.id(), Ed25519PublicKey{}));
  object["a"] = 2;
  CHECK_FALSE(verify_json(object, "domain", key.id(), key.public_key()));
}

TEST_CASE("what cannot be signed stays unchanged") {
  for (Json object :
       {Json{{"a", 1.5}}, Json{{"signatures", 1}}, Json{{"signatures", {{"domain", "x"}}}}, Json::array()}) {
    const Json before = object;
    const auto signed_ = sign_json(object, "domain", specification_key());
    REQUIRE_FALSE(signed_);
    CHECK(signed_.error().code == ErrorCode::bad_json);
    CHECK(object == before);
  }
}

TEST_CASE("copies of a key sign on several threads") {
  const SigningKey key = specification_key();
  std::vector<std::thread> threads;
  std::atomic<int> good = 0;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([copy = key, &good] {
      for (int i = 0; i < 20; ++i) {
        const std::string message = "message " + std::to_string(i);
        const Ed25519Signature s = copy.sign(message);
        good += ed25519_verify(copy.public_key(), message, {reinterpret_cast<const char*>(s.data()), s.size()}) ? 1 : 0;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(good == 80);
  CHECK_FALSE(ed25519_verify(key.public_key(), "message", "short"));
}

}  // namespace
}  // namespace skerry
