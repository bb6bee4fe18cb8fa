// Times as people read them, in the local time zone.
#pragma once

#include <cstdint>
#include <string>

namespace skerry::client {

std::string clock_text(std::int64_t unix_ms);      // "09:41"
std::string day_text(std::int64_t unix_ms);        // "Tuesday, 4 March 2025"
std::string date_time_text(std::int64_t unix_ms);  // "2025-03-04 09:41:07"
std::int64_t local_day(std::int64_t unix_ms);      // a number that differs between days

}  // namespace skerry::client
