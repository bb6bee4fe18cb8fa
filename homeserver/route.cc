#include "homeserver/route.h"

#include <nlohmann/json.hpp>

#include "homeserver/matrix_error.h"
#include "net/log.h"

namespace skerry::homeserver {

const std::string* Call::query_value(std::string_view name) const {
  for (const auto& [key, value] : query) {
    if (key == name) return &value;
  }
  return nullptr;
}

std::vector<std::string> Call::query_values(std::string_view name) const {
  std::vector<std::string> values;
  for (const auto& [key, value] : query) {
    if (key == name) values.push_back(value);
  }
  return values;
}

void add_cors_headers(net::Headers& headers) {
  headers.emplace_back("Access-Control-Allow-Origin", "*");
  headers.emplace_back("Access-Control-Allow-Methods", "GET, POST, PUT, DELETE, OPTIONS");
  headers.emplace_back("Access-Control-Allow-Headers", "X-Requested-With, Content-Type, Authorization");
}

Result<std::string> access_token(const Call& call) {
  constexpr std::string_view scheme = "Bearer ";
  if (auto header = net::find_header(call.request.headers, "Authorization")) {
    if (header->starts_with(scheme)) return header->substr(scheme.size());
  }
  if (const std::string* token = call.query_value("access_token")) return *token;
  return fail(ErrorCode::missing_token, "this needs an access token");
}

Reply::Reply(net::Responder responder, bool cors) : responder_(std::move(responder)), cors_(cors) {}

Reply::Reply(Reply&& other) noexcept
    : responder_(std::move(other.responder_)), cors_(other.cors_), open_(std::exchange(other.open_, false)) {}

Reply& Reply::operator=(Reply&& other) noexcept {
  if (this != &other) {
    if (open_) error({ErrorCode::internal, "a request was dropped without an answer"});
    responder_ = std::move(other.responder_);
    cors_ = other.cors_;
    open_ = std::exchange(other.open_, false);
  }
  return *this;
}

Reply::~Reply() {
  if (open_) error({ErrorCode::internal, "a request was dropped without an answer"});
}

void Reply::send(int status, std::string body, net::Headers headers) {
  net::HttpResponse response;
  response.status = status;
  response.headers = std::move(headers);
  response.headers.emplace_back("Content-Type", "application/json");
  response.body = std::move(body);
  raw(std::move(response));
}

void Reply::raw(net::HttpResponse response) {
  if (!std::exchange(open_, false)) return;
  if (cors_) add_cors_headers(response.headers);
  responder_.respond(std::move(response));
}

void Reply::json(const Json& body, int status) { send(status, dump(body)); }

void Reply::text(std::string body, int status) { send(status, std::move(body)); }

void Reply::error(const Error& error) {
  if (error.code == ErrorCode::storage || error.code == ErrorCode::internal) log::error("api", error.text);
  send(matrix_error(error.code).status, matrix_error_body(error));
}

void Reply::error(int status, const Json& body) { send(status, dump(body)); }

void Reply::limited(std::chrono::milliseconds retry_after) {
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(retry_after);
  Json body = {{"errcode", "M_LIMIT_EXCEEDED"}, {"error", "too many requests"}};
  body["retry_after_ms"] = retry_after.count();
  send(429, dump(body), {{"Retry-After", std::to_string(seconds.count())}});
}

void Reply::result(const Result<Json>& result) {
  if (!result) return error(result.error());
  json(*result);
}

}  // namespace skerry::homeserver
