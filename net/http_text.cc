#include <algorithm>

#include <boost/beast/core/string.hpp>
#include <boost/beast/http/status.hpp>

#include "net/http_client.h"
#include "net/http_date.h"
#include "net/http_text_impl.h"

namespace skerry::net {

namespace {

void append_headers(std::string& head, const Headers& headers) {
  using boost::beast::iequals;
  const auto is_clean = [](std::string_view text) { return text.find_first_of("\r\n") == std::string_view::npos; };
  for (const auto& [name, value] : headers) {
    const bool framing =
        iequals(name, "content-length") || iequals(name, "transfer-encoding") || iequals(name, "connection");
    if (framing || !is_clean(name) || !is_clean(value)) continue;
    head.append(name).append(": ").append(value).append("\r\n");
  }
}

}  // namespace

std::uint64_t body_size(const HttpResponse& response) {
  return response.body.size() + (response.file ? response.file->size() + response.after_file.size() : 0);
}

std::string response_head(const HttpResponse& response, bool keep_alive, std::int64_t now_ms) {
  namespace http = boost::beast::http;
  std::string head = "HTTP/1.1 " + std::to_string(response.status) + " ";
  head += std::string_view(http::obsolete_reason(static_cast<http::status>(response.status)));
  head += "\r\n";
  // RFC 9110, 8.6: neither of these has a body.
  if (response.status != 204 && response.status != 304) {
    head.append("Content-Length: ").append(std::to_string(body_size(response))).append("\r\n");
  }
  head.append("Date: ").append(http_date(now_ms)).append("\r\n");
  append_headers(head, response.headers);
  head += keep_alive ? "\r\n" : "Connection: close\r\n\r\n";
  return head;
}

std::string request_head(const OutgoingRequest& request) {
  std::string head =
      request.method + " " + request.target + " HTTP/1.1\r\nHost: " + request.endpoint.host_header + "\r\n";
  append_headers(head, request.headers);
  if (!request.body.empty() || request.method == "POST" || request.method == "PUT") {
    head.append("Content-Length: ").append(std::to_string(request.body.size())).append("\r\n");
  }
  head += "\r\n";
  return head;
}

bool is_clean_request(const OutgoingRequest& request) {
  const auto is_word = [](std::string_view text) {
    return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f; });
  };
  return is_word(request.method) && is_word(request.target) && is_word(request.endpoint.host_header);
}

}  // namespace skerry::net
