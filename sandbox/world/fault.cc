#include "sandbox/world/fault.h"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <charconv>
#include <optional>
#include <utility>

#include <nlohmann/json.hpp>

namespace skerry::sandbox {

namespace {

constexpr std::array kinds = {
    std::pair{FaultKind::link, "link"},       std::pair{FaultKind::partition, "partition"},
    std::pair{FaultKind::block, "block"},     std::pair{FaultKind::freeze, "freeze"},
    std::pair{FaultKind::clock, "clock"},     std::pair{FaultKind::dns, "dns"},
    std::pair{FaultKind::backoff, "backoff"},
};

constexpr std::array modes = {
    std::pair{LinkMode::up, "up"},
    std::pair{LinkMode::down, "down"},
    std::pair{LinkMode::reset, "reset"},
    std::pair{LinkMode::stall, "stall"},
    std::pair{LinkMode::http, "http"},
    std::pair{LinkMode::expired_cert, "expired_cert"},
    std::pair{LinkMode::wrong_cert, "wrong_cert"},
    std::pair{LinkMode::untrusted_cert, "untrusted_cert"},
};

constexpr std::array units = {
    std::pair{"d", std::int64_t{86'400'000}}, std::pair{"h", std::int64_t{3'600'000}},
    std::pair{"m", std::int64_t{60'000}},     std::pair{"s", std::int64_t{1'000}},
    std::pair{"ms", std::int64_t{1}},
};

constexpr std::int64_t most_delay_ms = 600'000;
constexpr std::int64_t most_rate_kbit = 100'000'000;
constexpr std::int64_t most_offset_ms = 100LL * 365 * 86'400'000;
constexpr std::int64_t most_backoff_ms = 86'400'000;
constexpr std::int64_t most_count = 9'007'199'254'740'991;  // canonical JSON's largest integer
constexpr int first_http_error = 400;
constexpr int last_http_error = 599;

template <class Value, std::size_t N>
std::string text_of(const std::array<std::pair<Value, const char*>, N>& table, Value value) {
  for (const auto& [each, text] : table) {
    if (each == value) return text;
  }
  return "";
}

template <class Value, std::size_t N>
Result<Value> value_of(const std::array<std::pair<Value, const char*>, N>& table, const std::string& text) {
  for (const auto& [value, each] : table) {
    if (text == each) return value;
  }
  return fail(ErrorCode::invalid_param, "there is no " + text);
}

std::string join(const std::vector<std::string>& words, const std::string& between) {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : between) + word;
  return out;
}

std::string link_text(const LinkSettings& link) {
  std::vector<std::string> parts;
  if (link.mode == LinkMode::http) parts.push_back("http " + std::to_string(link.http_status));
  if (link.mode != LinkMode::http && link.mode != LinkMode::up) parts.push_back(to_text(link.mode));
  if (link.latency.count() > 0) parts.push_back("latency " + duration_text(link.latency.count()));
  if (link.jitter.count() > 0) parts.push_back("jitter " + duration_text(link.jitter.count()));
  if (link.rate_kbit > 0) parts.push_back("rate " + std::to_string(link.rate_kbit) + " kbit/s");
  return parts.empty() ? "up" : join(parts, ", ");
}

// Reads members, and remembers the first that does not fit.
class Members {
 public:
  explicit Members(const Json& json) : json_(json) {}

  std::string text(const char* key) {
    const std::string* found = find_string(json_, key);
    if (found == nullptr) problem(std::string(key) + " must be a text");
    return found != nullptr ? *found : "";
  }

  // 0 when absent.
  std::int64_t number(const char* key, std::int64_t least, std::int64_t most) {
    const Json* found = find_member(json_, key);
    if (found == nullptr) return 0;
    const std::int64_t value = found->is_number_integer() ? found->get<std::int64_t>() : least - 1;
    if (value >= least && value <= most) return value;
    problem(std::string(key) + " must be from " + std::to_string(least) + " to " + std::to_string(most));
    return 0;
  }

  std::vector<std::vector<std::string>> groups() {
    std::vector<std::vector<std::string>> out;
    const Json* found = find_member(json_, "groups");
    for (const Json& group : found != nullptr && found->is_array() ? *found : Json::array()) {
      std::vector<std::string> names;
      for (const Json& name : group.is_array() ? group : Json::array()) {
        if (name.is_string()) names.push_back(name.get<std::string>());
      }
      out.push_back(std::move(names));
    }
    return out;
  }

  void problem(const std::string& text) {
    if (!error_) error_ = Error{ErrorCode::invalid_param, text};
  }
  const std::optional<Error>& error() const { return error_; }

 private:
  const Json& json_;
  std::optional<Error> error_;
};

void parse_link(Members& members, Fault& fault) {
  fault.from = members.text("from");
  fault.to = members.text("to");
  if (fault.from == fault.to) members.problem("a link has two ends: " + fault.from + " is both");
  const auto mode = value_of(modes, members.text("mode"));
  if (!mode) return members.problem(mode.error().text);
  fault.link.mode = *mode;
  fault.link.http_status = static_cast<int>(members.number("http_status", first_http_error, last_http_error));
  fault.link.latency = std::chrono::milliseconds(members.number("latency_ms", 0, most_delay_ms));
  fault.link.jitter = std::chrono::milliseconds(members.number("jitter_ms", 0, most_delay_ms));
  fault.link.rate_kbit = members.number("rate_kbit", 0, most_rate_kbit);
  if ((*mode == LinkMode::http) != (fault.link.http_status != 0)) members.problem("http needs a status of 400 to 599");
}

void check_groups(Members& members, const std::vector<std::vector<std::string>>& groups) {
  if (groups.size() < 2) return members.problem("a partition has two groups or more: alpha,bravo / charlie");
  for (const auto& group : groups) {
    if (group.empty()) members.problem("a group of a partition is empty");
  }
}

void check_answer(Members& members, const std::string& answer) {
  in_addr address{};
  if (answer == "nxdomain" || answer == "timeout" || answer == "right" ||
      ::inet_pton(AF_INET, answer.c_str(), &address) == 1)
    return;
  members.problem("a name is answered by nxdomain, timeout or an IPv4 address, not by " + answer);
}

}  // namespace

std::string to_text(FaultKind kind) { return text_of(kinds, kind); }
std::string to_text(LinkMode mode) { return text_of(modes, mode); }

Result<FaultKind> parse_fault_kind(const std::string& text) {
  auto kind = value_of(kinds, text);
  if (kind) return kind;
  std::string known;
  for (const auto& [value, each] : kinds) known += std::string(" ") + each;
  return fail(ErrorCode::invalid_param, "there is no kind of fault " + text + "; there are:" + known);
}

std::string Fault::key() const {
  switch (kind) {
    case FaultKind::link:
      return "link " + from + " " + to;
    case FaultKind::partition:
    case FaultKind::backoff:
      return to_text(kind);
    default:
      return to_text(kind) + " " + server;
  }
}

std::string Fault::what() const {
  switch (kind) {
    case FaultKind::link:
      return link_text(link);
    case FaultKind::clock:
      return (offset_ms > 0 ? "+" : "") + duration_text(offset_ms);
    case FaultKind::dns:
      return answer;
    case FaultKind::backoff:
      return "at most " + duration_text(max_ms);
    default:
      return "";
  }
}

std::string Fault::whom() const {
  if (kind == FaultKind::link) return from + " -> " + to;
  if (kind == FaultKind::backoff) return "all servers";
  if (kind != FaultKind::partition) return server;
  std::vector<std::string> texts;
  for (const auto& group : groups) texts.push_back(join(group, ","));
  return join(texts, " / ");
}

bool Fault::same_as(const Fault& other) const {
  return kind == other.kind && from == other.from && to == other.to && link == other.link && groups == other.groups &&
         server == other.server && offset_ms == other.offset_ms && answer == other.answer && max_ms == other.max_ms;
}

Result<std::int64_t> parse_duration_ms(const std::string& text) {
  const auto wrong = [&] {
    return fail(ErrorCode::invalid_param, text + " is no duration: write 1h, -90s, 250ms or 1h30m");
  };
  const bool negative = text.starts_with('-');
  const char* at = text.data() + (negative || text.starts_with('+') ? 1 : 0);
  const char* end = text.data() + text.size();
  std::int64_t sum = 0;
  if (at == end) return wrong();
  while (at < end) {
    std::int64_t count = 0;
    const auto read = std::from_chars(at, end, count);
    const char* unit_end = std::find_if(read.ptr, end, [](char c) { return c >= '0' && c <= '9'; });
    const std::string unit(read.ptr, unit_end);
    const auto known = std::find_if(units.begin(), units.end(), [&](const auto& each) { return unit == each.first; });
    if (read.ec != std::errc() || count < 0 || known == units.end()) return wrong();
    if (count > most_offset_ms / known->second || (sum += count * known->second) > most_offset_ms) {
      return fail(ErrorCode::invalid_param, text + " is more than a hundred years");
    }
    at = unit_end;
  }
  return negative ? -sum : sum;
}

std::string duration_text(std::int64_t ms) {
  std::string out = ms < 0 ? "-" : "";
  std::int64_t left = ms < 0 ? -ms : ms;
  if (left == 0) return "0s";
  for (const auto& [unit, size] : units) {
    if (left / size > 0) out += std::to_string(left / size) + unit;
    left %= size;
  }
  return out;
}

std::string fault_text(const Fault& fault) {
  const std::string what = fault.what();
  return to_text(fault.kind) + " " + fault.whom() + (what.empty() ? "" : ": " + what);
}

Json faults_json(const std::vector<Fault>& faults) {
  Json list = Json::array();
  for (const Fault& fault : faults) list.push_back(fault_json(fault));
  return list;
}

Json fault_json(const Fault& fault) {
  Json json = {{"kind", to_text(fault.kind)}, {"hits", fault.hits}};
  json["text"] = fault_text(fault);
  switch (fault.kind) {
    case FaultKind::link:
      json["from"] = fault.from;
      json["to"] = fault.to;
      json["mode"] = to_text(fault.link.mode);
      if (fault.link.http_status != 0) json["http_status"] = fault.link.http_status;
      if (fault.link.latency.count() > 0) json["latency_ms"] = fault.link.latency.count();
      if (fault.link.jitter.count() > 0) json["jitter_ms"] = fault.link.jitter.count();
      if (fault.link.rate_kbit > 0) json["rate_kbit"] = fault.link.rate_kbit;
      json["bytes"] = fault.bytes;
      return json;
    case FaultKind::partition:
      json["groups"] = fault.groups;
      return json;
    case FaultKind::clock:
      json["offset_ms"] = fault.offset_ms;
      break;
    case FaultKind::dns:
      json["answer"] = fault.answer;
      break;
    case FaultKind::backoff:
      json["max_ms"] = fault.max_ms;
      return json;
    case FaultKind::block:
    case FaultKind::freeze:
      break;
  }
  json["server"] = fault.server;
  return json;
}

Result<Fault> parse_fault(const Json& json) {
  Members members(json);
  Fault fault;
  const auto kind = parse_fault_kind(members.text("kind"));
  if (!kind) return tl::make_unexpected(members.error().value_or(kind.error()));
  fault.kind = *kind;
  if (*kind == FaultKind::link) {
    parse_link(members, fault);
  } else if (*kind == FaultKind::partition) {
    fault.groups = members.groups();
    check_groups(members, fault.groups);
  } else if (*kind != FaultKind::backoff) {
    fault.server = members.text("server");
  }
  if (*kind == FaultKind::block) fault.groups = {{fault.server}, {others_party}};
  if (*kind == FaultKind::clock) fault.offset_ms = members.number("offset_ms", -most_offset_ms, most_offset_ms);
  if (*kind == FaultKind::dns) check_answer(members, fault.answer = members.text("answer"));
  if (*kind == FaultKind::backoff) fault.max_ms = members.number("max_ms", 1, most_backoff_ms);
  if (*kind == FaultKind::backoff && fault.max_ms == 0) members.problem("max_ms must be a number");
  fault.hits = static_cast<std::uint64_t>(members.number("hits", 0, most_count));
  fault.bytes = static_cast<std::uint64_t>(members.number("bytes", 0, most_count));
  if (members.error()) return tl::make_unexpected(*members.error());
  return fault;
}

}  // namespace skerry::sandbox
