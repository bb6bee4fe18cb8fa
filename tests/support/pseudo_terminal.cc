#include "tests/support/pseudo_terminal.h"

#include <algorithm>
#include <cstdio>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdexcept>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/text/graphemes.h"

namespace skerry::test {
namespace {

constexpr std::chrono::seconds patience{20};

winsize size_of(int rows, int columns) {
  winsize out{};
  out.ws_row = static_cast<unsigned short>(rows);
  out.ws_col = static_cast<unsigned short>(columns);
  return out;
}

}  // namespace

PseudoTerminal::PseudoTerminal(const std::vector<std::string>& arguments,
                               const std::map<std::string, std::string>& environment, int rows, int columns)
    : rows_(rows), columns_(columns) {
  clear();
  const winsize size = size_of(rows, columns);
  pid_ = forkpty(&master_, nullptr, nullptr, &size);
  if (pid_ < 0) throw std::runtime_error("no pseudo-terminal");
  if (pid_ > 0) return;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  for (const auto& [name, value] : environment) setenv(name.c_str(), value.c_str(), 1);
  std::vector<char*> words;
  for (const std::string& argument : arguments) words.push_back(const_cast<char*>(argument.c_str()));
  words.push_back(nullptr);
  close_range(3, ~0U, 0);  // sockets of servers in this process are not the child's
  execv(words[0], words.data());
  _exit(127);
}

PseudoTerminal::~PseudoTerminal() {
  if (pid_ > 0) {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  close(master_);
}

void PseudoTerminal::type(const std::string& bytes) {
  if (write(master_, bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size()))
    throw std::runtime_error("cannot type");
}

void PseudoTerminal::resize(int rows, int columns) {
  rows_ = rows;
  columns_ = columns;
  clear();
  const winsize size = size_of(rows, columns);
  ioctl(master_, TIOCSWINSZ, &size);
}

void PseudoTerminal::signal(int number) { kill(pid_, number); }

bool PseudoTerminal::shows(const std::string& text) {
  return until([&] { return screen().find(text) != std::string::npos; });
}

bool PseudoTerminal::hides(const std::string& text) {
  return until([&] { return screen().find(text) == std::string::npos; });
}

bool PseudoTerminal::type_until(const std::string& bytes, const std::string& text) {
  return until([&] {
    if (screen().find(text) != std::string::npos) return true;
    type(bytes);
    return false;
  });
}

bool PseudoTerminal::until(const std::function<bool()>& condition) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline || !read_some(50)) {
      std::fprintf(stderr, "the screen is:\n%s\n", screen().c_str());
      return false;
    }
  }
  return true;
}

bool PseudoTerminal::read_some(int wait_ms) {
  pollfd poller{master_, POLLIN, 0};
  if (poll(&poller, 1, wait_ms) <= 0) return true;
  char buffer[4096];
  const ssize_t count = read(master_, buffer, sizeof buffer);
  if (count <= 0) return false;
  raw_.append(buffer, static_cast<std::size_t>(count));
  interpret();
  return true;
}

int PseudoTerminal::wait() {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  int status = 0;
  while (waitpid(pid_, &status, WNOHANG) == 0) {
    if (std::chrono::steady_clock::now() > deadline) return -1;
    if (!read_some(20)) usleep(5'000);
  }
  while (read_some(0)) {
    pollfd poller{master_, POLLIN, 0};
    if (poll(&poller, 1, 0) <= 0) break;
  }
  pid_ = -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void PseudoTerminal::clear() {
  cells_.assign(static_cast<std::size_t>(rows_), std::vector<std::string>(static_cast<std::size_t>(columns_), " "));
}

// Whole sequences and characters only; what is cut waits for the rest.
void PseudoTerminal::interpret() {
  while (interpreted_ < raw_.size()) {
    const std::size_t at = interpreted_;
    const auto c = static_cast<unsigned char>(raw_[at]);
    if (c == 0x1B) {
      if (at + 1 >= raw_.size()) return;
      if (raw_[at + 1] == '[') {
        const auto end = raw_.find_first_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz@`", at + 2);
        if (end == std::string::npos) return;
        control_sequence(raw_.substr(at + 2, end - at - 2), raw_[end]);
        interpreted_ = end + 1;
      } else {
        const bool charset = raw_[at + 1] == '(' || raw_[at + 1] == ')';
        if (charset && at + 2 >= raw_.size()) return;
        interpreted_ = at + (charset ? 3 : 2);
      }
    } else if (c < 0x20 || c == 0x7F) {
      if (c == '\r') column_ = 0;
      if (c == '\n') row_ = std::min(row_ + 1, rows_ - 1);
      ++interpreted_;
    } else {
      const std::size_t length = c < 0x80 ? 1 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;
      if (at + length > raw_.size()) return;
      put(raw_.substr(at, length));
      interpreted_ = at + length;
    }
  }
}

void PseudoTerminal::control_sequence(const std::string& parameters, char final) {
  if (final == 'H') {
    int row = 1;
    int column = 1;
    std::sscanf(parameters.c_str(), "%d;%d", &row, &column);
    row_ = std::clamp(row - 1, 0, rows_ - 1);
    column_ = std::clamp(column - 1, 0, columns_ - 1);
  }
  if (final == 'J') clear();
}

void PseudoTerminal::put(const std::string& character) {
  const int width = client::text_width(character);
  if (row_ >= rows_ || column_ >= columns_) return;
  cells_[static_cast<std::size_t>(row_)][static_cast<std::size_t>(column_)] = character;
  if (width == 2 && column_ + 1 < columns_)
    cells_[static_cast<std::size_t>(row_)][static_cast<std::size_t>(column_) + 1] = "";
  column_ += width;
}

std::string PseudoTerminal::screen() const {
  std::string out;
  for (const auto& row : cells_) {
    std::string line;
    for (const std::string& cell : row) line += cell;
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + "\n";
  }
  return out;
}

}  // namespace skerry::test
