// Reads a TOML file key by key: what nobody asked for is unknown, and each problem names its line. Heavy: for .cc files
// of this folder.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include <toml++/toml.h>

#include "core/result.h"

namespace skerry::sandbox {

// Of a name in a file, where nothing else bounds it.
inline constexpr std::size_t typed_name_bytes = 100;

class Problems {
 public:
  explicit Problems(std::string file) : file_(std::move(file)) {}

  void add(std::uint32_t line, const std::string& key, const std::string& text);
  bool none() const { return lines_.empty(); }
  // One a line, in the file's order; at most the first dozen.
  Error error();

 private:
  struct Problem {
    std::uint32_t line;
    std::string text;
  };
  const std::string file_;
  std::vector<Problem> lines_;
};

// A text of a list, with its place.
struct Entry {
  std::string text;
  std::uint32_t line = 0;
};

// One table. Each get leaves its target alone when the key is absent or wrong, which it then says.
class Reader {
 public:
  Reader(const toml::table& table, std::string path, Problems& problems)
      : table_(table), path_(std::move(path)), problems_(problems) {}

  bool has(const std::string& key) const { return table_.get(key) != nullptr; }
  std::uint32_t line() const { return table_.source().begin.line; }
  std::uint32_t line_of(const std::string& key) const;
  void problem(const std::string& key, const std::string& text) { problems_.add(line_of(key), path_ + key, text); }
  void problem_at(std::uint32_t line, const std::string& key, const std::string& text) {
    problems_.add(line, path_ + key, text);
  }
  bool required(const std::string& key);

  // At most `most` bytes, none of them NUL.
  void get(const std::string& key, std::string& target, std::size_t most);
  void get(const std::string& key, bool& target);
  void get(const std::string& key, std::int64_t& target, std::int64_t least, std::int64_t most);
  // "250ms", "2s", "1m": milliseconds, an hour at most.
  void get_time(const std::string& key, std::int64_t& target_ms);
  // A list of texts, or one text.
  std::vector<Entry> get_list(const std::string& key);
  // [["alpha"], ["bravo", "charlie"]]
  std::vector<std::vector<Entry>> get_lists(const std::string& key);
  // The keys of a table with whole numbers, in their order.
  std::vector<std::pair<Entry, std::int64_t>> get_numbers(const std::string& key, std::int64_t least,
                                                          std::int64_t most);
  // [[key]] tables, or a list of inline ones, at most `most`.
  template <class Read>
  void get_tables(const std::string& key, std::size_t most, const Read& read) {
    for (const toml::table* table : tables(key, most)) {
      Reader reader(*table, path_ + key + ".", problems_);
      read(reader);
      reader.finish();
    }
  }
  // What is not read for another problem's sake.
  void skip(const std::string& key) { asked_.insert(key); }
  // Whatever was not asked for is a problem.
  void finish();

 private:
  const toml::node* find(const std::string& key);
  std::vector<const toml::table*> tables(const std::string& key, std::size_t most);
  std::vector<Entry> texts(const std::string& key, const toml::node& node);

  const toml::table& table_;
  const std::string path_;
  Problems& problems_;
  std::set<std::string> asked_;
};

// "250ms", "2s", "1.5s", "1m" in milliseconds; -1 when it is none of these, or more than an hour.
std::int64_t parse_time_ms(const std::string& text);

// Parses, calls `read` with the whole file's table, and answers every problem at once. Errors: bad_json.
template <class Read>
Result<void> read_toml(const std::string& text, const std::string& file, const Read& read) {
  Problems problems(file);
  toml::table table;
  try {
    table = toml::parse(text);
  } catch (const toml::parse_error& error) {
    problems.add(error.source().begin.line, "TOML", std::string(error.description()));
    return tl::make_unexpected(problems.error());
  }
  Reader reader(table, "", problems);
  read(reader);
  reader.finish();
  return problems.none() ? Result<void>() : tl::make_unexpected(problems.error());
}

}  // namespace skerry::sandbox
