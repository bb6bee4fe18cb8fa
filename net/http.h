// An HTTP/1.1 message as the rest of the program sees it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/result.h"

namespace skerry::net {

using Headers = std::vector<std::pair<std::string, std::string>>;

// First value of a header, names compared without case; nothing when absent.
std::optional<std::string> find_header(const Headers& headers, std::string_view name);

struct HttpRequest {
  std::string method;
  std::string target;  // as received: raw path and query
  Headers headers;
  std::string body;
  std::string peer_address;  // for rate limits only; never logged
  int listener = 0;          // index of the listener it came by
};

// A file that is read piece by piece while it is sent. Stays readable when its name is removed. Thread-safe.
class FileBody {
 public:
  // Errors: storage.
  static Result<std::shared_ptr<const FileBody>> open(const std::string& path);
  ~FileBody();
  FileBody(const FileBody&) = delete;
  FileBody& operator=(const FileBody&) = delete;
  std::uint64_t size() const { return size_; }
  // At most `most` bytes from `offset` on; fewer only at the end. Errors: storage (also when the file was cut short).
  Result<std::string> read(std::uint64_t offset, std::size_t most) const;

 private:
  FileBody(int descriptor, std::uint64_t size) : descriptor_(descriptor), size_(size) {}
  const int descriptor_;
  const std::uint64_t size_;
};

struct HttpResponse {
  int status = 200;
  Headers headers;
  std::string body;
  // What follows `body` in what a server sends: a file, and what stands behind it.
  std::shared_ptr<const FileBody> file{};
  std::string after_file{};
};

// The one answer to one request. Move-only; thread-safe across moves. Dropped without an answer, it answers 500.
class Responder {
 public:
  using Send = std::function<void(HttpResponse)>;
  explicit Responder(Send send);
  Responder(Responder&&) noexcept;
  Responder& operator=(Responder&&) noexcept;
  ~Responder();
  // At most once; later calls do nothing.
  void respond(HttpResponse response);

 private:
  static HttpResponse dropped();  // an empty 500: the server fills in its error body
  Send send_;
};

// Percent-decoding of one path segment or query value. Errors: invalid_param (bad escape, not UTF-8, NUL).
Result<std::string> percent_decode(std::string_view text, bool plus_is_space = false);
// Encodes everything but unreserved characters (RFC 3986).
std::string percent_encode(std::string_view text);

// Splits a target at the first '?'; path and query are still encoded.
struct TargetParts {
  std::string_view path;
  std::string_view query;
};
TargetParts split_target(std::string_view target);

// The decoded query, in order. Errors: invalid_param.
Result<std::vector<std::pair<std::string, std::string>>> parse_query(std::string_view query);

}  // namespace skerry::net
