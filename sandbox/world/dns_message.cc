#include "sandbox/world/dns_message.h"

#include <cctype>

namespace skerry::sandbox {

namespace {

constexpr std::size_t header_bytes = 12;
constexpr std::size_t label_bytes = 63;
constexpr std::size_t domain_name_bytes = 255;

enum Type : std::uint16_t { type_a = 1, type_soa = 6, type_srv = 33, type_any = 255 };
constexpr std::uint16_t class_in = 1;
constexpr std::uint16_t class_any = 255;

enum class Code : std::uint8_t { no_error = 0, format_error = 1, no_such_name = 3, not_implemented = 4, refused = 5 };

constexpr std::uint8_t response_bit = 0x80;
constexpr std::uint8_t opcode_mask = 0x78;
constexpr std::uint8_t authoritative_bit = 0x04;
constexpr std::uint8_t recursion_desired_bit = 0x01;
constexpr char question_pointer[] = {'\xc0', '\x0c'};  // to the question's name, right behind the header

std::uint16_t read_u16(std::string_view text, std::size_t at) {
  return static_cast<std::uint16_t>(static_cast<std::uint8_t>(text[at]) << 8 | static_cast<std::uint8_t>(text[at + 1]));
}

void put_u16(std::string& out, std::uint16_t value) {
  out += static_cast<char>(value >> 8);
  out += static_cast<char>(value & 0xff);
}

void put_u32(std::string& out, std::uint32_t value) {
  put_u16(out, static_cast<std::uint16_t>(value >> 16));
  put_u16(out, static_cast<std::uint16_t>(value & 0xffff));
}

// REQUIRES: labels of at most 63 bytes, as the zone's are.
void put_name(std::string& out, std::string_view name) {
  while (!name.empty()) {
    const std::size_t dot = std::min(name.find('.'), name.size());
    out += static_cast<char>(dot);
    out += name.substr(0, dot);
    name.remove_prefix(std::min(dot + 1, name.size()));
  }
  out += '\0';
}

struct Question {
  std::string name;        // in lower case
  std::string_view bytes;  // name, type and class as they came
  std::uint16_t type = 0;
  std::uint16_t klass = 0;
};

// The one question. Compression has no use in a first name and is refused.
std::optional<Question> parse_question(std::string_view query) {
  Question question;
  std::size_t at = header_bytes;
  while (true) {
    if (at >= query.size()) return std::nullopt;
    const std::size_t length = static_cast<std::uint8_t>(query[at]);
    ++at;
    if (length == 0) break;
    if (length > label_bytes || at + length > query.size() || at + length - header_bytes > domain_name_bytes)
      return std::nullopt;
    if (!question.name.empty()) question.name += '.';
    for (const char c : query.substr(at, length)) {
      if (c == '.') return std::nullopt;  // a dot within a label would read as two labels
      question.name += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    }
    at += length;
  }
  if (at + 4 > query.size()) return std::nullopt;
  question.type = read_u16(query, at);
  question.klass = read_u16(query, at + 2);
  question.bytes = query.substr(header_bytes, at + 4 - header_bytes);
  return question;
}

std::string message(std::string_view query, Code code, std::string_view question, std::string_view records,
                    bool negative) {
  std::string out(query.substr(0, 2));
  const auto flags = static_cast<std::uint8_t>(query[2]);
  out += static_cast<char>(response_bit | (flags & opcode_mask) | authoritative_bit | (flags & recursion_desired_bit));
  out += static_cast<char>(code);
  put_u16(out, question.empty() ? 0 : 1);
  put_u16(out, records.empty() || negative ? 0 : 1);
  put_u16(out, records.empty() || !negative ? 0 : 1);
  put_u16(out, 0);
  out += question;
  out += records;
  return out;
}

void put_record(std::string& out, std::uint16_t type, std::string_view data) {
  put_u16(out, type);
  put_u16(out, class_in);
  put_u32(out, static_cast<std::uint32_t>(dns_lifetime.count()));
  put_u16(out, static_cast<std::uint16_t>(data.size()));
  out += data;
}

// Says how long "no" may be believed (RFC 2308).
std::string start_of_authority(const Zone& zone) {
  std::string data;
  put_name(data, zone.apex);
  put_name(data, "hostmaster." + zone.apex);
  const auto lifetime_s = static_cast<std::uint32_t>(dns_lifetime.count());
  for (const std::uint32_t value : {1u, 60u, 60u, 60u, lifetime_s}) put_u32(data, value);
  std::string out;
  put_name(out, zone.apex);
  put_record(out, type_soa, data);
  return out;
}

// The server that a name belongs to: labels of services begin with '_' (RFC 2782).
std::string server_of(std::string_view name) {
  while (name.starts_with('_') && name.find('.') != std::string_view::npos) name.remove_prefix(name.find('.') + 1);
  return std::string(name);
}

}  // namespace

std::optional<std::string> answer_dns_query(std::string_view query, const Zone& zone, const NameJudge& judge) {
  if (query.size() < header_bytes || query.size() > dns_query_bytes) return std::nullopt;
  const auto flags = static_cast<std::uint8_t>(query[2]);
  if ((flags & response_bit) != 0) return std::nullopt;
  if ((flags & opcode_mask) != 0) return message(query, Code::not_implemented, {}, {}, false);
  const auto question = read_u16(query, 4) == 1 ? parse_question(query) : std::nullopt;
  if (!question) return message(query, Code::format_error, {}, {}, false);
  if (question->klass != class_in && question->klass != class_any) {
    return message(query, Code::refused, question->bytes, {}, false);
  }
  const NameVerdict verdict = judge ? judge(server_of(question->name)) : NameVerdict{};
  if (verdict.answer == NameVerdict::Answer::none) return std::nullopt;
  if (verdict.answer == NameVerdict::Answer::no_such_name) {
    return message(query, Code::no_such_name, question->bytes, start_of_authority(zone), true);
  }
  const auto address = zone.addresses.find(question->name);
  const auto service = zone.services.find(question->name);
  const bool any = question->type == type_any;
  std::string record(question_pointer, sizeof question_pointer);
  if (address != zone.addresses.end() && (any || question->type == type_a)) {
    const bool other = verdict.answer == NameVerdict::Answer::other;
    const auto& bytes = other ? verdict.address : address->second;
    put_record(record, type_a, std::string(bytes.begin(), bytes.end()));
    return message(query, Code::no_error, question->bytes, record, false);
  }
  if (service != zone.services.end() && (any || question->type == type_srv)) {
    std::string data;
    for (const std::uint16_t value : {std::uint16_t{0}, std::uint16_t{1}, service->second.port}) put_u16(data, value);
    put_name(data, service->second.target);
    put_record(record, type_srv, data);
    return message(query, Code::no_error, question->bytes, record, false);
  }
  const bool known = address != zone.addresses.end() || service != zone.services.end() || question->name == zone.apex;
  return message(query, known ? Code::no_error : Code::no_such_name, question->bytes, start_of_authority(zone), true);
}

}  // namespace skerry::sandbox
