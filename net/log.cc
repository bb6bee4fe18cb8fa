#include "net/log.h"

#include <memory>

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

namespace skerry::log {

namespace {

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
    made->set_pattern("%Y-%m-%dT%H:%M:%S.%e %l %v");
    made->set_level(spdlog::level::info);
    made->flush_on(spdlog::level::info);
    return made;
  }();
  return *instance;
}

void write(Level level, std::string_view part, const std::string& text) {
  logger().log(to_spdlog(level), "{}: {}", part, text);
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

bool enabled(Level level) { return logger().should_log(to_spdlog(level)); }
void debug(std::string_view part, const std::string& text) { write(Level::debug, part, text); }
void info(std::string_view part, const std::string& text) { write(Level::info, part, text); }
void warn(std::string_view part, const std::string& text) { write(Level::warn, part, text); }
void error(std::string_view part, const std::string& text) { write(Level::error, part, text); }

}  // namespace skerry::log
