// What a person sees as one character, and how many columns of a terminal it takes.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include "client/text/safe_text.h"

namespace skerry::client {

// A grapheme cluster: bytes [begin, begin + length) of the text it came from.
struct Cluster {
  std::size_t begin = 0;
  std::size_t length = 0;
  int width = 0;      // columns: 1 or 2; 0 only for a line break
  bool plain = true;  // every terminal agrees on its width; otherwise the cursor is to be placed anew after it
};

// Splits valid UTF-8 (invalid bytes count as one column each). Emoji sequences (ZWJ, VS16, skin tones, flags) are one
// cluster of two columns. No cluster is longer than 16 code points.
std::vector<Cluster> clusters(std::string_view text);

int text_width(std::string_view text);

// The text cut to at most `width` columns, ending in '…' when something was cut.
SafeText fit(const SafeText& text, int width);

// Lines of at most `width` columns: broken at spaces, in the middle of words that are too long, and at '\n'.
// At least one line. REQUIRES: width >= 2.
std::vector<SafeText> wrap(const SafeText& text, int width);

}  // namespace skerry::client
