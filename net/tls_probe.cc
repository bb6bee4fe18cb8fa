#include "net/tls_probe.h"

#include <arpa/inet.h>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <system_error>
#include <unistd.h>

#include <openssl/x509v3.h>

#include "net/tls_impl.h"

namespace skerry::net {

namespace {

using Steady = std::chrono::steady_clock;
using SslPtr = std::unique_ptr<SSL, Freer<SSL_free>>;

class Socket {
 public:
  explicit Socket(int fd) : fd_(fd) {}
  ~Socket() {
    if (fd_ >= 0) ::close(fd_);
  }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  int get() const { return fd_; }

 private:
  const int fd_;
};

Error system_failure(int number) {
  return {number == ETIMEDOUT ? ErrorCode::timeout : ErrorCode::unreachable,
          std::error_code(number, std::generic_category()).message()};
}

// Errors: timeout.
Result<void> wait_for(int fd, short events, Steady::time_point deadline) {
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Steady::now());
    pollfd waiting{fd, events, 0};
    const int ready = left.count() <= 0 ? 0 : ::poll(&waiting, 1, static_cast<int>(left.count()));
    if (ready > 0) return {};
    if (ready == 0) return fail(ErrorCode::timeout, "no answer in time");
    if (errno != EINTR) return tl::make_unexpected(system_failure(errno));
  }
}

// The number of what went wrong, 0 when connected.
int connect_to(const Socket& socket, const addrinfo& place, Steady::time_point deadline) {
  if (socket.get() < 0) return errno;
  if (::connect(socket.get(), place.ai_addr, place.ai_addrlen) == 0) return 0;
  if (errno != EINPROGRESS) return errno;
  if (!wait_for(socket.get(), POLLOUT, deadline)) return ETIMEDOUT;
  int error = 0;
  socklen_t size = sizeof error;
  ::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &size);
  return error;
}

Result<void> shake_hands(SSL* ssl, int fd, Steady::time_point deadline) {
  for (;;) {
    ERR_clear_error();
    errno = 0;
    const int done = SSL_connect(ssl);
    const int system = errno;
    if (done == 1) return {};
    switch (SSL_get_error(ssl, done)) {
      case SSL_ERROR_WANT_READ:
        if (auto ready = wait_for(fd, POLLIN, deadline); !ready) return ready;
        break;
      case SSL_ERROR_WANT_WRITE:
        if (auto ready = wait_for(fd, POLLOUT, deadline); !ready) return ready;
        break;
      case SSL_ERROR_SYSCALL:
        if (system != 0) return tl::make_unexpected(system_failure(system));
        return fail(ErrorCode::unreachable, "the connection was closed");
      default:
        return fail(ErrorCode::unreachable, openssl_error());
    }
  }
}

std::int64_t time_ms(const ASN1_TIME* time) {
  std::tm parts{};
  if (ASN1_TIME_to_tm(time, &parts) != 1) return 0;
  return std::int64_t{timegm(&parts)} * 1'000;
}

std::string text_of(const ASN1_STRING* text) {
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
          static_cast<std::size_t>(ASN1_STRING_length(text))};
}

std::vector<std::string> names_of(X509* certificate) {
  std::vector<std::string> names;
  auto* list = static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
  for (int i = 0; i < sk_GENERAL_NAME_num(list); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(list, i);
    if (name->type == GEN_DNS) names.push_back(text_of(name->d.dNSName));
    if (name->type != GEN_IPADD) continue;
    const std::string bytes = text_of(name->d.iPAddress);
    char text[INET6_ADDRSTRLEN] = "";
    if (bytes.size() == 4 || bytes.size() == 16) {
      inet_ntop(bytes.size() == 4 ? AF_INET : AF_INET6, bytes.data(), text, sizeof text);
      names.emplace_back(text);
    }
  }
  GENERAL_NAMES_free(list);
  return names;
}

std::string issuer_of(X509* certificate) {
  X509_NAME* issuer = X509_get_issuer_name(certificate);
  char text[256] = "";
  if (X509_NAME_get_text_by_NID(issuer, NID_commonName, text, sizeof text) > 0) return text;
  X509_NAME_oneline(issuer, text, sizeof text);
  return text;
}

// The chain apart from names, which are looked at by themselves, and from times.
std::string chain_error(SSL* ssl, X509* certificate) {
  std::unique_ptr<X509_STORE_CTX, Freer<X509_STORE_CTX_free>> check(X509_STORE_CTX_new());
  X509_STORE* trusted = SSL_CTX_get_cert_store(SSL_get_SSL_CTX(ssl));
  if (!check || X509_STORE_CTX_init(check.get(), trusted, certificate, SSL_get_peer_cert_chain(ssl)) != 1) {
    return openssl_error();
  }
  X509_VERIFY_PARAM_set_flags(X509_STORE_CTX_get0_param(check.get()), X509_V_FLAG_NO_CHECK_TIME);
  X509_STORE_CTX_set_purpose(check.get(), X509_PURPOSE_SSL_SERVER);
  const bool good = X509_verify_cert(check.get()) == 1;
  ERR_clear_error();
  return good ? "" : X509_verify_cert_error_string(X509_STORE_CTX_get_error(check.get()));
}

ShownCertificate look_at(SSL* ssl, X509* certificate, const std::string& name) {
  ShownCertificate shown;
  shown.names = names_of(certificate);
  shown.issuer = issuer_of(certificate);
  shown.not_before_ms = time_ms(X509_get0_notBefore(certificate));
  shown.not_after_ms = time_ms(X509_get0_notAfter(certificate));
  shown.has_name = X509_check_ip_asc(certificate, name.c_str(), 0) == 1 ||
                   X509_check_host(certificate, name.data(), name.size(), 0, nullptr) == 1;
  shown.chain_error = chain_error(ssl, certificate);
  ERR_clear_error();
  return shown;
}

}  // namespace

TlsProbe probe_tls(const std::string& address, std::uint16_t port, const std::string& name, const TrustOptions& trust,
                   std::chrono::milliseconds timeout) {
  const auto deadline = Steady::now() + timeout;
  const auto ended = [](ProbeStage stage, Error error) { return TlsProbe{stage, std::move(error), {}}; };
  auto context = client_context(trust);
  if (!context) return ended(ProbeStage::connecting, context.error());
  SSL_CTX_set_verify(context->get(), SSL_VERIFY_NONE, nullptr);  // to see what would be refused
  addrinfo hints{};
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (getaddrinfo(address.c_str(), std::to_string(port).c_str(), &hints, &found) != 0) {
    return ended(ProbeStage::connecting, {ErrorCode::unreachable, "not an address: " + address});
  }
  const std::unique_ptr<addrinfo, Freer<freeaddrinfo>> place(found);
  const Socket socket(::socket(place->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (const int number = connect_to(socket, *place, deadline); number != 0) {
    // What is reset was taken before.
    return ended(number == ECONNRESET ? ProbeStage::shaking_hands : ProbeStage::connecting, system_failure(number));
  }
  const SslPtr ssl(SSL_new(context->get()));
  if (!ssl || SSL_set_fd(ssl.get(), socket.get()) != 1) {
    return ended(ProbeStage::shaking_hands, {ErrorCode::internal, openssl_error()});
  }
  in6_addr bytes{};
  const bool literal = inet_pton(AF_INET, name.c_str(), &bytes) == 1 || inet_pton(AF_INET6, name.c_str(), &bytes) == 1;
  if (!literal) SSL_set_tlsext_host_name(ssl.get(), name.c_str());
  if (auto shaken = shake_hands(ssl.get(), socket.get(), deadline); !shaken) {
    return ended(ProbeStage::shaking_hands, shaken.error());
  }
  const X509Ptr certificate(SSL_get1_peer_certificate(ssl.get()));
  if (!certificate) return ended(ProbeStage::shaking_hands, {ErrorCode::unreachable, "no certificate was shown"});
  return {ProbeStage::done, {}, look_at(ssl.get(), certificate.get(), name)};
}

}  // namespace skerry::net
