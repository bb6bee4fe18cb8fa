#include "sandbox/world/child.h"

#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <fstream>
#include <iterator>
#include <linux/close_range.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace skerry::sandbox {

namespace {

// All that is needed is made ready before fork(): in the child of a process with threads only system calls are safe.
struct Prepared {
  std::vector<char*> words;
  Descriptor log;
  Descriptor nothing;
};

Result<Prepared> prepare(const std::vector<std::string>& arguments, const std::string& log_file) {
  Prepared prepared;
  if (::access(arguments.front().c_str(), X_OK) != 0) return tl::make_unexpected(system_error(arguments.front()));
  for (const std::string& argument : arguments) prepared.words.push_back(const_cast<char*>(argument.c_str()));
  prepared.words.push_back(nullptr);
  prepared.log = Descriptor(::open(log_file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  if (!prepared.log.open()) return tl::make_unexpected(system_error(log_file));
  prepared.nothing = Descriptor(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  if (!prepared.nothing.open()) return tl::make_unexpected(system_error("/dev/null"));
  return prepared;
}

// Libraries open descriptors that outlive exec: a connection held in another process, too, would not end when it is
// closed here, and who waits on it would wait in vain.
void keep_descriptors() { ::close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC); }

[[noreturn]] void become(const Prepared& prepared) {
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGCHLD}) ::signal(number, SIG_DFL);
  ::dup2(prepared.nothing.get(), STDIN_FILENO);
  ::dup2(prepared.log.get(), STDOUT_FILENO);
  ::dup2(prepared.log.get(), STDERR_FILENO);
  ::execv(prepared.words[0], prepared.words.data());
  ::_exit(127);
}

}  // namespace

Result<pid_t> spawn_child(const std::vector<std::string>& arguments, const std::string& log_file) {
  auto prepared = prepare(arguments, log_file);
  if (!prepared) return tl::make_unexpected(prepared.error());
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child < 0) return tl::make_unexpected(system_error("fork"));
  if (child > 0) return child;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(127);  // it ended before the line above
  keep_descriptors();
  become(*prepared);
}

Result<pid_t> spawn_daemon(const std::vector<std::string>& arguments, const std::string& log_file, int inherited) {
  auto prepared = prepare(arguments, log_file);
  if (!prepared) return tl::make_unexpected(prepared.error());
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return tl::make_unexpected(system_error("pipe"));
  const Descriptor told(ends[0]);
  Descriptor telling(ends[1]);
  const pid_t child = ::fork();
  if (child < 0) return tl::make_unexpected(system_error("fork"));
  if (child == 0) {
    ::setsid();
    if (const pid_t daemon = ::fork(); daemon != 0) {
      const bool is_told = ::write(telling.get(), &daemon, sizeof daemon) == sizeof daemon;
      ::_exit(is_told ? 0 : 1);
    }
    keep_descriptors();
    ::fcntl(inherited, F_SETFD, 0);
    if (::chdir("/") != 0) ::_exit(127);
    become(*prepared);
  }
  telling.close();
  while (::waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
  }
  pid_t daemon = -1;
  if (::read(told.get(), &daemon, sizeof daemon) != sizeof daemon || daemon < 0)
    return fail(ErrorCode::storage, "there is no process for " + arguments.front());
  return daemon;
}

Descriptor watch_process(pid_t pid) { return Descriptor(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))); }

void wait_for_end(const Descriptor& watched, std::chrono::milliseconds at_most) {
  if (!watched.open()) return;
  const auto deadline = std::chrono::steady_clock::now() + at_most;
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    pollfd end{watched.get(), POLLIN, 0};
    if (left.count() <= 0 || ::poll(&end, 1, static_cast<int>(left.count())) >= 0 || errno != EINTR) return;
  }
}

bool stop_child(pid_t pid) {
  std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
  const std::string text{std::istreambuf_iterator<char>(stat), {}};
  const auto name_end = text.rfind(") ");
  if (name_end == std::string::npos || text[name_end + 2] == 'T') return false;
  ::kill(pid, SIGSTOP);
  siginfo_t info{};
  while (::waitid(P_PID, static_cast<id_t>(pid), &info, WSTOPPED | WEXITED | WNOWAIT) != 0 && errno == EINTR) {
  }
  if (info.si_code != CLD_STOPPED) return false;
  ::waitid(P_PID, static_cast<id_t>(pid), &info, WSTOPPED | WNOHANG);  // was seen: the next stop is another one
  return true;
}

std::uint64_t memory_bytes(pid_t pid) {
  std::ifstream rollup("/proc/" + std::to_string(pid) + "/smaps_rollup");
  std::string word;
  while (rollup >> word) {
    std::uint64_t kilobytes = 0;
    if (word == "Pss:" && rollup >> kilobytes) return kilobytes * 1'024;
  }
  return 0;
}

}  // namespace skerry::sandbox
