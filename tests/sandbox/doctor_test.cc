// A server that is well, and the same server with one thing wrong each time.
#include "sandbox/doctor/doctor.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "core/crypto.h"
#include "core/json.h"
#include "net/http_date.h"
#include "net/http_server.h"
#include "net/io.h"
#include "tests/net/fake_dns.h"
#include "tests/support/homeserver_process.h"

using namespace skerry;           // NOLINT(google-build-using-namespace)
using namespace skerry::sandbox;  // NOLINT(google-build-using-namespace)

namespace {

constexpr std::int64_t day_ms = 24 * 3'600'000;
constexpr const char* name = "patient.test";

template <class T>
T must(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().text);
  return *std::move(result);
}

class ShiftedClock final : public net::Clock {
 public:
  std::int64_t now_ms() const override { return net::system_clock().now_ms() + shift_ms; }
  std::int64_t shift_ms = 0;
};

SigningKey key_of(char seed) { return SigningKey::from_seed(*KeyId::parse("ed25519:1"), std::string(32, seed)); }

// What is to be wrong with the server.
struct Illness {
  std::string address = "127.0.0.1";  // "": no such name
  std::vector<std::string> certificate_names = {name};
  std::int64_t issued_ms = net::system_clock().now_ms();  // for two days
  bool foreign_authority = false;
  bool plain = false;                     // HTTP where TLS should be
  std::string well_known;                 // "": 404
  std::optional<std::uint16_t> srv_port;  // instead of the true one; 0: none and no service
  bool silent_dns = false;
  std::int64_t clock_shift_ms = 0;
  std::int64_t keys_until_ms = net::system_clock().now_ms() + day_ms;
  bool keys_of_another = false;
  bool keys_unsigned = false;
  int version_status = 200;
  int client_status = 200;
};

// A homeserver as far as a doctor looks, with a DNS and an authority of its own.
class Patient {
 public:
  explicit Patient(Illness illness = {})
      : ill_(std::move(illness)),
        authority_(must(net::CertificateAuthority::create("good", net::system_clock().now_ms() - 100 * day_ms, 200))),
        other_authority_(must(net::CertificateAuthority::create("other", net::system_clock().now_ms(), 1))),
        dns_([this](const std::string& asked, std::uint16_t type) { return answer_dns(asked, type); }) {
    test::write_file(folder_.path() + "/ca.pem", authority_.certificate_pem());
    clock_.shift_ms = ill_.clock_shift_ms;
    server_ = serve(!ill_.plain);
    port_ = server_->port(0);
    site_ = serve(true);
  }

  Diagnosis examined() {
    DoctorOptions options;
    options.dns = {dns_.place()};
    options.trust.system_store = false;
    options.trust.ca_files = {folder_.path() + "/ca.pem"};
    options.policy = must(net::AddressPolicy::make({"127.0.0.1/32"}));
    options.https_port = site_->port(0);
    options.step_timeout = std::chrono::milliseconds(ill_.silent_dns ? 300 : 5'000);
    return examine(name, options);
  }

 private:
  std::unique_ptr<net::HttpServer> serve(bool tls) {
    net::HttpServerOptions options;
    net::Listener listener{"127.0.0.1", 0, {}};
    const auto& authority = ill_.foreign_authority ? other_authority_ : authority_;
    if (tls) listener.tls = must(authority.issue(ill_.certificate_names, {}, ill_.issued_ms, 2));
    options.listeners = {listener};
    options.clock = &clock_;
    return must(net::HttpServer::start(io_, std::move(options), [this](net::HttpRequest request, net::Responder reply) {
      reply.respond(answer(request));
    }));
  }

  net::HttpResponse answer(const net::HttpRequest& request) const {
    if (request.target == "/.well-known/matrix/server") {
      return {ill_.well_known.empty() ? 404 : 200, {}, ill_.well_known};
    }
    if (request.target == "/.well-known/matrix/client") {
      return {200, {}, R"({"m.homeserver": {"base_url": "https://patient.test:)" + std::to_string(port_) + "\"}}"};
    }
    if (request.target == "/_matrix/client/versions") return {ill_.client_status, {}, R"({"versions": ["v1.19"]})"};
    if (request.target == "/_matrix/federation/v1/version") {
      return {ill_.version_status, {}, R"({"server": {"name": "Patient", "version": "1"}})"};
    }
    if (request.target == "/_matrix/key/v2/server") return {200, {}, dump(keys())};
    return {404, {}, "{}"};
  }

  Json keys() const {
    const std::string owner = ill_.keys_of_another ? "other.test" : name;
    const Ed25519PublicKey bytes = key_of('k').public_key();
    const std::string text = base64_encode(std::string(bytes.begin(), bytes.end()));
    Json object = {{"server_name", owner},
                   {"valid_until_ts", ill_.keys_until_ms},
                   {"verify_keys", {{"ed25519:1", {{"key", text}}}}}};
    if (auto done = sign_json(object, owner, key_of(ill_.keys_unsigned ? 'x' : 'k')); !done)
      throw std::runtime_error("");
    return object;
  }

  std::optional<net::FakeDns::Answer> answer_dns(const std::string& asked, std::uint16_t type) const {
    if (ill_.silent_dns) return std::nullopt;
    net::FakeDns::Answer answer;
    if (type == net::dns_srv && asked == std::string("_matrix-fed._tcp.") + name) {
      const std::uint16_t port = ill_.srv_port.value_or(port_);
      answer.record_data = {net::FakeDns::srv(0, 0, port, port == 0 ? "" : name)};
    } else if (asked == name && ill_.address.empty()) {
      answer.rcode = 3;
    } else if (asked == name && type == net::dns_a) {
      answer.record_data = {net::FakeDns::a(ill_.address.c_str())};
    }
    return answer;
  }

  const Illness ill_;
  test::TemporaryFolder folder_;
  net::CertificateAuthority authority_;
  net::CertificateAuthority other_authority_;
  ShiftedClock clock_;
  net::Io io_{1};
  std::uint16_t port_ = 0;
  std::unique_ptr<net::HttpServer> server_;
  std::unique_ptr<net::HttpServer> site_;
  net::FakeDns dns_;
};

std::vector<Finding> wrong_of(const Diagnosis& diagnosis) {
  std::vector<Finding> wrong;
  for (const Finding& finding : diagnosis.findings) {
    if (finding.outcome == Outcome::wrong) wrong.push_back(finding);
  }
  return wrong;
}

// The first finding that is wrong, which must be of this check and say this; and how to mend it.
void require_wrong(Illness illness, const std::string& check, const std::string& part) {
  const Diagnosis diagnosis = Patient(std::move(illness)).examined();
  INFO(to_text(diagnosis));
  const auto wrong = wrong_of(diagnosis);
  REQUIRE_FALSE(wrong.empty());
  CHECK(wrong.front().check == check);
  CHECK(wrong.front().found.find(part) != std::string::npos);
  CHECK_FALSE(wrong.front().mend.empty());
  CHECK_FALSE(diagnosis.healthy());
}

}  // namespace

TEST_CASE("a doctor finds nothing wrong with a server that is well") {
  const Diagnosis diagnosis = Patient().examined();
  INFO(to_text(diagnosis));
  CHECK(diagnosis.healthy());
  std::vector<std::string> checks;
  for (const Finding& finding : diagnosis.findings) checks.push_back(finding.check);
  CHECK(checks == std::vector<std::string>{"name", ".well-known", "SRV", "discovery", "address", "certificate",
                                           "version", "clock", "keys", "clients"});
}

TEST_CASE("a doctor names what is wrong with a name, its DNS and its delegation") {
  Illness ill;
  SECTION("no such name") {
    ill.address = "";
    require_wrong(ill, "address", name);
  }
  SECTION("a private address that others do not call") {
    ill.address = "10.0.0.1";
    require_wrong(ill, "address", "private address");
  }
  SECTION("a DNS that does not answer") {
    ill.silent_dns = true;
    require_wrong(ill, "SRV", "no answer in time");
  }
  SECTION("an SRV record of a port where nothing listens") {
    ill.srv_port = 1;
    require_wrong(ill, "connection", "refused");
  }
  SECTION("an SRV record that says that there is no such service") {
    ill.srv_port = 0;
    require_wrong(ill, "SRV", "no federation");
  }
  SECTION("a .well-known that is no JSON") {
    ill.well_known = "<html>";
    require_wrong(ill, ".well-known", "not a JSON object");
  }
  SECTION("a .well-known of an impossible name") {
    ill.well_known = R"({"m.server": "https://patient.test"})";
    require_wrong(ill, ".well-known", "no server name");
  }
}

TEST_CASE("a doctor names what is wrong with a certificate") {
  Illness ill;
  SECTION("another name") {
    ill.certificate_names = {"other.test"};
    require_wrong(ill, "certificate", "it is for other.test, not for patient.test");
  }
  SECTION("expired") {
    ill.issued_ms -= 12 * day_ms;
    require_wrong(ill, "certificate", "it expired 10 days ago");
  }
  SECTION("not valid yet") {
    ill.issued_ms += 3 * day_ms;
    require_wrong(ill, "certificate", "it begins to hold in");
  }
  SECTION("an authority that nobody trusts") {
    ill.foreign_authority = true;
    require_wrong(ill, "certificate", "issued by other");
  }
  SECTION("none: plain HTTP") {
    ill.plain = true;
    require_wrong(ill, "TLS", "takes the connection, then");
  }
}

TEST_CASE("a doctor names what is wrong with what a server says") {
  Illness ill;
  SECTION("keys that ended") {
    ill.keys_until_ms -= 3 * day_ms;
    require_wrong(ill, "keys", "they ended 2 days ago");
  }
  SECTION("keys of another server") {
    ill.keys_of_another = true;
    require_wrong(ill, "keys", "not said to be its own");
  }
  SECTION("keys that none of them signed") {
    ill.keys_unsigned = true;
    require_wrong(ill, "keys", "none of the keys listed has signed them");
  }
  SECTION("a clock ahead") {
    ill.clock_shift_ms = 3 * 3'600'000 + 60'000;
    require_wrong(ill, "clock", "3 h ahead");
  }
  SECTION("a clock behind") {
    ill.clock_shift_ms = -130'000;
    require_wrong(ill, "clock", "2 min behind");
  }
  SECTION("another program's port") {
    ill.version_status = 404;
    require_wrong(ill, "version", "not what a homeserver says");
  }
  SECTION("clients that are not answered") {
    ill.client_status = 503;
    require_wrong(ill, "clients", "HTTP status 503");
  }
}

TEST_CASE("a doctor refuses what is no server name") {
  const Diagnosis diagnosis = examine("https://patient.test", {});
  REQUIRE(diagnosis.findings.size() == 1);
  CHECK(diagnosis.findings.front().check == "name");
  CHECK_FALSE(diagnosis.healthy());
}

TEST_CASE("moments are written and read as HTTP does") {
  CHECK(net::http_date(784'111'777'000) == "Sun, 06 Nov 1994 08:49:37 GMT");
  CHECK(net::parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT") == 784'111'777'000);
  for (const char* bad :
       {"", "Mon, 06 Nov 1994 08:49:37 GMT", "Sun, 31 Feb 1994 08:49:37 GMT", "Sun, 06 Nov 1994 24:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 XXX", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun, 06 Nov -994 08:49:37 GMT"}) {
    CHECK_FALSE(net::parse_http_date(bad));
  }
}
