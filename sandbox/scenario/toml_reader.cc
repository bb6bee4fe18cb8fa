#include "sandbox/scenario/toml_reader.h"

#include <algorithm>
#include <charconv>

namespace skerry::sandbox {

namespace {

constexpr std::size_t shown_problems = 12;
constexpr std::size_t list_entries = 10'000;
constexpr double longest_ms = 3'600'000;

}  // namespace

void Problems::add(std::uint32_t line, const std::string& key, const std::string& text) {
  lines_.push_back({line, file_ + ":" + std::to_string(line) + ": " + key + ": " + text});
}

Error Problems::error() {
  std::stable_sort(lines_.begin(), lines_.end(), [](const Problem& a, const Problem& b) { return a.line < b.line; });
  std::string text;
  for (std::size_t i = 0; i < lines_.size() && i < shown_problems; ++i) text += (i == 0 ? "" : "\n") + lines_[i].text;
  if (lines_.size() > shown_problems) text += "\nand " + std::to_string(lines_.size() - shown_problems) + " more";
  return {ErrorCode::bad_json, text};
}

const toml::node* Reader::find(const std::string& key) {
  asked_.insert(key);
  return table_.get(key);
}

std::uint32_t Reader::line_of(const std::string& key) const {
  const toml::node* node = table_.get(key);
  return node != nullptr ? node->source().begin.line : line();
}

bool Reader::required(const std::string& key) {
  if (has(key)) return true;
  problem(key, "is required");
  return false;
}

void Reader::get(const std::string& key, std::string& target, std::size_t most) {
  const toml::node* node = find(key);
  if (node == nullptr) return;
  if (!node->is_string()) return problem(key, "must be a text in quotes");
  const std::string& text = node->as_string()->get();
  if (text.size() > most) return problem(key, "must be at most " + std::to_string(most) + " bytes");
  if (text.find('\0') != std::string::npos) return problem(key, "must not have a NUL");
  target = text;
}

void Reader::get(const std::string& key, bool& target) {
  const toml::node* node = find(key);
  if (node == nullptr) return;
  if (!node->is_boolean()) return problem(key, "must be true or false");
  target = node->as_boolean()->get();
}

void Reader::get(const std::string& key, std::int64_t& target, std::int64_t least, std::int64_t most) {
  const toml::node* node = find(key);
  if (node == nullptr) return;
  const auto* number = node->as_integer();
  if (number == nullptr || number->get() < least || number->get() > most) {
    return problem(key, "must be a whole number, " + std::to_string(least) + " to " + std::to_string(most));
  }
  target = number->get();
}

void Reader::get_time(const std::string& key, std::int64_t& target_ms) {
  const toml::node* node = find(key);
  if (node == nullptr) return;
  const std::int64_t time = node->is_string() ? parse_time_ms(node->as_string()->get()) : -1;
  if (time < 0) return problem(key, "must be a time as \"250ms\", \"2s\" or \"1m\", an hour at most");
  target_ms = time;
}

std::vector<Entry> Reader::texts(const std::string& key, const toml::node& node) {
  std::vector<Entry> out;
  if (node.is_string()) return {{node.as_string()->get(), node.source().begin.line}};
  const toml::array* array = node.as_array();
  if (array == nullptr || array->size() > list_entries) {
    problem(key, "must be a list of texts, at most " + std::to_string(list_entries));
    return out;
  }
  for (const toml::node& entry : *array) {
    const auto line = entry.source().begin.line;
    if (entry.is_string() && entry.as_string()->get().find('\0') == std::string::npos) {
      out.push_back({entry.as_string()->get(), line});
    } else {
      problems_.add(line, path_ + key, "must be a list of texts");
    }
  }
  return out;
}

std::vector<Entry> Reader::get_list(const std::string& key) {
  const toml::node* node = find(key);
  return node == nullptr ? std::vector<Entry>() : texts(key, *node);
}

std::vector<std::vector<Entry>> Reader::get_lists(const std::string& key) {
  std::vector<std::vector<Entry>> out;
  const toml::node* node = find(key);
  if (node == nullptr) return out;
  const toml::array* array = node->as_array();
  if (array == nullptr) {
    problem(key, "must be a list of lists of texts");
    return out;
  }
  for (const toml::node& entry : *array) out.push_back(texts(key, entry));
  return out;
}

std::vector<std::pair<Entry, std::int64_t>> Reader::get_numbers(const std::string& key, std::int64_t least,
                                                                std::int64_t most) {
  std::vector<std::pair<Entry, std::int64_t>> out;
  const toml::node* node = find(key);
  if (node == nullptr) return out;
  const toml::table* table = node->as_table();
  if (table == nullptr) {
    problem(key, "must be a table, as { alice = 50 }");
    return out;
  }
  for (const auto& [name, value] : *table) {
    const auto line = value.source().begin.line;
    const auto* number = value.as_integer();
    if (number == nullptr || number->get() < least || number->get() > most) {
      problems_.add(line, path_ + key + "." + std::string(name.str()),
                    "must be a whole number, " + std::to_string(least) + " to " + std::to_string(most));
    } else {
      out.push_back({{std::string(name.str()), line}, number->get()});
    }
  }
  return out;
}

std::vector<const toml::table*> Reader::tables(const std::string& key, std::size_t most) {
  std::vector<const toml::table*> out;
  const toml::node* node = find(key);
  if (node == nullptr) return out;
  const toml::array* array = node->as_array();
  if (array == nullptr || array->size() > most) {
    problem(key, "must be tables, each begun by [[" + path_ + key + "]], at most " + std::to_string(most));
    return out;
  }
  for (const toml::node& entry : *array) {
    if (entry.is_table()) {
      out.push_back(entry.as_table());
    } else {
      problems_.add(entry.source().begin.line, path_ + key, "must be a table, as { key = value }");
    }
  }
  return out;
}

void Reader::finish() {
  for (const auto& [key, node] : table_) {
    if (asked_.count(std::string(key.str())) == 0) {
      problems_.add(key.source().begin.line, path_ + std::string(key.str()), "there is no such key here");
    }
  }
}

std::int64_t parse_time_ms(const std::string& text) {
  double value = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, value, std::chars_format::fixed);
  const std::string unit(rest, end);
  const double factor = unit == "ms" ? 1 : unit == "s" ? 1'000 : unit == "m" ? 60'000 : -1;
  const double time = value * factor;
  return error == std::errc() && factor > 0 && time >= 0 && time <= longest_ms ? static_cast<std::int64_t>(time) : -1;
}

}  // namespace skerry::sandbox
