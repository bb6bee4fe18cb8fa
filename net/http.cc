#include "net/http.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/utf8.h"

namespace skerry::net {

namespace {

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [&](char x, char y) { return lower(x) == lower(y); });
}

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

std::optional<std::string> find_header(const Headers& headers, std::string_view name) {
  for (const auto& [key, value] : headers) {
    if (equal_ignoring_case(key, name)) return value;
  }
  return std::nullopt;
}

Result<std::shared_ptr<const FileBody>> FileBody::open(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  struct stat status {};
  if (descriptor < 0 || ::fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode)) {
    const std::string reason = descriptor < 0 ? std::strerror(errno) : "not a file";
    if (descriptor >= 0) ::close(descriptor);
    return fail(ErrorCode::storage, path + ": " + reason);
  }
  return std::shared_ptr<const FileBody>(new FileBody(descriptor, static_cast<std::uint64_t>(status.st_size)));
}

FileBody::~FileBody() { ::close(descriptor_); }

Result<std::string> FileBody::read(std::uint64_t offset, std::size_t most) const {
  std::string bytes(std::min<std::uint64_t>(most, size_ - std::min(offset, size_)), '\0');
  std::size_t got = 0;
  while (got < bytes.size()) {
    const ssize_t now = ::pread(descriptor_, bytes.data() + got, bytes.size() - got, static_cast<off_t>(offset + got));
    if (now < 0 && errno == EINTR) continue;
    if (now < 0) return fail(ErrorCode::storage, std::string("a file cannot be read: ") + std::strerror(errno));
    if (now == 0) return fail(ErrorCode::storage, "a file was cut short while it was read");
    got += static_cast<std::size_t>(now);
  }
  return bytes;
}

Responder::Responder(Send send) : send_(std::move(send)) {}

Responder::Responder(Responder&& other) noexcept : send_(std::exchange(other.send_, nullptr)) {}

Responder& Responder::operator=(Responder&& other) noexcept {
  if (this != &other) {
    if (send_) respond(dropped());
    send_ = std::exchange(other.send_, nullptr);
  }
  return *this;
}

Responder::~Responder() {
  if (send_) respond(dropped());
}

HttpResponse Responder::dropped() {
  HttpResponse response;
  response.status = 500;
  return response;
}

void Responder::respond(HttpResponse response) {
  if (auto send = std::exchange(send_, nullptr)) send(std::move(response));
}

Result<std::string> percent_decode(std::string_view text, bool plus_is_space) {
  std::string decoded;
  decoded.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+' && plus_is_space) {
      decoded += ' ';
    } else if (text[i] != '%') {
      decoded += text[i];
    } else {
      const int high = i + 1 < text.size() ? hex_value(text[i + 1]) : -1;
      const int low = i + 2 < text.size() ? hex_value(text[i + 2]) : -1;
      if (high < 0 || low < 0) return fail(ErrorCode::invalid_param, "bad percent escape");
      decoded += static_cast<char>(high * 16 + low);
      i += 2;
    }
  }
  if (decoded.find('\0') != std::string::npos) return fail(ErrorCode::invalid_param, "NUL in a path or query");
  if (!is_valid_utf8(decoded)) return fail(ErrorCode::invalid_param, "path or query is not UTF-8");
  return decoded;
}

std::string percent_encode(std::string_view text) {
  constexpr char digits[] = "0123456789ABCDEF";
  std::string encoded;
  for (const char c : text) {
    const auto byte = static_cast<std::uint8_t>(c);
    const bool unreserved = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
                            (byte >= '0' && byte <= '9') || byte == '-' || byte == '.' || byte == '_' || byte == '~';
    if (unreserved) {
      encoded += c;
    } else {
      encoded += '%';
      encoded += digits[byte >> 4];
      encoded += digits[byte & 15];
    }
  }
  return encoded;
}

TargetParts split_target(std::string_view target) {
  const auto question = target.find('?');
  if (question == std::string_view::npos) return {target, {}};
  return {target.substr(0, question), target.substr(question + 1)};
}

Result<std::vector<std::pair<std::string, std::string>>> parse_query(std::string_view query) {
  std::vector<std::pair<std::string, std::string>> parsed;
  while (!query.empty()) {
    const auto end = std::min(query.find('&'), query.size());
    const std::string_view pair = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    if (pair.empty()) continue;
    const auto equals = std::min(pair.find('='), pair.size());
    auto key = percent_decode(pair.substr(0, equals), true);
    auto value = percent_decode(pair.substr(std::min(equals + 1, pair.size())), true);
    if (!key) return tl::make_unexpected(key.error());
    if (!value) return tl::make_unexpected(value.error());
    parsed.emplace_back(std::move(*key), std::move(*value));
  }
  return parsed;
}

}  // namespace skerry::net
