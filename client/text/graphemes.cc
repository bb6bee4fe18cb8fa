#include "client/text/graphemes.h"

#include <algorithm>

#include <utf8proc.h>

namespace skerry::client {
namespace {

constexpr int max_code_points = 16;

struct CodePoint {
  utf8proc_int32_t value = 0xFFFD;
  std::size_t bytes = 1;
};

CodePoint read(std::string_view text, std::size_t at) {
  CodePoint out;
  utf8proc_int32_t value = 0;
  const auto used = utf8proc_iterate(reinterpret_cast<const utf8proc_uint8_t*>(text.data()) + at,
                                     static_cast<utf8proc_ssize_t>(text.size() - at), &value);
  if (used > 0) out = {value, static_cast<std::size_t>(used)};
  return out;
}

bool is_regional_indicator(utf8proc_int32_t c) { return c >= 0x1F1E6 && c <= 0x1F1FF; }

int code_point_width(utf8proc_int32_t c) {
  if (is_regional_indicator(c)) return 1;  // two of them make a flag of two columns
  // Emoji younger than the library's tables are wide like their neighbours.
  const bool unassigned = utf8proc_category(c) == UTF8PROC_CATEGORY_CN;
  if (unassigned) return c >= 0x1F300 && c <= 0x1FAFF ? 2 : 1;
  return utf8proc_charwidth(c);
}

// Terminals have always agreed on Latin, Greek, Cyrillic, box drawing and CJK; less so on symbols and emoji.
bool is_plain(utf8proc_int32_t c) {
  return (c >= 0x20 && c < 0x300) || (c >= 0x370 && c < 0x530) || (c >= 0x2010 && c <= 0x2026) ||
         (c >= 0x2500 && c < 0x2580) || (c >= 0x3041 && c <= 0x30FF) || (c >= 0x4E00 && c <= 0x9FFF) ||
         (c >= 0xAC00 && c <= 0xD7A3);
}

}  // namespace

std::vector<Cluster> clusters(std::string_view text) {
  std::vector<Cluster> out;
  utf8proc_int32_t state = 0;
  utf8proc_int32_t previous = 0;
  int code_points = 0;
  for (std::size_t at = 0; at < text.size();) {
    const CodePoint now = read(text, at);
    const bool first = out.empty();
    const bool boundary = first || utf8proc_grapheme_break_stateful(previous, now.value, &state);
    if (boundary || code_points >= max_code_points) {
      out.push_back({at, 0, 0, is_plain(now.value)});
      code_points = 0;
    } else {
      out.back().plain = false;
    }
    Cluster& cluster = out.back();
    cluster.length += now.bytes;
    ++code_points;
    if (now.value == 0xFE0F) {
      cluster.width = 2;
    } else if (now.value != '\n') {
      cluster.width = std::min(2, cluster.width + code_point_width(now.value));
    }
    previous = now.value;
    at += now.bytes;
  }
  for (Cluster& cluster : out) {
    if (cluster.width == 0 && text[cluster.begin] != '\n') cluster.width = 1;
  }
  return out;
}

int text_width(std::string_view text) {
  int width = 0;
  for (const Cluster& cluster : clusters(text)) width += cluster.width;
  return width;
}

SafeText fit(const SafeText& text, int width) {
  if (width <= 0) return {};
  int used = 0;
  std::size_t end_with_room = 0;  // where to cut so that '…' still has a column
  for (const Cluster& cluster : clusters(text.str())) {
    if (used + cluster.width > width) return text.slice(0, end_with_room) + SafeText("…");
    used += cluster.width;
    if (used <= width - 1) end_with_room = cluster.begin + cluster.length;
  }
  return text;
}

namespace {

class Wrapper {
 public:
  Wrapper(const SafeText& text, int width) : text_(text), width_(width) {}

  std::vector<SafeText> run() {
    const std::vector<Cluster> all = clusters(text_.str());
    for (std::size_t i = 0; i < all.size(); ++i) {
      const Cluster& cluster = all[i];
      const char first = text_.str()[cluster.begin];
      if (first == '\n') {
        finish(cluster.begin);
        begin_line(cluster.begin + cluster.length);
        continue;
      }
      if (used_ + cluster.width > width_) overflow(cluster, first == ' ');
      if (first == ' ' && swallow_) continue_after(cluster);
      add(cluster, first == ' ');
    }
    finish(text_.str().size());
    return std::move(lines_);
  }

 private:
  void add(const Cluster& cluster, bool space) {
    if (swallow_ && space) return;
    swallow_ = false;
    used_ += cluster.width;
    if (space) {
      break_end_ = cluster.begin;
      break_next_ = cluster.begin + cluster.length;
      used_at_break_ = used_;
    }
  }

  // The line is full: end it at its last space, or right here.
  void overflow(const Cluster& cluster, bool space) {
    if (space) {  // the space itself is the break
      finish(cluster.begin);
      begin_line(cluster.begin);
      swallow_ = true;
    } else if (break_next_ > line_begin_) {
      const int carried = used_ - used_at_break_;
      const std::size_t next = break_next_;
      finish(break_end_);
      begin_line(next);
      used_ = carried;
    } else {
      finish(cluster.begin);
      begin_line(cluster.begin);
    }
  }

  // Spaces at which a line was broken are not shown at the start of the next.
  void continue_after(const Cluster& cluster) { begin_line(cluster.begin + cluster.length), swallow_ = true; }

  void begin_line(std::size_t begin) {
    line_begin_ = begin;
    break_end_ = break_next_ = begin;
    used_ = used_at_break_ = 0;
    swallow_ = false;
  }

  void finish(std::size_t end) { lines_.push_back(text_.slice(line_begin_, std::max(line_begin_, end))); }

  const SafeText& text_;
  int width_;
  std::vector<SafeText> lines_;
  std::size_t line_begin_ = 0;
  std::size_t break_end_ = 0;   // where the line would end
  std::size_t break_next_ = 0;  // where the next would begin
  int used_ = 0;
  int used_at_break_ = 0;
  bool swallow_ = false;
};

}  // namespace

std::vector<SafeText> wrap(const SafeText& text, int width) { return Wrapper(text, width).run(); }

}  // namespace skerry::client
