#include "core/json.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <optional>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/limits.h"
#include "core/utf8.h"

namespace skerry {
namespace {

constexpr std::int64_t largest_integer = limits::max_depth;  // 2^53 - 1

// Builds the DOM from parse events, so that depth, duplicate keys and the spelling of numbers are seen before they are
// lost.
class StrictBuilder {
 public:
  using number_integer_t = Json::number_integer_t;
  using number_unsigned_t = Json::number_unsigned_t;
  using number_float_t = Json::number_float_t;
  using string_t = Json::string_t;
  using binary_t = Json::binary_t;

  explicit StrictBuilder(JsonNumbers numbers) : numbers_(numbers) {}

  bool null() { return add(nullptr) != nullptr; }
  bool boolean(bool value) { return add(value) != nullptr; }
  bool number_unsigned(number_unsigned_t value) {
    if (canonical() && value > static_cast<number_unsigned_t>(largest_integer)) return refuse_number();
    return add(value) != nullptr;
  }
  // Called for numbers with a minus sign only: zero here was spelled -0, and stays apart from 0 as a float.
  bool number_integer(number_integer_t value) {
    if (canonical() && (value == 0 || value < -largest_integer)) return refuse_number();
    return (value == 0 ? add(-0.0) : add(value)) != nullptr;
  }
  // Also called for integers that fit no 64 bits.
  bool number_float(number_float_t value, const string_t&) {
    if (canonical()) return refuse_number();
    return add(value) != nullptr;
  }
  bool string(string_t& value) { return add(std::move(value)) != nullptr; }
  bool binary(binary_t&) { return refuse(ErrorCode::not_json, "binary value"); }
  bool start_object(std::size_t) { return open(Json::value_t::object); }
  bool key(string_t& name) {
    const auto [member, is_new] = open_.back()->get_ref<Json::object_t&>().emplace(std::move(name), nullptr);
    if (!is_new) return refuse(ErrorCode::bad_json, "an object has the same key twice");
    member_ = &member->second;
    return true;
  }
  bool end_object() { return close(); }
  bool start_array(std::size_t) { return open(Json::value_t::array); }
  bool end_array() { return close(); }
  bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception&) {
    return refuse(ErrorCode::not_json, "not JSON at byte " + std::to_string(position));
  }

  Result<Json> result() && {
    if (error_) return tl::make_unexpected(std::move(*error_));
    return std::move(root_);
  }

 private:
  bool canonical() const { return numbers_ == JsonNumbers::canonical; }

  bool refuse(ErrorCode code, std::string text) {
    if (!error_) error_ = Error{code, std::move(text)};
    return false;
  }
  bool refuse_number() { return refuse(ErrorCode::bad_json, "a number is not an integer of canonical JSON"); }

  // Elements of an open container move only when it grows, and it grows only when nothing inside it is open.
  template <class Value>
  Json* add(Value&& value) {
    if (open_.empty()) {
      root_ = Json(std::forward<Value>(value));
      return &root_;
    }
    if (open_.back()->is_object()) {
      *member_ = Json(std::forward<Value>(value));
      return member_;
    }
    auto& elements = open_.back()->get_ref<Json::array_t&>();
    elements.emplace_back(std::forward<Value>(value));
    return &elements.back();
  }

  bool open(Json::value_t type) {
    if (open_.size() == limits::json_depth) return refuse(ErrorCode::not_json, "JSON is nested too deep");
    open_.push_back(add(type));
    return true;
  }

  bool close() {
    open_.pop_back();
    return true;
  }

  JsonNumbers numbers_;
  Json root_;
  std::vector<Json*> open_;
  Json* member_ = nullptr;  // where the value of the last key goes
  std::optional<Error> error_;
};

// Canonical text of one value, appended. Recursion is bounded by `max_nesting`.
class CanonicalWriter {
 public:
  CanonicalWriter(std::string& out, JsonNumbers numbers) : out_(out), any_number_(numbers == JsonNumbers::any) {}

  // False when the value has no canonical text; then error() says why.
  bool write(const Json& value, std::size_t depth) {
    if (depth > max_nesting) return refuse("JSON is nested too deep");
    switch (value.type()) {
      case Json::value_t::null:
        out_ += "null";
        return true;
      case Json::value_t::boolean:
        out_ += value.get<bool>() ? "true" : "false";
        return true;
      case Json::value_t::number_unsigned:
        return write_unsigned(value.get<std::uint64_t>());
      case Json::value_t::number_integer:
        return write_integer(value.get<std::int64_t>());
      case Json::value_t::number_float:
        return write_float(value.get<double>());
      case Json::value_t::string:
        return write_string(value.get_ref<const std::string&>());
      case Json::value_t::array:
        return write_array(value, depth);
      case Json::value_t::object:
        return write_object(value, depth, {});
      default:
        return refuse("a value has no canonical form");
    }
  }

  bool write_object(const Json& object, std::size_t depth, std::initializer_list<std::string_view> without) {
    out_ += '{';
    bool first = true;
    for (const auto& [key, value] : object.get_ref<const Json::object_t&>()) {
      if (std::find(without.begin(), without.end(), key) != without.end()) continue;
      if (!first) out_ += ',';
      first = false;
      if (!write_string(key)) return false;
      out_ += ':';
      if (!write(value, depth + 1)) return false;
    }
    out_ += '}';
    return true;
  }

  std::string_view error() const { return error_; }

 private:
  // Twice what is accepted from outside: room for what wraps it.
  static constexpr std::size_t max_nesting = 2 * limits::json_depth;

  bool refuse(std::string_view why) {
    error_ = why;
    return false;
  }

  bool write_array(const Json& array, std::size_t depth) {
    out_ += '[';
    bool first = true;
    for (const Json& element : array.get_ref<const Json::array_t&>()) {
      if (!first) out_ += ',';
      first = false;
      if (!write(element, depth + 1)) return false;
    }
    out_ += ']';
    return true;
  }

  bool write_unsigned(std::uint64_t value) {
    if (!any_number_ && value > static_cast<std::uint64_t>(largest_integer))
      return refuse("an integer is out of range");
    return write_digits(value);
  }

  bool write_integer(std::int64_t value) {
    if (!any_number_ && (value > largest_integer || value < -largest_integer)) {
      return refuse("an integer is out of range");
    }
    return write_digits(value);
  }

  // As Python prints floats, which is what the servers that made such events wrote.
  bool write_float(double value) {
    if (!any_number_ || !std::isfinite(value)) return refuse("only integers have a canonical form");
    const double size = std::fabs(value);
    const bool in_full = size == 0 || (size >= 1e-4 && size < 1e16);
    std::array<char, 40> digits{};
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value,
                                   in_full ? std::chars_format::fixed : std::chars_format::scientific)
                         .ptr;
    const std::string_view text(digits.data(), static_cast<std::size_t>(end - digits.data()));
    out_ += text;
    if (in_full && text.find('.') == std::string_view::npos) out_ += ".0";
    return true;
  }

  template <class Integer>
  bool write_digits(Integer value) {
    std::array<char, 24> digits{};
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
    out_.append(digits.data(), end);
    return true;
  }

  bool write_string(const std::string& text) {
    if (!is_valid_utf8(text)) return refuse("a string is not UTF-8");
    out_ += '"';
    std::size_t copied = 0;
    for (std::size_t at = 0; at < text.size(); ++at) {
      const auto byte = static_cast<unsigned char>(text[at]);
      if (byte >= 0x20 && byte != '"' && byte != '\\') continue;
      out_.append(text, copied, at - copied);
      copied = at + 1;
      write_escape(byte);
    }
    out_.append(text, copied, std::string::npos);
    out_ += '"';
    return true;
  }

  void write_escape(unsigned char byte) {
    out_ += '\\';
    switch (byte) {
      case '"':
      case '\\':
        out_ += static_cast<char>(byte);
        return;
      case '\b':
        out_ += 'b';
        return;
      case '\t':
        out_ += 't';
        return;
      case '\n':
        out_ += 'n';
        return;
      case '\f':
        out_ += 'f';
        return;
      case '\r':
        out_ += 'r';
        return;
      default:
        out_ += "u00";
        out_ += byte < 0x10 ? '0' : '1';
        out_ += "0123456789abcdef"[byte & 0xF];
    }
  }

  std::string& out_;
  const bool any_number_;
  std::string_view error_;
};

}  // namespace

Result<Json> parse_untrusted(std::string_view text, JsonNumbers numbers) {
  // The library takes a NUL byte for the end of the text, and skips a byte order mark.
  if (text.find('\0') != std::string_view::npos) return fail(ErrorCode::not_json, "a NUL byte in JSON");
  if (text.starts_with("\xEF\xBB\xBF")) return fail(ErrorCode::not_json, "a byte order mark before JSON");
  StrictBuilder builder(numbers);
  Json::sax_parse(text.begin(), text.end(), &builder);
  return std::move(builder).result();
}

Result<Json> parse_stored(std::string_view text) {
  Json value = Json::parse(text.begin(), text.end(), nullptr, false);
  if (value.is_discarded()) return fail(ErrorCode::internal, "stored text is not JSON");
  return value;
}

Result<std::string> canonical_json(const Json& value, JsonNumbers numbers) {
  std::string text;
  CanonicalWriter writer(text, numbers);
  if (!writer.write(value, 0)) return fail(ErrorCode::bad_json, std::string(writer.error()));
  return text;
}

Result<std::string> canonical_json_without(const Json& object, std::initializer_list<std::string_view> members,
                                           JsonNumbers numbers) {
  if (!object.is_object()) return fail(ErrorCode::bad_json, "not an object");
  std::string text;
  CanonicalWriter writer(text, numbers);
  if (!writer.write_object(object, 0, members)) return fail(ErrorCode::bad_json, std::string(writer.error()));
  return text;
}

std::string dump(const Json& value) { return value.dump(-1, ' ', false, Json::error_handler_t::replace); }

const Json* find_member(const Json& object, std::string_view key) {
  if (!object.is_object()) return nullptr;
  const auto member = object.find(key);
  return member == object.end() ? nullptr : &*member;
}

const std::string* find_string(const Json& object, std::string_view key) {
  const Json* member = find_member(object, key);
  return member != nullptr && member->is_string() ? &member->get_ref<const std::string&>() : nullptr;
}

const Json* find_object(const Json& object, std::string_view key) {
  const Json* member = find_member(object, key);
  return member != nullptr && member->is_object() ? member : nullptr;
}

const Json* find_array(const Json& object, std::string_view key) {
  const Json* member = find_member(object, key);
  return member != nullptr && member->is_array() ? member : nullptr;
}

}  // namespace skerry
