// OpenSSL's types as owners, and contexts for connections. Not for other folders.
#pragma once

#include <memory>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "core/result.h"
#include "net/tls.h"

namespace skerry::net {

template <auto Free>
struct Freer {
  template <class T>
  void operator()(T* object) const {
    Free(object);
  }
};
using BioPtr = std::unique_ptr<BIO, Freer<BIO_free_all>>;
using KeyPtr = std::unique_ptr<EVP_PKEY, Freer<EVP_PKEY_free>>;
using X509Ptr = std::unique_ptr<X509, Freer<X509_free>>;
using SslContextPtr = std::unique_ptr<SSL_CTX, Freer<SSL_CTX_free>>;

// The reason of the oldest error on this thread's queue; empties the queue.
std::string openssl_error();

// TLS 1.2 or later. Errors: storage with the reason.
Result<SslContextPtr> server_context(const TlsIdentity& identity);
// Verifies the peer's chain; names are set per connection. Errors: storage with the file.
Result<SslContextPtr> client_context(const TrustOptions& trust);

}  // namespace skerry::net
