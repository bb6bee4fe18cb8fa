// JSON at the edge. What a DOM can no longer tell (-0, 1e10, 2^64, duplicate keys) is checked while parsing.
#pragma once

#include <cstddef>
#include <initializer_list>
#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

#include "core/result.h"

namespace skerry {

using Json = nlohmann::json;  // objects are ordered by key bytes, which is canonical order

enum class JsonNumbers {
  any,        // floats are kept: in bodies that become no event, and in events of room versions before 6
  canonical,  // integers in [-(2^53)+1, (2^53)-1] only, no -0, no exponent, no fraction (appendices, 'Canonical JSON')
};

// Parses text from the network. Refuses invalid UTF-8, duplicate keys, nesting over limits::json_depth, trailing bytes.
// Errors: not_json (syntax, UTF-8, depth), bad_json (duplicate keys, numbers that are not canonical).
Result<Json> parse_untrusted(std::string_view text, JsonNumbers numbers);

// Parses text that this program wrote itself (its database). Errors: internal.
Result<Json> parse_stored(std::string_view text);

// Canonical JSON: sorted keys, no white space, UTF-8 as is. Errors: bad_json when a float or an integer out of range is
// inside, unless `numbers` is `any`: then these are written as the servers of old rooms do (integers of 64 bits as they
// are, floats in the fewest digits that tell them apart, with an exponent from 1e+16 and below 1e-04 on).
Result<std::string> canonical_json(const Json& value, JsonNumbers numbers = JsonNumbers::canonical);
// The same for an object without some of its members, as hashes and signatures need it. No copy of the object is made.
Result<std::string> canonical_json_without(const Json& object, std::initializer_list<std::string_view> members,
                                           JsonNumbers numbers = JsonNumbers::canonical);

// Compact text of any JSON; bytes that are not UTF-8 are replaced, never thrown.
std::string dump(const Json& value);

// Reads of optional members: null when absent or of another type.
const std::string* find_string(const Json& object, std::string_view key);
const Json* find_object(const Json& object, std::string_view key);
const Json* find_array(const Json& object, std::string_view key);
const Json* find_member(const Json& object, std::string_view key);

}  // namespace skerry
