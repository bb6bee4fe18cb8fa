// A program in a pseudo-terminal, and what its screen would show.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <string>
#include <sys/types.h>
#include <vector>

namespace skerry::test {

// Understands what a full-screen program of the kind xterm needs to write: cursor placing, clearing, text.
class PseudoTerminal {
 public:
  // Starts the program with these variables beside the test's own. Killed by pid at the end.
  PseudoTerminal(const std::vector<std::string>& arguments, const std::map<std::string, std::string>& environment,
                 int rows = 24, int columns = 80);
  ~PseudoTerminal();
  PseudoTerminal(const PseudoTerminal&) = delete;
  PseudoTerminal& operator=(const PseudoTerminal&) = delete;

  void type(const std::string& bytes);
  void resize(int rows, int columns);
  void signal(int number);
  // Waits until the screen shows the text somewhere, or nowhere. False after 20 seconds.
  bool shows(const std::string& text);
  bool hides(const std::string& text);
  // Types the same again and again until the text is shown.
  bool type_until(const std::string& bytes, const std::string& text);
  // The exit status, or 128 and the signal's number; -1 when the program does not end within 20 seconds.
  int wait();
  std::string screen() const;
  const std::string& raw() const { return raw_; }  // every byte it wrote

 private:
  bool until(const std::function<bool()>& condition);
  bool read_some(int wait_ms);  // false: the program has closed the terminal
  void interpret();
  void control_sequence(const std::string& parameters, char final);
  void put(const std::string& character);
  void clear();

  pid_t pid_ = -1;
  int master_ = -1;
  int rows_;
  int columns_;
  int row_ = 0;
  int column_ = 0;
  std::vector<std::vector<std::string>> cells_;
  std::string raw_;
  std::size_t interpreted_ = 0;
};

}  // namespace skerry::test
