// A few names with a DNS, a certificate authority and a web of their own: real homeserver processes that find each
// other by them, and servers of the test's own beside them.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "net/http_server.h"
#include "net/io.h"
#include "net/tls.h"
#include "tests/net/fake_dns.h"
#include "tests/support/homeserver_process.h"

namespace skerry::test {

class Town {
 public:
  using Handler = net::HttpServer::Handler;

  Town();
  ~Town();

  // A homeserver under this name, which calls 127.0.0.1 and no other private address. Its first listener is plain, its
  // second one HTTPS.
  std::unique_ptr<HomeserverProcess> homeserver(const std::string& name, HomeserverOptions options = {});
  // An HTTPS listener in this process whose certificate bears these names.
  std::unique_ptr<net::HttpServer> serve(const std::vector<std::string>& certificate_names, Handler handler,
                                         const std::string& address = "127.0.0.1");

  // Where a name's homeserver is (SRV), and the address of any name: 127.0.0.1 if not told otherwise.
  void is_at(const std::string& name, std::uint16_t port);
  void has_address(const std::string& name, const std::string& address);
  // What https://NAME/.well-known/matrix/server answers; 404 if not told otherwise.
  void well_known(const std::string& name, std::function<net::HttpResponse()> answer);
  net::Io& io() { return io_; }

 private:
  std::optional<net::FakeDns::Answer> answer_dns(const std::string& name, std::uint16_t type);
  net::HttpResponse answer_web(const net::HttpRequest& request);

  TemporaryFolder folder_;
  std::mutex mutex_;
  std::map<std::string, std::uint16_t> ports_;
  std::map<std::string, std::string> addresses_;
  std::map<std::string, std::function<net::HttpResponse()>> sites_;
  net::CertificateAuthority authority_;
  net::FakeDns dns_;
  net::Io io_{2};
  std::unique_ptr<net::HttpServer> web_;
};

}  // namespace skerry::test
