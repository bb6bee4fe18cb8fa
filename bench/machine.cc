#include "bench/machine.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

#include "bench/statistics.h"
#include "core/crypto.h"

namespace skerry::bench {

namespace {

using Steady = std::chrono::steady_clock;

class Socket {
 public:
  explicit Socket(int fd) : fd_(fd) {
    const int on = 1;
    ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }
  ~Socket() { ::close(fd_); }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  int get() const { return fd_; }

 private:
  const int fd_;
};

// Calls `work` again and again; how often a second.
template <class Work>
double often_per_s(std::chrono::milliseconds time, Work work) {
  constexpr int at_once = 50;
  const auto begin = Steady::now();
  std::chrono::duration<double> took{};
  double count = 0;
  while (took < time) {
    for (int i = 0; i < at_once; ++i) work();
    count += at_once;
    took = Steady::now() - begin;
  }
  return count / took.count();
}

Result<double> round_trip(std::chrono::milliseconds time) {
  const auto broken = fail(ErrorCode::internal, "no TCP on 127.0.0.1");
  Socket listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* place = reinterpret_cast<sockaddr*>(&address);
  if (::bind(listener.get(), place, size) != 0 || ::listen(listener.get(), 1) != 0) return broken;
  if (::getsockname(listener.get(), place, &size) != 0) return broken;
  Socket near(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (::connect(near.get(), place, size) != 0) return broken;
  Socket far(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  std::thread echo([&far] {
    char byte = 0;
    while (::read(far.get(), &byte, 1) == 1 && ::write(far.get(), &byte, 1) == 1) {
    }
  });
  std::vector<double> times;
  for (const auto end = Steady::now() + time; Steady::now() < end;) {
    const auto begin = Steady::now();
    char byte = 'x';
    if (::write(near.get(), &byte, 1) != 1 || ::read(near.get(), &byte, 1) != 1) break;
    times.push_back(std::chrono::duration<double>(Steady::now() - begin).count());
  }
  ::shutdown(near.get(), SHUT_RDWR);
  echo.join();
  return percentiles_of(std::move(times)).p50;
}

}  // namespace

Result<Machine> measure_machine(const std::string& folder, std::chrono::milliseconds time) {
  Machine machine;
  auto disk = storage::measure_sqlite(folder, time);
  if (!disk) return tl::make_unexpected(disk.error());
  machine.disk = *disk;
  const std::string message(700, 'x');
  const SigningKey key = SigningKey::from_seed(*KeyId::parse("ed25519:bench"), std::string(32, 's'));
  Ed25519Signature signature = key.sign(message);
  machine.signatures_per_s = often_per_s(time / 2, [&] { signature = key.sign(message); });
  const std::string_view bytes(reinterpret_cast<const char*>(signature.data()), signature.size());
  machine.verifications_per_s = often_per_s(time / 2, [&] { (void)ed25519_verify(key.public_key(), message, bytes); });
  auto trip = round_trip(time);
  if (!trip) return tl::make_unexpected(trip.error());
  machine.round_trip_s = *trip;
  return machine;
}

}  // namespace skerry::bench
