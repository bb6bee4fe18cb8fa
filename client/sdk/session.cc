#include "client/sdk/session.h"

#include <algorithm>
#include <thread>

#include <nlohmann/json.hpp>

namespace skerry::client {
namespace {

// Deeper values are left out, so that one strange event cannot keep a whole /sync answer from being read.
constexpr int max_depth = 100;

std::shared_ptr<const Json> parse_answer(const std::string& body) {
  const auto keep = [](int depth, Json::parse_event_t, Json&) { return depth < max_depth; };
  auto value = std::make_shared<Json>(Json::parse(body, keep, false));
  return value->is_discarded() ? nullptr : value;
}

ApiError http_error(const net::HttpResponse& response) {
  ApiError error;
  error.status = response.status;
  error.message = "the server answered with HTTP status " + std::to_string(response.status);
  const auto json = parse_answer(response.body);
  if (!json || !json->is_object()) return error;
  if (const auto* errcode = find_string(*json, "errcode")) error.errcode = *errcode;
  if (const auto* text = find_string(*json, "error"); text && !text->empty()) error.message = *text;
  if (response.status == 401) error.body = response.body;
  if (const auto* wait = find_member(*json, "retry_after_ms"); wait && wait->is_number_integer()) {
    error.retry_after = std::chrono::milliseconds(std::clamp<std::int64_t>(wait->get<std::int64_t>(), 0, 3'600'000));
  }
  return error;
}

}  // namespace

bool Session::RateLimit::wait(const ApiError& error) {
  const auto pause = std::max(error.retry_after, std::chrono::milliseconds(200));
  if (pause > left) return false;
  left -= pause;
  std::this_thread::sleep_for(pause);
  return true;
}

void Session::send_raw(ApiRequest request, std::function<void(ApiResult<Answer>)> done) {
  transport_.send(std::move(request), [done = std::move(done)](Result<net::HttpResponse> response) {
    if (!response) return done(tl::make_unexpected(ApiError{0, "", response.error().text, {}, {}}));
    if (response->status < 200 || response->status > 299) return done(tl::make_unexpected(http_error(*response)));
    auto json = parse_answer(response->body);
    if (!json || !json->is_object()) return done(bad_answer("JSON"));
    done(std::move(json));
  });
}

}  // namespace skerry::client
