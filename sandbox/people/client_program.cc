#include "sandbox/people/client_program.h"

#include <array>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sandbox/world/files.h"
#include "sandbox/world/names.h"
#include "sandbox/world/sockets.h"

namespace skerry::sandbox {

namespace {

constexpr const char* home_variable = "SKERRY_CLIENT_HOME";
constexpr const char* password_variable = "SKERRY_PASSWORD";
constexpr std::size_t output_bytes = 1'048'576;

std::vector<char*> pointers(const std::vector<std::string>& words) {
  std::vector<char*> out;
  for (const std::string& word : words) out.push_back(const_cast<char*>(word.c_str()));
  out.push_back(nullptr);
  return out;
}

std::vector<std::string> with_program(const std::vector<std::string>& arguments) {
  std::vector<std::string> words = {program_folder() + "/skerry-client"};
  words.insert(words.end(), arguments.begin(), arguments.end());
  return words;
}

// Reads both until both end.
void read_both(const Descriptor& out, const Descriptor& err, ClientRun& run) {
  std::array<pollfd, 2> waiting = {pollfd{out.get(), POLLIN, 0}, pollfd{err.get(), POLLIN, 0}};
  const std::array<std::string*, 2> texts = {&run.output, &run.errors};
  while (waiting[0].fd >= 0 || waiting[1].fd >= 0) {
    if (::poll(waiting.data(), waiting.size(), -1) < 0) continue;
    for (std::size_t i = 0; i < waiting.size(); ++i) {
      if (waiting[i].fd < 0 || waiting[i].revents == 0) continue;
      std::array<char, 4'096> buffer;
      const ssize_t size = ::read(waiting[i].fd, buffer.data(), buffer.size());
      if (size <= 0) {
        waiting[i].fd = -1;
      } else if (texts[i]->size() < output_bytes) {
        texts[i]->append(buffer.data(), static_cast<std::size_t>(size));
      }
    }
  }
}

// Completes words that mean a user or a server of the sandbox, and finds out which server is meant.
class Words {
 public:
  Words(const SandboxStatus& status, const std::vector<std::string>& words) : status_(status), words_(words) {}

  std::vector<std::string> complete() {
    std::vector<std::string> out;
    for (std::size_t i = 0; i < words_.size(); ++i) {
      const std::string& word = words_[i];
      const bool has_next = i + 1 < words_.size();
      if ((word == "--server" || word == "-s") && has_next) {
        named_server(words_[++i], out);
      } else if (word.starts_with("--server=")) {
        named_server(word.substr(word.find('=') + 1), out);
      } else if ((word == "--account" || word == "-a") && has_next) {
        out.push_back(word);
        out.push_back(user(words_[++i]));
      } else if (word.starts_with("--account=")) {
        out.push_back("--account=" + user(word.substr(word.find('=') + 1)));
      } else if ((word == "register" || word == "login") && has_next && !words_[i + 1].starts_with('-')) {
        out.push_back(word);
        const std::string whole = user(words_[++i]);
        // A server registers names of its own, not of others.
        out.push_back(word == "register" && server_given_by_user_ ? whole.substr(1, whole.find(':') - 1) : whole);
      } else {
        out.push_back(word);
      }
    }
    if (!url_.empty()) out.insert(out.begin(), {"--server", url_});
    return out;
  }

 private:
  // A server of the sandbox by its URL; anything else as it stands.
  void named_server(const std::string& typed, std::vector<std::string>& out) {
    if (const auto name = find_server(status_.names(), typed)) {
      url_ = status_.server(*name).client_url;
    } else {
      out.insert(out.end(), {"--server", typed});
      foreign_server_ = true;
    }
  }

  std::string user(const std::string& typed) {
    const auto parsed = parse_user(status_.names(), typed);
    if (!parsed) return typed;
    server_given_by_user_ = true;
    if (!foreign_server_ && url_.empty()) url_ = status_.server(parsed->server().str()).client_url;
    return parsed->str();
  }

  const SandboxStatus& status_;
  const std::vector<std::string>& words_;
  std::string url_;
  bool foreign_server_ = false;
  bool server_given_by_user_ = false;
};

}  // namespace

std::vector<std::string> client_arguments(const SandboxStatus& status, const std::vector<std::string>& words) {
  std::vector<std::string> arguments = {"--ca-file", status.ca_file};
  for (std::string& word : Words(status, words).complete()) arguments.push_back(std::move(word));
  return arguments;
}

Error become_client(const Folder& folder, const std::vector<std::string>& arguments) {
  ::setenv(home_variable, folder.client_home().c_str(), 1);
  const auto words = with_program(arguments);
  ::execv(words.front().c_str(), pointers(words).data());
  return system_error(words.front());
}

Result<ClientRun> run_client(const Folder& folder, const std::vector<std::string>& arguments,
                             const std::string& password) {
  std::array<int, 2> out{};
  std::array<int, 2> err{};
  if (::pipe2(out.data(), O_CLOEXEC) != 0) return tl::make_unexpected(system_error("pipe"));
  Descriptor out_read(out[0]), out_write(out[1]);
  if (::pipe2(err.data(), O_CLOEXEC) != 0) return tl::make_unexpected(system_error("pipe"));
  Descriptor err_read(err[0]), err_write(err[1]);
  ::setenv(home_variable, folder.client_home().c_str(), 1);
  if (!password.empty()) ::setenv(password_variable, password.c_str(), 1);
  const auto words = with_program(arguments);
  const auto argv = pointers(words);
  const pid_t child = ::fork();
  if (child == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);
    ::dup2(out_write.get(), STDOUT_FILENO);
    ::dup2(err_write.get(), STDERR_FILENO);
    ::execv(argv[0], argv.data());
    ::_exit(127);
  }
  ::unsetenv(password_variable);
  if (child < 0) return tl::make_unexpected(system_error("fork"));
  out_write.close();
  err_write.close();
  ClientRun run;
  read_both(out_read, err_read, run);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  run.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return run;
}

}  // namespace skerry::sandbox
