#include "client/sdk/registration.h"

#include <algorithm>
#include <optional>
#include <set>

#include <nlohmann/json.hpp>

namespace skerry::client {
namespace {

constexpr int max_stages = 5;

// What a 401 asks for.
struct Challenge {
  std::string session;
  std::set<std::string> completed;
  std::vector<std::vector<std::string>> flows;
};

std::vector<std::string> strings(const Json* array) {
  std::vector<std::string> out;
  if (!array) return out;
  for (const Json& value : *array) {
    if (value.is_string()) out.push_back(value.get<std::string>());
  }
  return out;
}

std::optional<Challenge> parse_challenge(const std::string& body) {
  auto answer = parse_untrusted(body, JsonNumbers::any);
  const Json* flows = answer ? find_array(*answer, "flows") : nullptr;
  if (!flows) return std::nullopt;
  Challenge out;
  if (const std::string* session = find_string(*answer, "session")) out.session = *session;
  for (std::string& stage : strings(find_array(*answer, "completed"))) out.completed.insert(std::move(stage));
  for (const Json& flow : *flows) out.flows.push_back(strings(find_array(flow, "stages")));
  return out;
}

bool can_do(const std::string& stage, const std::string& token) {
  return stage == "m.login.dummy" || (stage == "m.login.registration_token" && !token.empty());
}

// The next stage of a flow that needs nothing but what we give.
std::optional<std::string> next_stage(const Challenge& challenge, const std::string& token) {
  for (const auto& flow : challenge.flows) {
    const auto open = [&](const std::string& stage) { return !challenge.completed.contains(stage); };
    const bool possible =
        std::all_of(flow.begin(), flow.end(), [&](const auto& stage) { return !open(stage) || can_do(stage, token); });
    const auto first = std::find_if(flow.begin(), flow.end(), open);
    if (possible && first != flow.end()) return *first;
  }
  return std::nullopt;
}

ApiError asks_for_more(const Challenge& challenge) {
  std::string wanted;
  for (const auto& flow : challenge.flows) {
    if (!wanted.empty()) wanted += ", or ";
    for (const auto& stage : flow) wanted += (&stage == &flow.front() ? "" : " and ") + stage;
  }
  std::string text = "the server asks for " + wanted + "; this client gives a user name and a password only";
  if (wanted.find("registration_token") != std::string::npos) text += " (and a registration token with --token)";
  return ApiError{401, "", std::move(text), {}, {}};
}

}  // namespace

ApiResult<Registered> register_account(Session& nobody, const std::string& user, const std::string& password,
                                       const std::string& token) {
  Json body = {{"username", user}, {"password", password}};
  std::vector<std::string> fields = {"username", "password"};
  for (int stage = 0; stage < max_stages; ++stage) {
    auto result = nobody.call(api::register_account(body));
    if (result) return Registered{std::move(*result), std::move(fields)};
    const auto challenge = parse_challenge(result.error().body);
    if (!challenge) return tl::make_unexpected(std::move(result.error()));
    const auto next = next_stage(*challenge, token);
    if (!next) return tl::make_unexpected(asks_for_more(*challenge));
    Json& auth = body["auth"] = {{"type", *next}, {"session", challenge->session}};
    if (*next == "m.login.registration_token") {
      auth["token"] = token;
      if (fields.size() == 2) fields.push_back("registration token");
    }
  }
  return tl::make_unexpected(ApiError{401, "", "the server keeps asking for the same steps", {}, {}});
}

}  // namespace skerry::client
