#include "sandbox/world/foreground.h"

#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <linux/close_range.h>
#include <optional>
#include <poll.h>
#include <set>
#include <sstream>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sandbox/world/child.h"

namespace skerry::sandbox {

namespace fs = std::filesystem;

namespace {

using Steady = std::chrono::steady_clock;

constexpr std::chrono::seconds grace{5};           // for the program, from SIGTERM to SIGKILL
constexpr std::chrono::seconds leftover_grace{1};  // the same for what it leaves running
constexpr std::chrono::seconds leftover_time{3};   // what SIGKILL does not end until then is waited for no more
constexpr std::chrono::milliseconds end_step{10};
constexpr int not_found_status = 127;
constexpr int not_runnable_status = 126;

constexpr std::array passed_on = {SIGINT, SIGQUIT, SIGTERM, SIGHUP};
// What this program, or a library in it, may handle otherwise than it was handed.
constexpr std::array changed_here = {SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGPIPE, SIGCHLD};

struct Caught {
  int number;
  bool by_terminal;  // so that the whole process group has it
};

int caught_pipe = -1;  // where the handler writes; one writer, of pieces that a pipe takes whole

void catch_signal(int number, siginfo_t* info, void* /*context*/) {
  const int kept = errno;
  const Caught caught{number, info->si_code == SI_KERNEL};
  (void)!::write(caught_pipe, &caught, sizeof caught);
  errno = kept;
}

bool is_program(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode) && ::access(path.c_str(), X_OK) == 0;
}

// Processes whose parent we are.
std::vector<pid_t> children() {
  std::vector<pid_t> out;
  std::error_code ignored;
  for (const auto& task : fs::directory_iterator("/proc/self/task", ignored)) {
    std::ifstream file(task.path() / "children");
    for (pid_t child = 0; file >> child;) out.push_back(child);
  }
  return out;
}

// The environment as exec wants it, with some of it set.
class Environment {
 public:
  explicit Environment(const std::map<std::string, std::string>& added) {
    for (char** each = environ; *each != nullptr; ++each) {
      const std::string text = *each;
      if (added.count(text.substr(0, text.find('='))) == 0) texts_.push_back(text);
    }
    for (const auto& [name, value] : added) texts_.push_back(name + "=" + value);
    for (std::string& text : texts_) pointers_.push_back(text.data());
    pointers_.push_back(nullptr);
  }
  char* const* get() const { return pointers_.data(); }

 private:
  std::vector<std::string> texts_;
  std::vector<char*> pointers_;
};

class Running {
 public:
  explicit Running(const Inheritance& inheritance) : inheritance_(inheritance) {}
  ~Running() { caught_pipe = -1; }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;

  Result<void> start(const std::vector<std::string>& words, const std::map<std::string, std::string>& environment) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return tl::make_unexpected(system_error("pipe"));
    caught_ = Descriptor(ends[0]);
    catching_ = Descriptor(ends[1]);
    caught_pipe = catching_.get();
    ::prctl(PR_SET_CHILD_SUBREAPER, 1);  // what it leaves behind becomes ours
    const Environment variables(environment);
    std::vector<char*> arguments;
    for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);

    sigset_t all, before;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before);  // no handler of ours runs in the child
    catch_signals();
    const pid_t parent = ::getpid();
    program_ = ::fork();
    if (program_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (::getppid() != parent) ::_exit(not_found_status);  // it ended before the line above
      inheritance_.hand_on();
      ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
      ::execvpe(arguments[0], arguments.data(), variables.get());
      ::_exit(errno == ENOENT ? not_found_status : not_runnable_status);
    }
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    return program_ < 0 ? Result<void>(tl::make_unexpected(system_error("fork"))) : Result<void>();
  }

  int wait() {
    bool caller_lives = inheritance_.caller() >= 0;
    while (!status_) {
      std::array<pollfd, 2> waiting = {pollfd{caught_.get(), POLLIN, 0},
                                       pollfd{caller_lives ? inheritance_.caller() : -1, POLLIN, 0}};
      const auto time = deadline_ ? std::chrono::duration_cast<std::chrono::milliseconds>(*deadline_ - Steady::now())
                                  : std::chrono::milliseconds(-1);
      ::poll(waiting.data(), waiting.size(), deadline_ ? std::max<int>(static_cast<int>(time.count()) + 1, 0) : -1);
      if (waiting[1].revents != 0) {
        caller_lives = false;
        take({SIGTERM, false});
      }
      for (Caught caught{}; ::read(caught_.get(), &caught, sizeof caught) == sizeof caught;) take(caught);
      if (deadline_ && Steady::now() >= *deadline_) ::kill(program_, SIGKILL);
    }
    if (deadline_) end_leftovers();
    return *status_;
  }

 private:
  void catch_signals() {
    struct sigaction action {};
    action.sa_sigaction = catch_signal;
    action.sa_flags = SA_SIGINFO | SA_RESTART | SA_NOCLDSTOP;
    for (const int number : passed_on) {
      if (!inheritance_.ignored(number)) ::sigaction(number, &action, nullptr);
    }
    ::sigaction(SIGCHLD, &action, nullptr);
  }

  void take(const Caught& caught) {
    if (caught.number == SIGCHLD) return reap();
    if (!caught.by_terminal) ::kill(program_, caught.number);
    const bool ends = caught.number == SIGTERM || caught.number == SIGHUP;
    if (ends && !deadline_) deadline_ = Steady::now() + grace;
  }

  // The program, and what it left behind that ended.
  void reap() {
    int status = 0;
    for (pid_t child = 0; (child = ::waitpid(-1, &status, WNOHANG)) > 0;) {
      if (child != program_) continue;
      status_ = WIFEXITED(status) ? WEXITSTATUS(status) : signal_status + WTERMSIG(status);
    }
  }

  // What a program started and left becomes our child when it ends, and so do their children in turn.
  static void end_leftovers() {
    const auto began = Steady::now();
    std::set<pid_t> told;
    while (Steady::now() < began + leftover_time) {
      while (::waitpid(-1, nullptr, WNOHANG) > 0) {
      }
      const auto left = children();
      if (left.empty()) return;
      const bool patient = Steady::now() < began + leftover_grace;
      for (const pid_t child : left) {
        if (!patient || told.insert(child).second) ::kill(child, patient ? SIGTERM : SIGKILL);
      }
      ::poll(nullptr, 0, static_cast<int>(end_step.count()));
    }
  }

  const Inheritance& inheritance_;
  Descriptor caught_;
  Descriptor catching_;
  pid_t program_ = -1;
  std::optional<int> status_;
  std::optional<Steady::time_point> deadline_;  // since it was told to end
};

}  // namespace

Inheritance::Inheritance() {
  std::error_code ignored_error;
  for (const auto& entry : fs::directory_iterator("/proc/self/fd", ignored_error)) {
    const std::string name = entry.path().filename().string();
    int descriptor = -1;
    std::from_chars(name.data(), name.data() + name.size(), descriptor);
    if (descriptor > STDERR_FILENO) descriptors_.push_back(descriptor);
  }
  // The one by which the folder itself was read is closed by now.
  std::erase_if(descriptors_, [](int descriptor) { return (::fcntl(descriptor, F_GETFD) & FD_CLOEXEC) != 0; });
  for (const int number : changed_here) ::sigaction(number, nullptr, &actions_[number]);
  const bool detached = ignored(SIGHUP) || ::getsid(0) == ::getpid();
  if (!detached) caller_ = watch_process(::getppid());
}

void Inheritance::hand_on() const {
  ::close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC);
  for (const int descriptor : descriptors_) ::fcntl(descriptor, F_SETFD, 0);
  for (const auto& [number, action] : actions_) ::sigaction(number, &action, nullptr);
}

bool Inheritance::ignored(int signal) const {
  const auto found = actions_.find(signal);
  return found != actions_.end() && found->second.sa_handler == SIG_IGN;
}

int missing_program(const std::string& word) {
  if (word.find('/') != std::string::npos) {
    if (is_program(word)) return 0;
    return ::access(word.c_str(), F_OK) == 0 ? not_runnable_status : not_found_status;
  }
  const char* path = std::getenv("PATH");
  std::istringstream folders(path != nullptr ? path : "/usr/bin:/bin");
  for (std::string folder; std::getline(folders, folder, ':');) {
    if (is_program((folder.empty() ? "." : folder) + "/" + word)) return 0;
  }
  return not_found_status;
}

Result<int> run_in_foreground(const std::vector<std::string>& words,
                              const std::map<std::string, std::string>& environment, const Inheritance& inheritance) {
  Running running(inheritance);
  if (auto started = running.start(words, environment); !started) return tl::make_unexpected(started.error());
  return running.wait();
}

}  // namespace skerry::sandbox
