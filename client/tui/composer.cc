#include "client/tui/composer.h"

#include <algorithm>

#include "client/text/graphemes.h"

namespace skerry::client {
namespace {

constexpr std::size_t max_bytes = 32'768;  // an event holds 65,536, and JSON may double some characters
constexpr std::size_t max_history = 200;

std::string safe(const std::string& text) { return SafeText::multi_line(text, 500).str(); }

bool is_word_byte(char c) {
  return static_cast<unsigned char>(c) >= 0x80 || (std::isalnum(static_cast<unsigned char>(c)) != 0);
}

}  // namespace

bool Composer::insert(const std::string& typed) {
  // Sanitised as a whole: a combining mark belongs to what stands before it.
  const std::string before = safe(text_.substr(0, cursor_) + typed);
  const std::string after = safe(before + text_.substr(cursor_));
  if (after.size() > max_bytes) return false;
  text_ = after;
  cursor_ = std::min(before.size(), text_.size());
  recalled_ = history_.size();
  return true;
}

void Composer::set(const std::string& text) {
  text_ = safe(text);
  cursor_ = text_.size();
  recalled_ = history_.size();
}

std::string Composer::take() {
  std::string out = std::move(text_);
  if (!out.empty() && (history_.empty() || history_.back() != out)) history_.push_back(out);
  if (history_.size() > max_history) history_.erase(history_.begin());
  clear();
  draft_.clear();
  return out;
}

std::size_t Composer::previous_cluster(std::size_t at) const {
  std::size_t begin = 0;
  for (const Cluster& cluster : clusters(text_)) {
    if (cluster.begin >= at) break;
    begin = cluster.begin;
  }
  return begin;
}

std::size_t Composer::next_cluster(std::size_t at) const {
  for (const Cluster& cluster : clusters(text_)) {
    if (cluster.begin + cluster.length > at) return cluster.begin + cluster.length;
  }
  return text_.size();
}

void Composer::erase(std::size_t begin, std::size_t end) {
  const std::string before = text_.substr(0, begin);
  text_ = safe(before + text_.substr(end));
  cursor_ = std::min(begin, text_.size());
}

void Composer::left() { cursor_ = previous_cluster(cursor_); }
void Composer::right() { cursor_ = next_cluster(cursor_); }

void Composer::word_left() {
  while (cursor_ > 0 && !is_word_byte(text_[cursor_ - 1])) left();
  while (cursor_ > 0 && is_word_byte(text_[cursor_ - 1])) left();
}

void Composer::word_right() {
  while (cursor_ < text_.size() && !is_word_byte(text_[cursor_])) right();
  while (cursor_ < text_.size() && is_word_byte(text_[cursor_])) right();
}

std::size_t Composer::begin_of_line(std::size_t at) const {
  const std::size_t found = at == 0 ? std::string::npos : text_.rfind('\n', at - 1);
  return found == std::string::npos ? 0 : found + 1;
}

std::size_t Composer::end_of_line(std::size_t at) const { return std::min(text_.find('\n', at), text_.size()); }

void Composer::line_begin() { cursor_ = begin_of_line(cursor_); }
void Composer::line_end() { cursor_ = end_of_line(cursor_); }
void Composer::backspace() { erase(previous_cluster(cursor_), cursor_); }
void Composer::remove() { erase(cursor_, next_cluster(cursor_)); }

void Composer::remove_word_before() {
  const std::size_t end = cursor_;
  word_left();
  erase(cursor_, end);
}

void Composer::remove_to_line_begin() { erase(begin_of_line(cursor_), cursor_); }
void Composer::remove_to_line_end() { erase(cursor_, end_of_line(cursor_)); }

void Composer::move_to_line(std::size_t begin, int column) {
  cursor_ = begin;
  const std::size_t end = end_of_line(begin);
  while (cursor_ < end && text_width(std::string_view(text_).substr(begin, next_cluster(cursor_) - begin)) <= column)
    right();
}

void Composer::up() {
  const std::size_t begin = begin_of_line(cursor_);
  if (begin > 0)
    return move_to_line(begin_of_line(begin - 1), text_width(std::string_view(text_).substr(begin, cursor_ - begin)));
  if (recalled_ > 0) recall(recalled_ - 1);
}

void Composer::down() {
  const std::size_t begin = begin_of_line(cursor_);
  const std::size_t end = end_of_line(cursor_);
  if (end < text_.size())
    return move_to_line(end + 1, text_width(std::string_view(text_).substr(begin, cursor_ - begin)));
  if (recalled_ < history_.size()) recall(recalled_ + 1);
}

void Composer::recall(std::size_t index) {
  if (recalled_ == history_.size()) draft_ = text_;
  const std::string text = index == history_.size() ? draft_ : history_[index];
  set(text);
  recalled_ = index;
}

std::string Composer::word_before_cursor() const {
  const std::size_t space = cursor_ == 0 ? std::string::npos : text_.find_last_of(" \n", cursor_ - 1);
  const std::size_t begin = space == std::string::npos ? 0 : space + 1;
  return text_.substr(begin, cursor_ - begin);
}

void Composer::replace_word_before_cursor(const std::string& replacement) {
  const std::size_t end = cursor_;
  erase(end - word_before_cursor().size(), end);
  insert(replacement);
}

Composer::Layout Composer::layout(int width) const {
  Layout out;
  const SafeText whole = SafeText::multi_line(text_);
  std::size_t begin = 0;
  int column = 0;
  const auto end_line = [&](std::size_t end) {
    out.lines.push_back(whole.slice(begin, end));
    column = 0;
  };
  for (const Cluster& cluster : clusters(text_)) {
    const bool line_break = text_[cluster.begin] == '\n';
    if (!line_break && column + cluster.width > width) {
      end_line(cluster.begin);
      begin = cluster.begin;
    }
    if (cluster.begin == cursor_) {
      out.cursor_line = out.lines.size();
      out.cursor_column = column;
    }
    if (line_break) {
      end_line(cluster.begin);
      begin = cluster.begin + 1;
    }
    column += cluster.width;
  }
  if (cursor_ == text_.size()) {
    if (column >= width) {  // the cursor stands where the next character would
      end_line(text_.size());
      begin = text_.size();
    }
    out.cursor_line = out.lines.size();
    out.cursor_column = column;
  }
  end_line(text_.size());
  return out;
}

}  // namespace skerry::client
