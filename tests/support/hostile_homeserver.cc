#include "tests/support/hostile_homeserver.h"

#include <algorithm>
#include <stdexcept>

#include "core/authorization.h"
#include "federation/request_auth.h"

namespace skerry::test {

namespace {

constexpr std::int64_t hour_ms = 3'600'000;

std::string path_of(const char* prefix, const std::string& first, const std::string& second) {
  return std::string(prefix) + net::percent_encode(first) + "/" + net::percent_encode(second);
}

void require(bool holds, const std::string& what) {
  if (!holds) throw std::runtime_error(what);
}

}  // namespace

HostileHomeserver::HostileHomeserver(Town& town, const std::string& name, const std::string& victim,
                                     const std::string& victim_url)
    : town_(town), name_(server(name)), victim_(server(victim)), key_(key_of(name_)), victim_api_(victim_url) {
  server_ = town_.serve({name, "*.town.test"}, [this](const net::HttpRequest& request, net::Responder responder) {
    take(request, std::move(responder));
  });
  town_.is_at(name, server_->port(0));
}

HostileHomeserver::~HostileHomeserver() { server_.reset(); }

UserId HostileHomeserver::user(const std::string& localpart) const {
  return test::user("@" + localpart + ":" + name_.str());
}

std::string HostileHomeserver::authorization(const Mask& mask, const std::string& method, const std::string& target,
                                             const Json* body) const {
  auto made = federation::make_request_auth(method, target, mask.origin, mask.destination, body, mask.key);
  require(made.has_value(), "a request is signed");
  return *made;
}

Answer HostileHomeserver::ask(const Mask& mask, const std::string& method, const std::string& target,
                              const Json* body) const {
  return victim_api_.request(method, target, body == nullptr ? "" : dump(*body),
                             {{"Authorization", authorization(mask, method, target, body)}});
}

Json HostileHomeserver::send(const std::vector<Json>& pdus, const std::vector<Json>& edus) {
  const std::string id = "lie" + std::to_string(++transactions_);
  const Json body{{"origin", name_.str()}, {"origin_server_ts", 1}, {"pdus", pdus}, {"edus", edus}};
  const Answer answer = put("/_matrix/federation/v1/send/" + id, body);
  require(answer.status == 200, "a transaction was answered " + std::to_string(answer.status) + " " + answer.text);
  return answer.json.at("pdus");
}

VictimRoom HostileHomeserver::join(const RoomId& id, const UserId& user) const {
  const Answer made = get(path_of("/_matrix/federation/v1/make_join/", id.str(), user.str()) + "?ver=10&ver=11&ver=12");
  require(made.status == 200, "make_join: " + made.text);
  VictimRoom room;
  room.id = id;
  room.rules = find_room_rules(made.json.at("room_version").get<std::string>());
  Json event = sign(room, made.json.at("event"));
  const auto event_id = event_id_of(*room.rules, event);
  const Answer joined = put(path_of("/_matrix/federation/v2/send_join/", id.str(), event_id->str()), event);
  require(joined.status == 200, "send_join: " + joined.text);
  for (const Json& pdu : joined.json.at("state")) {
    const EventPtr one = *Event::make(*room.rules, pdu);
    room.state[{one->type(), *one->state_key()}] = one;
  }
  const EventPtr own = *Event::make(*room.rules, event);
  room.state[{"m.room.member", user.str()}] = own;
  room.heads = {own->id()};
  room.depth = own->depth();
  return room;
}

Json HostileHomeserver::sign(const VictimRoom& room, Json pdu) const {
  require(hash_and_sign_event(*room.rules, pdu, name_, key_).has_value(), "an event is signed");
  return pdu;
}

Json HostileHomeserver::pdu(const VictimRoom& room, const Draft& draft) const {
  const Json content = Json::parse(draft.content);
  Json event{
      {"type", draft.type},
      {"sender", draft.sender.str()},
      {"content", content},
      {"room_id", room.id.str()},
      {"origin_server_ts", draft.origin_server_ts_ms != 0 ? draft.origin_server_ts_ms : net::system_clock().now_ms()},
      {"depth", room.depth + 1},
      {"prev_events", Json::array()},
      {"auth_events", Json::array()}};
  if (draft.state_key) event["state_key"] = *draft.state_key;
  for (const EventId& head : room.heads) event["prev_events"].push_back(head.str());
  for (const StateKey& key : auth_event_keys(*room.rules, draft.type, draft.sender, draft.state_key, content)) {
    if (const auto found = room.state.find(key); found != room.state.end())
      event["auth_events"].push_back(found->second->id().str());
  }
  for (const auto& [name, value] : draft.extra) event[name] = Json::parse(value);
  return sign(room, std::move(event));
}

Json HostileHomeserver::honest_keys() const {
  const auto& bytes = key_.public_key();
  const std::string text = base64_encode({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  Json keys{{"server_name", name_.str()},
            {"verify_keys", {{key_.id().str(), {{"key", text}}}}},
            {"old_verify_keys", Json::object()},
            {"valid_until_ts", net::system_clock().now_ms() + hour_ms}};
  require(sign_json(keys, name_.str(), key_).has_value(), "keys are signed");
  return keys;
}

void HostileHomeserver::keys(std::function<net::HttpResponse()> answer) {
  const std::scoped_lock lock(mutex_);
  keys_ = std::move(answer);
}

void HostileHomeserver::answer(const std::string& path, Handler handler) {
  const std::scoped_lock lock(mutex_);
  handlers_[path] = std::move(handler);
}

void HostileHomeserver::answer_json(const std::string& path, std::function<Json()> make) {
  answer(path, [make = std::move(make)](const net::HttpRequest&, net::Responder responder) {
    responder.respond({200, {}, dump(make())});
  });
}

int HostileHomeserver::asked(const std::string& path) const {
  const std::scoped_lock lock(mutex_);
  return static_cast<int>(std::count_if(requests_.begin(), requests_.end(),
                                        [&](const std::string& target) { return target.starts_with(path); }));
}

void HostileHomeserver::host(RoomBuilder& room, const RoomBuilder::Tip& tip, const UserId& invited,
                             std::function<void(Json&)> lie) {
  Json unsigned_join = room.pdu(tip, {invited, "m.room.member", invited.str(), R"({"membership":"join"})", 0, {}});
  unsigned_join.erase("hashes");
  unsigned_join.erase("signatures");
  answer_json("/_matrix/federation/v1/make_join/", [made = unsigned_join, version = std::string(room.rules().version)] {
    return Json{{"room_version", version}, {"event", made}};
  });
  Json state = Json::array();
  for (const auto& entry : tip.state) state.push_back(room.find(entry.second)->pdu());
  answer("/_matrix/federation/v2/send_join/",
         [this, state, lie = std::move(lie)](const net::HttpRequest& request, net::Responder responder) {
           Json answered{
               {"auth_chain", state},      {"state", state},        {"event", Json::parse(request.body)},
               {"members_omitted", false}, {"origin", name_.str()}, {"servers_in_room", {name_.str(), victim_.str()}}};
           lie(answered);
           responder.respond({200, {}, dump(answered)});
         });
}

void HostileHomeserver::take(const net::HttpRequest& request, net::Responder responder) {
  Handler handler;
  std::function<net::HttpResponse()> keys;
  {
    const std::scoped_lock lock(mutex_);
    requests_.push_back(request.target);
    keys = keys_;
    for (const auto& [path, one] : handlers_) {
      if (request.target.starts_with(path)) handler = one;
    }
  }
  if (handler) return handler(request, std::move(responder));
  if (request.target.starts_with("/_matrix/key/v2/server")) {
    return responder.respond(keys ? keys() : net::HttpResponse{200, {}, dump(honest_keys())});
  }
  if (request.target.starts_with("/_matrix/federation/v1/send/")) {
    return responder.respond({200, {}, R"({"pdus":{}})"});
  }
  responder.respond({404, {}, R"({"errcode":"M_NOT_FOUND","error":"not here"})"});
}

}  // namespace skerry::test
