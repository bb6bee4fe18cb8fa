#include "net/tls.h"

#include <arpa/inet.h>
#include <fstream>
#include <sstream>

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "net/tls_impl.h"

namespace skerry::net {

namespace {

Result<std::string> read_file(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) return fail(ErrorCode::storage, "cannot read " + file);
  std::ostringstream text;
  text << in.rdbuf();
  return std::move(text).str();
}

std::string bio_text(const BioPtr& bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return std::string(data, static_cast<std::size_t>(size));
}

Result<std::string> certificate_text(X509* certificate) {
  BioPtr bio(BIO_new(BIO_s_mem()));
  if (!bio || PEM_write_bio_X509(bio.get(), certificate) != 1) return fail(ErrorCode::internal, openssl_error());
  return bio_text(bio);
}

Result<std::string> key_text(EVP_PKEY* key) {
  BioPtr bio(BIO_new(BIO_s_mem()));
  if (!bio || PEM_write_bio_PrivateKey(bio.get(), key, nullptr, nullptr, 0, nullptr, nullptr) != 1) {
    return fail(ErrorCode::internal, openssl_error());
  }
  return bio_text(bio);
}

bool add_extension(X509* certificate, X509* issuer, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
  if (extension == nullptr) return false;
  const bool added = X509_add_ext(certificate, extension, -1) == 1;
  X509_EXTENSION_free(extension);
  return added;
}

// A certificate with a random serial, these times and this subject; not signed yet.
X509Ptr blank_certificate(EVP_PKEY* key, const std::string& common_name, std::int64_t now_ms, int days) {
  X509Ptr certificate(X509_new());
  unsigned char serial[16];
  if (!certificate || RAND_bytes(serial, sizeof serial) != 1) return nullptr;
  serial[0] &= 0x7f;  // positive
  BIGNUM* number = BN_bin2bn(serial, sizeof serial, nullptr);
  BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate.get()));
  BN_free(number);
  const std::int64_t now_s = now_ms / 1000;
  X509_set_version(certificate.get(), X509_VERSION_3);
  ASN1_TIME_set(X509_getm_notBefore(certificate.get()), now_s - 3600);
  ASN1_TIME_set(X509_getm_notAfter(certificate.get()), now_s + static_cast<std::int64_t>(days) * 86'400);
  X509_set_pubkey(certificate.get(), key);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate.get()), "CN", MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(common_name.c_str()), -1, -1, 0);
  return certificate;
}

// Without it OpenSSL would ask for the passphrase of an encrypted key on the terminal.
int no_passphrase(char*, int, int, void*) { return -1; }

KeyPtr new_key() { return KeyPtr(EVP_EC_gen("P-256")); }

}  // namespace

std::string openssl_error() {
  const unsigned long code = ERR_get_error();
  ERR_clear_error();
  if (code == 0) return "OpenSSL failed without a reason";
  const char* reason = ERR_reason_error_string(code);
  return reason == nullptr ? "OpenSSL error " + std::to_string(code) : reason;
}

Result<TlsIdentity> read_tls_identity(const std::string& certificate_file, const std::string& key_file) {
  auto certificate = read_file(certificate_file);
  if (!certificate) return tl::make_unexpected(certificate.error());
  auto key = read_file(key_file);
  if (!key) return tl::make_unexpected(key.error());
  return TlsIdentity{std::move(*certificate), std::move(*key)};
}

struct CertificateAuthority::Impl {
  KeyPtr key;
  X509Ptr certificate;
  std::string key_pem;
  std::string certificate_pem;
};

CertificateAuthority::CertificateAuthority(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
CertificateAuthority::CertificateAuthority(CertificateAuthority&&) noexcept = default;
CertificateAuthority& CertificateAuthority::operator=(CertificateAuthority&&) noexcept = default;
CertificateAuthority::~CertificateAuthority() = default;

const std::string& CertificateAuthority::certificate_pem() const { return impl_->certificate_pem; }
const std::string& CertificateAuthority::key_pem() const { return impl_->key_pem; }

Result<CertificateAuthority> CertificateAuthority::create(const std::string& common_name, std::int64_t now_ms,
                                                          int days) {
  auto impl = std::make_unique<Impl>();
  impl->key = new_key();
  if (!impl->key) return fail(ErrorCode::internal, openssl_error());
  impl->certificate = blank_certificate(impl->key.get(), common_name, now_ms, days);
  X509* certificate = impl->certificate.get();
  if (certificate == nullptr) return fail(ErrorCode::internal, openssl_error());
  X509_set_issuer_name(certificate, X509_get_subject_name(certificate));
  const bool made = add_extension(certificate, certificate, NID_subject_key_identifier, "hash") &&
                    add_extension(certificate, certificate, NID_authority_key_identifier, "keyid:always") &&
                    add_extension(certificate, certificate, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
                    add_extension(certificate, certificate, NID_key_usage, "critical,keyCertSign,cRLSign") &&
                    X509_sign(certificate, impl->key.get(), EVP_sha256()) > 0;
  if (!made) return fail(ErrorCode::internal, openssl_error());
  auto certificate_pem = certificate_text(certificate);
  auto key_pem = key_text(impl->key.get());
  if (!certificate_pem) return tl::make_unexpected(certificate_pem.error());
  if (!key_pem) return tl::make_unexpected(key_pem.error());
  impl->certificate_pem = std::move(*certificate_pem);
  impl->key_pem = std::move(*key_pem);
  return CertificateAuthority(std::move(impl));
}

Result<CertificateAuthority> CertificateAuthority::load(const std::string& certificate_pem,
                                                        const std::string& key_pem) {
  auto impl = std::make_unique<Impl>();
  BioPtr certificate_bio(BIO_new_mem_buf(certificate_pem.data(), static_cast<int>(certificate_pem.size())));
  BioPtr key_bio(BIO_new_mem_buf(key_pem.data(), static_cast<int>(key_pem.size())));
  impl->certificate.reset(PEM_read_bio_X509(certificate_bio.get(), nullptr, nullptr, nullptr));
  impl->key.reset(PEM_read_bio_PrivateKey(key_bio.get(), nullptr, no_passphrase, nullptr));
  if (!impl->certificate || !impl->key || X509_check_private_key(impl->certificate.get(), impl->key.get()) != 1) {
    return fail(ErrorCode::invalid_param, "not the certificate and key of an authority: " + openssl_error());
  }
  impl->certificate_pem = certificate_pem;
  impl->key_pem = key_pem;
  return CertificateAuthority(std::move(impl));
}

Result<TlsIdentity> CertificateAuthority::issue(const std::vector<std::string>& dns_names,
                                                const std::vector<std::string>& addresses, std::int64_t now_ms,
                                                int days) const {
  std::string names;
  const auto add_name = [&](const std::string& kind, const std::string& name) {
    names += (names.empty() ? "" : ",") + kind + ":" + name;
  };
  for (const std::string& name : dns_names) {
    // Commas and colons would be read as further entries.
    if (name.find_first_of(",:\n ") != std::string::npos)
      return fail(ErrorCode::invalid_param, "not a DNS name: " + name);
    add_name("DNS", name);
  }
  for (const std::string& address : addresses) {
    unsigned char bytes[16];
    if (inet_pton(AF_INET, address.c_str(), bytes) != 1 && inet_pton(AF_INET6, address.c_str(), bytes) != 1) {
      return fail(ErrorCode::invalid_param, "not an address: " + address);
    }
    add_name("IP", address);
  }
  if (names.empty()) return fail(ErrorCode::invalid_param, "a certificate needs a name");
  KeyPtr key = new_key();
  if (!key) return fail(ErrorCode::internal, openssl_error());
  X509Ptr certificate =
      blank_certificate(key.get(), dns_names.empty() ? addresses.front() : dns_names.front(), now_ms, days);
  if (!certificate) return fail(ErrorCode::internal, openssl_error());
  X509* issuer = impl_->certificate.get();
  X509_set_issuer_name(certificate.get(), X509_get_subject_name(issuer));
  const bool made = add_extension(certificate.get(), issuer, NID_basic_constraints, "critical,CA:FALSE") &&
                    add_extension(certificate.get(), issuer, NID_key_usage, "critical,digitalSignature") &&
                    add_extension(certificate.get(), issuer, NID_ext_key_usage, "serverAuth,clientAuth") &&
                    add_extension(certificate.get(), issuer, NID_subject_key_identifier, "hash") &&
                    add_extension(certificate.get(), issuer, NID_authority_key_identifier, "keyid:always") &&
                    add_extension(certificate.get(), issuer, NID_subject_alt_name, names) &&
                    X509_sign(certificate.get(), impl_->key.get(), EVP_sha256()) > 0;
  if (!made) return fail(ErrorCode::internal, openssl_error());
  auto certificate_pem = certificate_text(certificate.get());
  auto key_pem = key_text(key.get());
  if (!certificate_pem) return tl::make_unexpected(certificate_pem.error());
  if (!key_pem) return tl::make_unexpected(key_pem.error());
  return TlsIdentity{std::move(*certificate_pem), std::move(*key_pem)};
}

namespace {

// The only protocol spoken here (RFC 7301): its length, then its name.
constexpr std::string_view alpn_http_1_1 = "\x08http/1.1";

const unsigned char* alpn_bytes() { return reinterpret_cast<const unsigned char*>(alpn_http_1_1.data()); }

// A peer that offers only others is served all the same, without ALPN.
int choose_alpn(SSL*, const unsigned char** chosen, unsigned char* chosen_size, const unsigned char* offered,
                unsigned int offered_size, void*) {
  unsigned char* found = nullptr;
  const int status =
      SSL_select_next_proto(&found, chosen_size, alpn_bytes(), alpn_http_1_1.size(), offered, offered_size);
  if (status != OPENSSL_NPN_NEGOTIATED) return SSL_TLSEXT_ERR_NOACK;
  *chosen = found;
  return SSL_TLSEXT_ERR_OK;
}

SslContextPtr new_context(const SSL_METHOD* method) {
  SslContextPtr context(SSL_CTX_new(method));
  if (!context) return nullptr;
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  SSL_CTX_set_mode(context.get(), SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_AUTO_RETRY);
  SSL_CTX_set_options(context.get(), SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);  // tickets need none, and it would grow
  return context;
}

}  // namespace

Result<SslContextPtr> server_context(const TlsIdentity& identity) {
  SslContextPtr context = new_context(TLS_server_method());
  if (!context) return fail(ErrorCode::internal, openssl_error());
  SSL_CTX_set_alpn_select_cb(context.get(), choose_alpn, nullptr);
  SSL_CTX_set_num_tickets(context.get(), 1);
  BioPtr chain(BIO_new_mem_buf(identity.certificate_pem.data(), static_cast<int>(identity.certificate_pem.size())));
  X509Ptr leaf(PEM_read_bio_X509(chain.get(), nullptr, nullptr, nullptr));
  if (!leaf || SSL_CTX_use_certificate(context.get(), leaf.get()) != 1) {
    return fail(ErrorCode::storage, "bad certificate: " + openssl_error());
  }
  while (X509* next = PEM_read_bio_X509(chain.get(), nullptr, nullptr, nullptr)) {
    if (SSL_CTX_add0_chain_cert(context.get(), next) != 1) {
      X509_free(next);
      return fail(ErrorCode::storage, "bad certificate chain: " + openssl_error());
    }
  }
  ERR_clear_error();  // the end of the file is no error
  BioPtr key_bio(BIO_new_mem_buf(identity.key_pem.data(), static_cast<int>(identity.key_pem.size())));
  KeyPtr key(PEM_read_bio_PrivateKey(key_bio.get(), nullptr, no_passphrase, nullptr));
  if (!key || SSL_CTX_use_PrivateKey(context.get(), key.get()) != 1 || SSL_CTX_check_private_key(context.get()) != 1) {
    return fail(ErrorCode::storage, "the key does not fit the certificate: " + openssl_error());
  }
  return context;
}

Result<SslContextPtr> client_context(const TrustOptions& trust) {
  SslContextPtr context = new_context(TLS_client_method());
  if (!context || SSL_CTX_set_alpn_protos(context.get(), alpn_bytes(), alpn_http_1_1.size()) != 0) {
    return fail(ErrorCode::internal, openssl_error());
  }
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
  if (trust.system_store) SSL_CTX_set_default_verify_paths(context.get());
  for (const std::string& file : trust.ca_files) {
    if (SSL_CTX_load_verify_file(context.get(), file.c_str()) != 1) {
      return fail(ErrorCode::storage, "cannot read certificates from " + file + ": " + openssl_error());
    }
  }
  return context;
}

}  // namespace skerry::net
