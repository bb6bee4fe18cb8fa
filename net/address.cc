#include "net/address.h"

#include <arpa/inet.h>
#include <array>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <optional>

namespace skerry::net {

// All addresses as IPv6, IPv4 ones mapped (::ffff:0:0/96).
struct AddressPolicy::Range {
  std::array<std::uint8_t, 16> bytes{};
  int prefix_bits = 0;

  bool contains(const std::array<std::uint8_t, 16>& address) const {
    const auto whole = static_cast<std::size_t>(prefix_bits / 8);
    if (std::memcmp(bytes.data(), address.data(), whole) != 0) return false;
    const int rest = prefix_bits % 8;
    return rest == 0 || (bytes[whole] >> (8 - rest)) == (address[whole] >> (8 - rest));
  }
};

namespace {

using Bytes = std::array<std::uint8_t, 16>;

struct Parsed {
  Bytes bytes{};
  bool is_v4 = false;
};

std::optional<Parsed> parse_address(std::string_view text) {
  if (text.find('\0') != std::string_view::npos) return std::nullopt;  // the calls below would stop there
  const std::string copy(text);
  Parsed parsed;
  std::array<std::uint8_t, 4> v4{};
  if (inet_pton(AF_INET, copy.c_str(), v4.data()) == 1) {
    parsed.is_v4 = true;
    parsed.bytes[10] = parsed.bytes[11] = 0xff;
    std::copy(v4.begin(), v4.end(), parsed.bytes.begin() + 12);
    return parsed;
  }
  if (inet_pton(AF_INET6, copy.c_str(), parsed.bytes.data()) == 1) return parsed;
  return std::nullopt;
}

// What is not the open internet (IANA special-purpose registries, multicast).
constexpr const char* special_ranges[] = {
    "0.0.0.0/8",      "10.0.0.0/8",   "100.64.0.0/10",  "127.0.0.0/8",    "169.254.0.0/16", "172.16.0.0/12",
    "192.0.0.0/24",   "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15",  "198.51.100.0/24",
    "203.0.113.0/24", "224.0.0.0/4",  "240.0.0.0/4",    "::/128",         "::1/128",        "64:ff9b:1::/48",
    "100::/64",       "2001::/23",    "2001:db8::/32",  "3fff::/20",      "5f00::/16",      "fc00::/7",
    "fe80::/10",      "fec0::/10",    "ff00::/8"};

// An IPv4 address that an IPv6 one carries: NAT64 (64:ff9b::/96), 6to4 (2002::/16), IPv4-compatible (::/96),
// IPv4-translated (::ffff:0:0:0/96).
std::optional<Bytes> embedded_v4(const Bytes& address) {
  const auto mapped = [&](std::size_t at) {
    Bytes bytes{};
    bytes[10] = bytes[11] = 0xff;
    std::copy_n(address.begin() + static_cast<std::ptrdiff_t>(at), 4, bytes.begin() + 12);
    return bytes;
  };
  constexpr Bytes nat64{0x00, 0x64, 0xff, 0x9b};
  if (std::equal(address.begin(), address.begin() + 12, nat64.begin())) return mapped(12);
  if (address[0] == 0x20 && address[1] == 0x02) return mapped(2);
  constexpr Bytes translated{0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  if (std::equal(address.begin(), address.begin() + 12, translated.begin())) return mapped(12);
  constexpr Bytes zero{};
  if (std::equal(address.begin(), address.begin() + 12, zero.begin())) return mapped(12);
  return std::nullopt;
}

}  // namespace

AddressPolicy::AddressPolicy() = default;
AddressPolicy::AddressPolicy(const AddressPolicy&) = default;
AddressPolicy& AddressPolicy::operator=(const AddressPolicy&) = default;
AddressPolicy::~AddressPolicy() = default;

Result<AddressPolicy> AddressPolicy::make(const std::vector<std::string>& allowed_private_ranges) {
  AddressPolicy policy;
  for (const std::string& text : allowed_private_ranges) {
    const auto slash = text.find('/');
    const auto address = parse_address(std::string_view(text).substr(0, slash));
    int bits = -1;
    if (slash == std::string::npos) {
      bits = address && address->is_v4 ? 32 : 128;
    } else {
      const char* end = text.data() + text.size();
      const auto [parsed_to, error] = std::from_chars(text.data() + slash + 1, end, bits);
      if (error != std::errc{} || parsed_to != end) bits = -1;
    }
    if (!address || bits < 0 || bits > (address->is_v4 ? 32 : 128)) {
      return fail(ErrorCode::invalid_param, "not a range of addresses: " + text);
    }
    policy.allowed_.push_back({address->bytes, address->is_v4 ? bits + 96 : bits});
  }
  return policy;
}

AddressPolicy AddressPolicy::allow_all() {
  AddressPolicy policy;
  policy.all_ = true;
  return policy;
}

bool AddressPolicy::may_call(std::string_view address) const {
  static const AddressPolicy special = *make({std::begin(special_ranges), std::end(special_ranges)});
  const auto parsed = parse_address(address);
  if (!parsed) return false;
  if (all_) return true;
  const auto inside = [](const std::vector<Range>& ranges, const Bytes& bytes) {
    for (const Range& range : ranges) {
      if (range.contains(bytes)) return true;
    }
    return false;
  };
  if (inside(allowed_, parsed->bytes)) return true;
  if (inside(special.allowed_, parsed->bytes)) return false;
  const auto embedded = embedded_v4(parsed->bytes);
  return !embedded || inside(allowed_, *embedded) || !inside(special.allowed_, *embedded);
}

}  // namespace skerry::net
