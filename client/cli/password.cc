#include "client/cli/password.h"

#include <cstdlib>
#include <fcntl.h>
#include <fstream>
#include <iostream>
#include <termios.h>
#include <unistd.h>

#include "core/limits.h"

namespace skerry::client {
namespace {

// The terminal itself, whatever stdin and stdout are.
class Prompt {
 public:
  Prompt() : descriptor_(::open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY)) {}
  ~Prompt() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  Prompt(const Prompt&) = delete;
  Prompt& operator=(const Prompt&) = delete;
  bool good() const { return descriptor_ >= 0; }

  // Asks for one line. With `secret` the answer is not shown, and Ctrl-C is an answer too, so that the echo always
  // comes back.
  Outcome<std::string> ask(const std::string& question, bool secret) {
    termios before{};
    const bool silent = secret && tcgetattr(descriptor_, &before) == 0;
    if (silent) {  // before the question is seen: what is typed from then on counts, and does not show
      termios without_echo = before;
      without_echo.c_lflag &= ~static_cast<tcflag_t>(ECHO | ISIG);
      tcsetattr(descriptor_, TCSAFLUSH, &without_echo);
    }
    write(question);
    std::string line;
    bool cancelled = false;
    for (char c = 0; !cancelled && ::read(descriptor_, &c, 1) == 1 && c != '\n';) {
      if (silent && c == 3) cancelled = true;
      line += c;
    }
    if (silent) {
      tcsetattr(descriptor_, TCSADRAIN, &before);
      write("\n");
    }
    if (cancelled) return sorry("cancelled");
    return line;
  }

 private:
  void write(const std::string& text) {
    if (::write(descriptor_, text.data(), text.size()) < 0) return;  // nobody to tell
  }

  int descriptor_;
};

Outcome<std::string> first_line(std::istream& stream, const SafeText& where) {
  std::string line;
  if (!std::getline(stream, line)) return sorry(where + " holds no password");
  if (line.ends_with('\r')) line.pop_back();
  return line;
}

Outcome<std::string> ask_password(const SafeText& user, bool confirm) {
  Prompt terminal;
  if (!terminal.good()) {
    return sorry(
        "there is no terminal to ask for the password: use --password-file, --password-stdin or $SKERRY_PASSWORD");
  }
  auto password = terminal.ask("Password of " + user.str() + ": ", true);
  if (!password || !confirm) return password;
  auto again = terminal.ask("The same again: ", true);
  if (!again) return again;
  if (*again != *password) return sorry("the two passwords differ");
  return password;
}

Outcome<std::string> read_password(const Arguments& args, const SafeText& user, bool confirm) {
  if (args.password) return *args.password;
  if (!args.password_file.empty()) {
    std::ifstream file(args.password_file);
    return first_line(file, args.password_file);
  }
  if (args.password_stdin) return first_line(std::cin, "stdin");
  if (const char* set = std::getenv("SKERRY_PASSWORD"); set && *set) return std::string(set);
  return ask_password(user, confirm);
}

}  // namespace

Outcome<std::string> obtain_password(const Arguments& args, const SafeText& user, bool confirm) {
  auto password = read_password(args, user, confirm);
  if (password && password->empty()) return sorry("the password is empty");
  if (password && password->size() > limits::password_bytes) return sorry("the password is too long");
  return password;
}

Outcome<std::string> ask(const SafeText& question) {
  Prompt terminal;
  if (!terminal.good()) return sorry(question + " is missing, and there is no terminal to ask for it");
  return terminal.ask(question.str() + ": ", false);
}

}  // namespace skerry::client
