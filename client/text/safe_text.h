// Text that may be shown on a terminal, and the one way to make it.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace skerry::client {

// Holds valid UTF-8 without control characters, escape sequences, bidirectional overrides, invisible characters or
// piles of combining marks. Every constructor sanitises, so a function that takes a SafeText cannot be handed raw text
// from a server: names, topics, messages and error texts all pass here. Sanitising twice changes nothing. Immutable but
// for assignment.
class SafeText {
 public:
  SafeText() = default;
  // One line: line breaks and tabs become spaces. What could act on the terminal becomes U+FFFD; what could not be seen
  // is dropped.
  SafeText(std::string_view untrusted);  // NOLINT(google-explicit-constructor)
  SafeText(const std::string& untrusted)
      : SafeText(std::string_view(untrusted)) {}                              // NOLINT(google-explicit-constructor)
  SafeText(const char* untrusted) : SafeText(std::string_view(untrusted)) {}  // NOLINT(google-explicit-constructor)
  // The same, keeping line breaks as '\n' (at most `max_lines` lines; what follows is cut with a mark).
  static SafeText multi_line(std::string_view untrusted, std::size_t max_lines = 2'000);

  const std::string& str() const { return text_; }
  bool empty() const { return text_.empty(); }
  // Bytes [begin, end). REQUIRES: both are boundaries of grapheme clusters.
  SafeText slice(std::size_t begin, std::size_t end) const;
  SafeText& operator+=(const SafeText& more);
  friend SafeText operator+(SafeText a, const SafeText& b) { return a += b; }
  friend bool operator==(const SafeText&, const SafeText&) = default;

 private:
  std::string text_;
};

}  // namespace skerry::client
