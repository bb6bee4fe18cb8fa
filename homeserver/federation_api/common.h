// What several handler files of the server-server API share.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "homeserver/route.h"
#include "homeserver/services.h"

namespace skerry::homeserver::federation_api {

// The n-th path parameter, or a query value, as an id. Errors: invalid_param, missing_param.
template <class IdType>
Result<IdType> parse_id(const std::string& text) {
  auto id = IdType::parse(text);
  if (!id) return fail(ErrorCode::invalid_param, id.error().text);
  return id;
}
template <class IdType>
Result<IdType> query_id(const Call& call, const char* name) {
  const std::string* text = call.query_value(name);
  if (text == nullptr) return fail(ErrorCode::missing_param, std::string(name) + " is required");
  return parse_id<IdType>(*text);
}
// Several values of one query parameter, at most `most` of them; what does not parse is left out.
std::vector<EventId> query_event_ids(const Call& call, const char* name, std::size_t most);
// A whole number of the query between 1 and `most`, or `otherwise`.
std::size_t query_limit(const Call& call, std::size_t otherwise, std::size_t most);

// The n-th path parameter as a room that the asking server is in, and that its ACL lets take part. Errors:
// invalid_param, not_found, forbidden.
Result<RoomId> room_of_origin(Services& services, const Call& call, std::size_t parameter);
// Only the ACL: for servers that are about to come in.
Result<RoomId> room_open_to_origin(Services& services, const Call& call, std::size_t parameter);

// Joins JSON texts into an array's text, without parsing them.
class JsonArrayText {
 public:
  void add(const std::string& json) { text_ += (text_.size() > 1 ? "," : "") + json; }
  std::string take() && { return std::move(text_) + "]"; }

 private:
  std::string text_ = "[";
};

// Goes on after application services were asked for a user or alias of theirs that is not there, if any might make it:
// at once, or on the federation pool. No thread waits for the answer.
template <class IdType>
void after_looking_for(Services& services, const IdType& id, std::function<void()> go_on) {
  if (!services.appservice_queries.has_whom_to_ask(id)) return go_on();
  services.appservice_queries.look_for(id, [&services, go_on = std::move(go_on)](AppserviceQueries::Outcome) {
    (void)services.federation_pool.post_admitted(go_on);
  });
}

}  // namespace skerry::homeserver::federation_api
