#include "homeserver/sync/tokens.h"

#include <charconv>

namespace skerry::homeserver {

namespace {

std::optional<std::int64_t> parse_number(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

}  // namespace

std::string stream_token(storage::StreamPosition position) { return "s" + std::to_string(position); }

std::optional<storage::StreamPosition> parse_stream_token(std::string_view token) {
  if (token.size() < 2 || token.front() != 's') return std::nullopt;
  auto position = parse_number(token.substr(1));
  if (!position || *position < 0 || stream_token(*position) != token) return std::nullopt;  // no zeros before, no "-0"
  return position;
}

std::string topological_token(storage::TopologicalPosition position) {
  return "t" + std::to_string(position.depth) + "_" + std::to_string(position.order);
}

Result<storage::TopologicalPosition> parse_history_token(std::string_view token, const RoomId& room,
                                                         storage::RoomStore& store) {
  if (auto position = parse_stream_token(token)) return store.topological_at(room, *position);
  if (token.size() > 1 && token.front() == 't') {
    const auto separator = token.find('_');
    if (separator != std::string_view::npos) {
      auto depth = parse_number(token.substr(1, separator - 1));
      auto order = parse_number(token.substr(separator + 1));
      if (depth && order) return storage::TopologicalPosition{*depth, *order};
    }
  }
  return fail(ErrorCode::invalid_param, "not a token of this server");
}

}  // namespace skerry::homeserver
