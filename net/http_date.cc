#include "net/http_date.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>

namespace skerry::net {

namespace {

constexpr std::string_view days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
constexpr std::string_view months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

}  // namespace

std::string http_date(std::int64_t time_ms) {
  using std::chrono::floor;
  const std::chrono::sys_time<std::chrono::milliseconds> time{std::chrono::milliseconds(time_ms)};
  const auto day = floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss hour(floor<std::chrono::seconds>(time - day));
  char text[64];
  std::snprintf(text, sizeof text, "%s, %02u %s %04d %02d:%02d:%02d GMT",
                days[std::chrono::weekday(day).c_encoding()].data(), static_cast<unsigned>(date.day()),
                months[static_cast<unsigned>(date.month()) - 1].data(), static_cast<int>(date.year()),
                static_cast<int>(hour.hours().count()), static_cast<int>(hour.minutes().count()),
                static_cast<int>(hour.seconds().count()));
  return text;
}

Result<std::int64_t> parse_http_date(std::string_view text) {
  const auto bad = [] { return fail(ErrorCode::invalid_param, "not a date as HTTP writes them"); };
  constexpr std::string_view form = "Sun, 06 Nov 1994 08:49:37 GMT";
  if (text.size() != form.size()) return bad();
  const auto number = [&](std::size_t at, std::size_t size) {
    int value = -1;
    const char* begin = text.data() + at;
    return std::from_chars(begin, begin + size, value).ptr == begin + size ? value : -1;
  };
  const auto month = std::find(std::begin(months), std::end(months), text.substr(8, 3));
  const int day = number(5, 2), year = number(12, 4), hour = number(17, 2), minute = number(20, 2),
            second = number(23, 2);
  if (month == std::end(months) || hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60 ||
      day < 0 || year < 0) {
    return bad();
  }
  const std::chrono::year_month_day date(std::chrono::year(year),
                                         std::chrono::month(static_cast<unsigned>(month - std::begin(months)) + 1),
                                         std::chrono::day(static_cast<unsigned>(day)));
  // Written back it must be the same: so the day of the week and the punctuation are right as well.
  if (!date.ok()) return bad();
  const std::int64_t days_ms = std::chrono::milliseconds(std::chrono::sys_days(date).time_since_epoch()).count();
  const std::int64_t time_ms = days_ms + 1'000 * (3'600 * hour + 60 * minute + second);
  if (second < 60 && http_date(time_ms) != text) return bad();
  return time_ms;
}

}  // namespace skerry::net
