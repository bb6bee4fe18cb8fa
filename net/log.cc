#include "net/log.h"

#include <algorithm>
#include <atomic>
#include <memory>

#include <nlohmann/json.hpp>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include "core/json.h"

namespace skerry::log {

namespace {

constexpr const char* text_pattern = "%Y-%m-%dT%H:%M:%S.%e %l %v";
constexpr const char* json_pattern = R"({"time":"%Y-%m-%dT%H:%M:%S.%e%z","level":"%l",%v)";

spdlog::level::level_enum to_spdlog(Level level) {
  switch (level) {
    case Level::debug:
      return spdlog::level::debug;
    case Level::info:
      return spdlog::level::info;
    case Level::warn:
      return spdlog::level::warn;
    case Level::error:
      return spdlog::level::err;
    case Level::off:
      return spdlog::level::off;
  }
  return spdlog::level::info;
}

spdlog::logger& logger() {
  static const std::shared_ptr<spdlog::logger> instance = [] {
    auto made = std::make_shared<spdlog::logger>("skerry", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    made->set_pattern(text_pattern);
    made->set_level(spdlog::level::info);
    made->flush_on(spdlog::level::info);
    return made;
  }();
  return *instance;
}

std::atomic<bool> json_lines{false};

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

// What comes from elsewhere must not start lines of its own or move the cursor of who reads along.
std::string in_one_line(const std::string& text) {
  std::string shown;
  shown.reserve(text.size());
  for (const char c : text) {
    if (is_control(c)) {
      constexpr char digits[] = "0123456789abcdef";
      const auto byte = static_cast<unsigned char>(c);
      shown += {'\\', 'x', digits[byte >> 4], digits[byte & 15]};
    } else {
      shown += c;
    }
  }
  return shown;
}

void write(Level level, std::string_view part, const std::string& text) {
  if (!enabled(level)) return;
  if (json_lines) {
    return logger().log(to_spdlog(level), R"("part":{},"text":{}}})", dump(Json(part)), dump(Json(text)));
  }
  const bool clean = std::none_of(text.begin(), text.end(), is_control);
  logger().log(to_spdlog(level), "{}: {}", part, clean ? text : in_one_line(text));
}

}  // namespace

void set_level(Level level) { logger().set_level(to_spdlog(level)); }

bool set_level(std::string_view name) {
  constexpr std::pair<std::string_view, Level> names[] = {{"debug", Level::debug},
                                                          {"info", Level::info},
                                                          {"warn", Level::warn},
                                                          {"error", Level::error},
                                                          {"off", Level::off}};
  for (const auto& [known, level] : names) {
    if (name == known) return set_level(level), true;
  }
  return false;
}

void set_json(bool json) {
  json_lines = json;
  logger().set_pattern(json ? json_pattern : text_pattern);
}

bool enabled(Level level) { return logger().should_log(to_spdlog(level)); }
void debug(std::string_view part, const std::string& text) { write(Level::debug, part, text); }
void info(std::string_view part, const std::string& text) { write(Level::info, part, text); }
void warn(std::string_view part, const std::string& text) { write(Level::warn, part, text); }
void error(std::string_view part, const std::string& text) { write(Level::error, part, text); }

}  // namespace skerry::log
