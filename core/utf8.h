// UTF-8, as identifiers and canonical JSON demand it.
#pragma once

#include <string_view>

namespace skerry {

// True when the bytes are well-formed UTF-8 (RFC 3629): no surrogates, no overlong forms, nothing above U+10FFFF.
bool is_valid_utf8(std::string_view bytes);

}  // namespace skerry
