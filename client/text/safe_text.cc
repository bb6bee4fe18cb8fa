#include "client/text/safe_text.h"

#include <vector>

#include <utf8proc.h>

namespace skerry::client {
namespace {

constexpr char32_t replacement = 0xFFFD;
constexpr char32_t zero_width_joiner = 0x200D;
constexpr char32_t black_flag = 0x1F3F4;
constexpr char32_t cancel_tag = 0xE007F;
constexpr char32_t dotted_circle = 0x25CC;
// Vietnamese, Hebrew or Thai need three marks on a letter; piles of more are made to spill over neighbouring lines.
constexpr int max_marks = 4;
// The longest emoji sequences of Unicode join four parts.
constexpr int max_joins = 4;

std::vector<char32_t> decode(std::string_view bytes) {
  std::vector<char32_t> out;
  out.reserve(bytes.size());
  const auto* data = reinterpret_cast<const utf8proc_uint8_t*>(bytes.data());
  auto left = static_cast<utf8proc_ssize_t>(bytes.size());
  while (left > 0) {
    utf8proc_int32_t code_point = 0;
    const utf8proc_ssize_t used = utf8proc_iterate(data, left, &code_point);
    const utf8proc_ssize_t step = used > 0 ? used : 1;
    out.push_back(used > 0 ? static_cast<char32_t>(code_point) : replacement);
    data += step;
    left -= step;
  }
  return out;
}

void append_utf8(std::string& out, char32_t code_point) {
  utf8proc_uint8_t bytes[4];
  const utf8proc_ssize_t length = utf8proc_encode_char(static_cast<utf8proc_int32_t>(code_point), bytes);
  out.append(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(length));
}

bool in(char32_t c, char32_t first, char32_t last) { return c >= first && c <= last; }

const utf8proc_property_t& property(char32_t c) { return *utf8proc_get_property(static_cast<utf8proc_int32_t>(c)); }

bool is_control(char32_t c) { return c < 0x20 || in(c, 0x7F, 0x9F); }

bool is_noncharacter(char32_t c) { return in(c, 0xFDD0, 0xFDEF) || (c & 0xFFFE) == 0xFFFE; }

// Nothing to see: bidirectional controls, fillers, format characters, variation selectors that no terminal draws.
// Joiners, VS15, VS16 and flags' tags are looked at apart.
bool is_invisible(char32_t c) {
  if (c < 0xAD) return false;
  return c == 0xAD || c == 0x034F || c == 0x061C || in(c, 0x115F, 0x1160) || in(c, 0x17B4, 0x17B5) ||
         in(c, 0x180B, 0x180F) || c == 0x200B || in(c, 0x200E, 0x200F) || in(c, 0x202A, 0x202E) ||
         in(c, 0x2060, 0x206F) || c == 0x3164 || in(c, 0xFE00, 0xFE0D) || c == 0xFEFF || c == 0xFFA0 ||
         in(c, 0xFFF0, 0xFFFB) || in(c, 0x1BCA0, 0x1BCA3) || in(c, 0x1D173, 0x1D17A) || in(c, 0xE0000, 0xE0FFF);
}

bool is_mark(char32_t c) {
  const auto category = property(c).category;
  return category == UTF8PROC_CATEGORY_MN || category == UTF8PROC_CATEGORY_ME || category == UTF8PROC_CATEGORY_MC;
}

bool is_pictograph(char32_t c) { return property(c).boundclass == UTF8PROC_BOUNDCLASS_EXTENDED_PICTOGRAPHIC; }

bool is_skin_tone(char32_t c) { return in(c, 0x1F3FB, 0x1F3FF); }

// Letters of scripts in which joiners change the shape of what stands beside them: Arabic, Indic, Khmer and their like.
bool is_joining_letter(char32_t c) {
  return c >= 0x0600 && c < 0x1F000 && (property(c).category == UTF8PROC_CATEGORY_LO || is_mark(c));
}

class Sanitiser {
 public:
  Sanitiser(std::vector<char32_t> in, bool keep_lines, std::size_t max_lines)
      : in_(std::move(in)), keep_lines_(keep_lines), max_lines_(max_lines) {}

  std::string run() {
    for (at_ = 0; at_ < in_.size() && lines_ <= max_lines_; ++at_) step(in_[at_]);
    if (lines_ > max_lines_) out_ += "[…]";
    return std::move(out_);
  }

 private:
  void step(char32_t c) {
    if (c == '\r' && next() == '\n') return;
    if (c == '\n' || c == '\r' || c == 0x2028 || c == 0x2029) return line_break();
    if (c == '\t') return emit_spaces(keep_lines_ ? 4 : 1);
    if (is_control(c) || is_noncharacter(c)) return emit(replacement);
    if (c == black_flag && flag_of_region()) return;
    if (c == zero_width_joiner || c == 0x200C) return joiner(c);
    if (c == 0xFE0E || c == 0xFE0F) return presentation(c);
    if (is_invisible(c)) return;
    if (c >= 0x300 && is_mark(c)) return mark(c);
    marks_ = 0;
    if (!is_pictograph(c) && !is_skin_tone(c)) joins_ = 0;
    emit(c);
  }

  char32_t next() const { return at_ + 1 < in_.size() ? in_[at_ + 1] : 0; }

  void emit(char32_t c) {
    append_utf8(out_, c);
    last_ = c;
  }

  void emit_spaces(int count) {
    for (int i = 0; i < count; ++i) emit(' ');
  }

  void line_break() {
    if (!keep_lines_) return emit(' ');
    if (++lines_ > max_lines_) return;
    emit('\n');
    marks_ = 0;
  }

  // A flag of England and the like: black flag, tags, cancel tag. Tags anywhere else could hide text, and are dropped.
  bool flag_of_region() {
    std::size_t end = at_ + 1;
    while (end < in_.size() && end - at_ <= 7 && (in(in_[end], 0xE0030, 0xE0039) || in(in_[end], 0xE0061, 0xE007A)))
      ++end;
    if (end == at_ + 1 || end >= in_.size() || in_[end] != cancel_tag) return false;
    for (std::size_t i = at_; i <= end; ++i) append_utf8(out_, in_[i]);
    last_ = black_flag;
    at_ = end;
    return true;
  }

  void joiner(char32_t c) {
    const bool emoji = c == zero_width_joiner && joins_ < max_joins &&
                       (is_pictograph(last_) || is_skin_tone(last_) || (last_ == 0xFE0F && after_pictograph_)) &&
                       is_pictograph(next());
    const bool script = is_joining_letter(last_) && is_joining_letter(next()) && !is_mark(next());
    if (!emoji && !script) return;
    if (emoji) ++joins_;
    emit(c);
  }

  // VS15 and VS16 choose between a sign's text form and its emoji form.
  void presentation(char32_t c) {
    const bool keycap = in(last_, '0', '9') || last_ == '#' || last_ == '*';
    after_pictograph_ = is_pictograph(last_);
    if (keycap || after_pictograph_) emit(c);
  }

  void mark(char32_t c) {
    if (++marks_ > max_marks) return;
    if (out_.empty() || last_ == '\n') emit(dotted_circle);
    emit(c);
  }

  std::vector<char32_t> in_;
  bool keep_lines_;
  std::size_t max_lines_;
  std::string out_;
  std::size_t at_ = 0;
  std::size_t lines_ = 1;
  char32_t last_ = 0;
  int marks_ = 0;
  int joins_ = 0;
  bool after_pictograph_ = false;
};

bool is_plain_ascii(std::string_view text) {
  for (const char c : text) {
    if (c < 0x20 || c > 0x7E) return false;
  }
  return true;
}

}  // namespace

SafeText::SafeText(std::string_view untrusted) {
  if (is_plain_ascii(untrusted)) {
    text_ = untrusted;
  } else {
    text_ = Sanitiser(decode(untrusted), false, 1).run();
  }
}

SafeText SafeText::multi_line(std::string_view untrusted, std::size_t max_lines) {
  SafeText out;
  out.text_ = Sanitiser(decode(untrusted), true, max_lines).run();
  return out;
}

SafeText SafeText::slice(std::size_t begin, std::size_t end) const {
  SafeText out;
  out.text_ = text_.substr(begin, end - begin);
  return out;
}

SafeText& SafeText::operator+=(const SafeText& more) {
  text_ += more.text_;
  return *this;
}

}  // namespace skerry::client
