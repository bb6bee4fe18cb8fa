#include "client/text/time_text.h"

#include <ctime>

namespace skerry::client {
namespace {

// Times outside of this millennium and the next are claims of a broken server: shown as its edges.
constexpr std::int64_t latest_s = 32'503'680'000;

std::tm local_time(std::int64_t unix_ms) {
  std::int64_t seconds = unix_ms / 1'000;
  if (seconds < 0) seconds = 0;
  if (seconds > latest_s) seconds = latest_s;
  const std::time_t time = seconds;
  std::tm out{};
  localtime_r(&time, &out);
  return out;
}

std::string format(std::int64_t unix_ms, const char* pattern) {
  const std::tm time = local_time(unix_ms);
  char buffer[64];
  const std::size_t length = std::strftime(buffer, sizeof buffer, pattern, &time);
  return {buffer, length};
}

}  // namespace

std::string clock_text(std::int64_t unix_ms) { return format(unix_ms, "%H:%M"); }
std::string day_text(std::int64_t unix_ms) { return format(unix_ms, "%A, %-d %B %Y"); }
std::string date_time_text(std::int64_t unix_ms) { return format(unix_ms, "%Y-%m-%d %H:%M:%S"); }

std::int64_t local_day(std::int64_t unix_ms) {
  const std::tm time = local_time(unix_ms);
  return static_cast<std::int64_t>(time.tm_year) * 400 + time.tm_yday;
}

}  // namespace skerry::client
