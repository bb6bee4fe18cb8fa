// A call of the client-server API as a value: what to send, and how to read the answer.
#pragma once

#include <chrono>
#include <functional>
#include <string>

#include <tl/expected.hpp>

#include "core/json.h"

namespace skerry::client {

// Why a call gave nothing.
struct ApiError {
  int status = 0;                            // of HTTP; 0: the server was not reached
  std::string errcode;                       // "M_FORBIDDEN"; empty when the server named none
  std::string message;                       // for people; may come from the server: show it as SafeText only
  std::chrono::milliseconds retry_after{0};  // with M_LIMIT_EXCEEDED
  std::string body;                          // of a 401, for user-interactive authentication

  // Worth another try without any change: no connection, or a proxy that finds no server behind it.
  bool unreachable() const { return status == 0 || (status >= 502 && status <= 504); }
  bool rate_limited() const { return status == 429; }
};

template <class T>
using ApiResult = tl::expected<T, ApiError>;

// An answer that is not what the specification promises.
inline tl::unexpected<ApiError> bad_answer(std::string what) {
  return tl::make_unexpected(ApiError{200, "", "the server's answer has no proper " + std::move(what), {}, {}});
}

struct Nothing {};

template <class T>
struct Call {
  std::string method = "GET";
  std::string target;
  std::string body;
  std::chrono::milliseconds timeout{30'000};
  std::size_t max_response_bytes = 16 * 1'048'576;
  std::function<ApiResult<T>(const Json& answer)> parse;
};

}  // namespace skerry::client
