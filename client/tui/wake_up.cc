#include "client/tui/wake_up.h"

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

namespace skerry::client {
namespace {

// What handlers may touch.
std::atomic<int> signal_event{-1};
std::atomic<bool> resized{false};
std::atomic<bool> ended_by_signal{false};
static_assert(std::atomic<int>::is_always_lock_free && std::atomic<bool>::is_always_lock_free);

constexpr std::array<int, 4> handled = {SIGWINCH, SIGTERM, SIGINT, SIGHUP};
std::array<struct sigaction, handled.size()> before;

void ring(int descriptor) {
  const std::uint64_t one = 1;
  if (::write(descriptor, &one, sizeof one) < 0) return;  // full: it rings already
}

void on_signal(int number) {
  const int saved = errno;
  (number == SIGWINCH ? resized : ended_by_signal) = true;
  ring(signal_event);
  errno = saved;
}

}  // namespace

WakeUp::WakeUp() : event_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  signal_event = event_;
  resized = ended_by_signal = false;
  struct sigaction action {};
  action.sa_handler = on_signal;
  sigemptyset(&action.sa_mask);
  for (std::size_t i = 0; i < handled.size(); ++i) sigaction(handled[i], &action, &before[i]);
}

WakeUp::~WakeUp() {
  for (std::size_t i = 0; i < handled.size(); ++i) sigaction(handled[i], &before[i], nullptr);
  signal_event = -1;
  ::close(event_);
}

void WakeUp::post(std::function<void()> task) {
  {
    const std::lock_guard lock(mutex_);
    tasks_.push_back(std::move(task));
  }
  ring(event_);
}

void WakeUp::wait() {
  std::array<pollfd, 2> wait{{{STDIN_FILENO, POLLIN, 0}, {event_, POLLIN, 0}}};
  if (poll(wait.data(), wait.size(), -1) < 0) return;  // a signal
  std::uint64_t count = 0;
  if ((wait[1].revents & POLLIN) && ::read(event_, &count, sizeof count) < 0) return;
  if (wait[0].revents & (POLLHUP | POLLERR | POLLNVAL)) ended_by_signal = true;  // the terminal has gone
}

void WakeUp::run_tasks() {
  std::deque<std::function<void()>> now;
  {
    const std::lock_guard lock(mutex_);
    now.swap(tasks_);
  }
  for (auto& task : now) task();
}

bool WakeUp::take_resized() { return resized.exchange(false); }
bool WakeUp::ended() const { return ended_by_signal; }

}  // namespace skerry::client
