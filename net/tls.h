// Certificates: what a listener shows, whom a client trusts, and an authority that signs (for sandboxes and tests).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/result.h"

namespace skerry::net {

// Certificate chain and key, PEM. Errors of use surface where a listener is opened.
struct TlsIdentity {
  std::string certificate_pem;
  std::string key_pem;
};

// Reads both files. Errors: storage, with the file's name.
Result<TlsIdentity> read_tls_identity(const std::string& certificate_file, const std::string& key_file);

// Whom a client trusts: the system's store and these PEM files.
struct TrustOptions {
  bool system_store = true;
  std::vector<std::string> ca_files;
};

// A certificate authority, ECDSA P-256. Not thread-safe.
class CertificateAuthority {
 public:
  static Result<CertificateAuthority> create(const std::string& common_name, std::int64_t now_ms, int days);
  static Result<CertificateAuthority> load(const std::string& certificate_pem, const std::string& key_pem);
  CertificateAuthority(CertificateAuthority&&) noexcept;
  CertificateAuthority& operator=(CertificateAuthority&&) noexcept;
  ~CertificateAuthority();

  // A certificate for these DNS names and IP addresses (subjectAltName), valid from an hour before now_ms.
  Result<TlsIdentity> issue(const std::vector<std::string>& dns_names, const std::vector<std::string>& addresses,
                            std::int64_t now_ms, int days) const;
  const std::string& certificate_pem() const;
  const std::string& key_pem() const;

 private:
  struct Impl;
  explicit CertificateAuthority(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace skerry::net
