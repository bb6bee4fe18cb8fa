#include "core/utf8.h"

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace skerry {
namespace {

// What may follow a lead byte: the number of continuation bytes, and the range of the first of them. RFC 3629,
// section 4.
struct Lead {
  std::size_t continuations = 0;
  unsigned char low = 0x80;
  unsigned char high = 0xBF;
};

// Zero continuations: not a lead byte.
Lead lead(unsigned char byte) {
  if (byte >= 0xC2 && byte <= 0xDF) return {1};
  if (byte == 0xE0) return {2, 0xA0, 0xBF};
  if (byte == 0xED) return {2, 0x80, 0x9F};
  if (byte >= 0xE1 && byte <= 0xEF) return {2};
  if (byte == 0xF0) return {3, 0x90, 0xBF};
  if (byte >= 0xF1 && byte <= 0xF3) return {3};
  if (byte == 0xF4) return {3, 0x80, 0x8F};
  return {};
}

}  // namespace

bool is_valid_utf8(std::string_view bytes) {
  std::size_t at = 0;
  while (at < bytes.size()) {
    // Most text is ASCII: eight bytes at a time.
    std::uint64_t word = 0;
    if (bytes.size() - at >= sizeof word) {
      std::memcpy(&word, bytes.data() + at, sizeof word);
      if ((word & 0x8080808080808080U) == 0) {
        at += sizeof word;
        continue;
      }
    }
    const auto byte = static_cast<unsigned char>(bytes[at]);
    if (byte < 0x80) {
      ++at;
      continue;
    }
    const Lead expected = lead(byte);
    if (expected.continuations == 0 || bytes.size() - at <= expected.continuations) return false;
    const auto first = static_cast<unsigned char>(bytes[at + 1]);
    if (first < expected.low || first > expected.high) return false;
    for (std::size_t i = 2; i <= expected.continuations; ++i) {
      if ((static_cast<unsigned char>(bytes[at + i]) & 0xC0) != 0x80) return false;
    }
    at += expected.continuations + 1;
  }
  return true;
}

}  // namespace skerry
