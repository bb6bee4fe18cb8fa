// The log: lines to stderr, through spdlog. Never a token, key, password, message content or IP address at `info` and
// above.
#pragma once

#include <string>
#include <string_view>

namespace skerry::log {

enum class Level { debug, info, warn, error, off };

// Thread-safe, as all below. Default: info.
void set_level(Level level);
// "debug" "info" "warn" "error" "off"; false on any other.
bool set_level(std::string_view name);
// Lines as JSON objects {"time", "level", "part", "text"} instead of text. Before other threads log.
void set_json(bool json);
bool enabled(Level level);
// `part` is the module that speaks: "http", "outbox", "rooms" ...
void debug(std::string_view part, const std::string& text);
void info(std::string_view part, const std::string& text);
void warn(std::string_view part, const std::string& text);
void error(std::string_view part, const std::string& text);

}  // namespace skerry::log
