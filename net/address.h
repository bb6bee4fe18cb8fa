// IP addresses, and which of them may be called.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace skerry::net {

// Private, loopback, link-local, multicast, documentation, carrier-grade NAT, unspecified, IPv4-mapped forms of these
// ... are refused unless inside an allowed range. Thread-safe: immutable.
class AddressPolicy {
 public:
  // Ranges as "127.0.0.0/8", "::1/128". Errors: invalid_param naming the range.
  static Result<AddressPolicy> make(const std::vector<std::string>& allowed_private_ranges);
  static AddressPolicy allow_all();
  bool may_call(std::string_view address) const;  // false for text that is no address

 private:
  struct Range;
  std::vector<Range> allowed_;
  bool all_ = false;

 public:
  AddressPolicy();
  AddressPolicy(const AddressPolicy&);
  AddressPolicy& operator=(const AddressPolicy&);
  ~AddressPolicy();
};

}  // namespace skerry::net
