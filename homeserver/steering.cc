#include "homeserver/steering.h"

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <new>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace skerry::homeserver {

struct Steering::Block {
  std::uint64_t magic = expected_magic;
  std::atomic<std::int64_t> clock_offset_ms = 0;
  std::atomic<std::int64_t> backoff_max_ms = 0;
  std::atomic<std::uint64_t> wrong_times = 0;
  std::atomic<std::uint64_t> changed_rests = 0;

  static constexpr std::uint64_t expected_magic = 0x31'7265'6574'7379;  // the layout's first version
  static_assert(std::atomic<std::int64_t>::is_always_lock_free && std::atomic<std::uint64_t>::is_always_lock_free);
};

namespace {

Error failure(const std::string& file) { return {ErrorCode::storage, file + ": " + std::strerror(errno)}; }

class OpenFile {
 public:
  explicit OpenFile(int number) : number_(number) {}
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;
  ~OpenFile() {
    if (number_ >= 0) ::close(number_);
  }
  int number() const { return number_; }

 private:
  const int number_;
};

}  // namespace

Steering::~Steering() { ::munmap(block_, sizeof(Block)); }

Result<std::unique_ptr<Steering>> Steering::map(int descriptor, const std::string& file) {
  void* memory = ::mmap(nullptr, sizeof(Block), PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  if (memory == MAP_FAILED) return tl::make_unexpected(failure(file));
  return std::unique_ptr<Steering>(new Steering(static_cast<Block*>(memory)));
}

Result<std::unique_ptr<Steering>> Steering::create(const std::string& file) {
  const std::string unfinished = file + ".new";
  const OpenFile made(::open(unfinished.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (made.number() < 0 || ::ftruncate(made.number(), sizeof(Block)) != 0) {
    return tl::make_unexpected(failure(unfinished));
  }
  auto steering = map(made.number(), unfinished);
  if (!steering) return steering;
  new ((*steering)->block_) Block;
  if (::rename(unfinished.c_str(), file.c_str()) != 0) return tl::make_unexpected(failure(file));
  return steering;
}

Result<std::unique_ptr<Steering>> Steering::open(const std::string& file) {
  const OpenFile found(::open(file.c_str(), O_RDWR | O_CLOEXEC));
  struct stat status {};
  if (found.number() < 0 || ::fstat(found.number(), &status) != 0) return tl::make_unexpected(failure(file));
  if (status.st_size != sizeof(Block)) return fail(ErrorCode::storage, file + ": not a steering file");
  auto steering = map(found.number(), file);
  if (steering && (*steering)->block_->magic != Block::expected_magic) {
    return fail(ErrorCode::storage, file + ": not a steering file");
  }
  return steering;
}

void Steering::set_clock_offset_ms(std::int64_t ahead_ms) {
  block_->wrong_times = 0;
  block_->clock_offset_ms = ahead_ms;
}

void Steering::set_backoff_max_ms(std::int64_t most_ms) {
  block_->changed_rests = 0;
  block_->backoff_max_ms = most_ms;
}

std::uint64_t Steering::wrong_times() const { return block_->wrong_times; }
std::uint64_t Steering::changed_rests() const { return block_->changed_rests; }

std::int64_t Steering::clock_offset_ms() {
  const std::int64_t offset_ms = block_->clock_offset_ms;
  if (offset_ms != 0) ++block_->wrong_times;
  return offset_ms;
}

std::int64_t Steering::backoff_max_ms() {
  const std::int64_t most_ms = block_->backoff_max_ms;
  if (most_ms != 0) ++block_->changed_rests;
  return most_ms;
}

}  // namespace skerry::homeserver
