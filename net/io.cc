#include "net/io.h"

#include <atomic>
#include <csignal>
#include <exception>
#include <stdexcept>
#include <sys/resource.h>

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <openssl/rand.h>

#include "net/io_impl.h"
#include "net/log.h"

namespace skerry::net {

namespace {

// One delayed task. Only the timer's handler owns it, so that a handle which outlives the Io touches nothing of it.
struct Delayed {
  Delayed(boost::asio::io_context& context, std::function<void()> delayed) : timer(context), task(std::move(delayed)) {}
  boost::asio::steady_timer timer;
  std::function<void()> task;
  std::atomic<bool> cancelled = false;
};

// What the caller of after() holds: its end cancels.
class Cancellation {
 public:
  explicit Cancellation(std::weak_ptr<Delayed> delayed) : delayed_(std::move(delayed)) {}
  Cancellation(const Cancellation&) = delete;
  Cancellation& operator=(const Cancellation&) = delete;
  ~Cancellation() {
    auto delayed = delayed_.lock();
    if (!delayed) return;
    delayed->cancelled = true;
    // A timer is not for two threads at once: cancelling is the context's turn.
    auto& timer = delayed->timer;
    boost::asio::post(timer.get_executor(), [delayed = std::move(delayed)] { delayed->timer.cancel(); });
  }

 private:
  const std::weak_ptr<Delayed> delayed_;
};

void run(boost::asio::io_context& context) {
  for (;;) {
    try {
      context.run();
      return;
    } catch (const std::exception& error) {
      log::error("io", std::string("a task ended with an exception: ") + error.what());
    }
  }
}

// Every connection is a descriptor, and the usual soft limit of 1,024 is for programs that call select().
void raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

Io::Io(int threads) : impl_(std::make_unique<Impl>(threads)) {
  std::signal(SIGPIPE, SIG_IGN);
  raise_descriptor_limit();
  for (int i = 0; i < threads; ++i) impl_->threads.emplace_back([this] { run(impl_->context); });
}

Io::~Io() { stop(); }

void Io::post(std::function<void()> task) { boost::asio::post(impl_->context, std::move(task)); }

Scheduler::Handle Io::after(std::chrono::milliseconds delay, std::function<void()> task) {
  auto delayed = std::make_shared<Delayed>(impl_->context, std::move(task));
  delayed->timer.expires_after(delay);
  auto& timer = delayed->timer;
  auto handle = std::make_shared<Cancellation>(delayed);
  timer.async_wait([delayed = std::move(delayed)](const boost::system::error_code& error) {
    auto pending = std::move(delayed->task);
    if (!error && !delayed->cancelled) pending();
  });
  return handle;
}

void Io::on_termination(std::function<void(int)> on_signal) {
  impl_->signals.emplace(impl_->context, SIGTERM, SIGINT);
  auto again = std::make_shared<std::function<void()>>();
  *again = [this, on_signal = std::move(on_signal), weak = std::weak_ptr(again)] {
    impl_->signals->async_wait([on_signal, keep = weak.lock()](const boost::system::error_code& error, int signal) {
      if (error) return;
      (*keep)();
      on_signal(signal);
    });
  };
  (*again)();
}

void Io::stop() {
  std::call_once(impl_->stopped, [this] {
    impl_->work.reset();
    impl_->context.stop();
    for (std::thread& thread : impl_->threads) thread.join();
  });
}

namespace {

class SystemClock final : public Clock {
 public:
  std::int64_t now_ms() const override {
    using namespace std::chrono;
    return duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
  }
};

class SystemRandom final : public Random {
 public:
  std::string bytes(std::size_t count) override {
    std::string made(count, '\0');
    if (RAND_bytes(reinterpret_cast<unsigned char*>(made.data()), static_cast<int>(count)) != 1) {
      throw std::runtime_error("the system gives no random bytes");
    }
    return made;
  }
};

}  // namespace

Clock& system_clock() {
  static SystemClock clock;
  return clock;
}

Random& system_random() {
  static SystemRandom random;
  return random;
}

}  // namespace skerry::net
