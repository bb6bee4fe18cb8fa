#include "tests/client/fake_homeserver.h"

#include <algorithm>
#include <utility>

#include "net/http.h"
#include "net/runtime.h"

namespace skerry::test {
namespace {

constexpr std::size_t page = 30;

net::HttpResponse json(int status, const Json& body) {
  return {status, {{"Content-Type", "application/json"}}, body.dump()};
}

net::HttpResponse error(int status, const char* errcode, const char* text) {
  return json(status, {{"errcode", errcode}, {"error", text}});
}

std::string query_value(const net::HttpRequest& request, const std::string& name) {
  const auto query = net::parse_query(net::split_target(request.target).query);
  if (!query) return {};
  for (const auto& [key, value] : *query) {
    if (key == name) return value;
  }
  return {};
}

Json member_event(const std::string& user, const std::string& name) {
  return {{"type", "m.room.member"},
          {"sender", user},
          {"state_key", user},
          {"content", {{"membership", "join"}, {"displayname", name}}}};
}

}  // namespace

FakeHomeserver::FakeHomeserver()
    : server_([this](const net::HttpRequest& request, net::Responder responder) {
        handle(request, std::move(responder));
      }) {
  add(member_event(user_id, "Alice"));
  add(member_event("@bob:fake.test", "Bob"));
  add({{"type", "m.room.name"}, {"sender", user_id}, {"state_key", ""}, {"content", {{"name", "Lobby"}}}});
}

// Timers and responders go before the threads that they belong to.
FakeHomeserver::~FakeHomeserver() {
  server_.stop();
  const std::lock_guard lock(mutex_);
  polls_.clear();
}

std::string FakeHomeserver::say(const std::string& sender, const std::string& body) {
  return add({{"type", "m.room.message"}, {"sender", sender}, {"content", {{"msgtype", "m.text"}, {"body", body}}}});
}

std::string FakeHomeserver::add(Json event) {
  const std::lock_guard lock(mutex_);
  return add_locked(std::move(event));
}

std::string FakeHomeserver::add_locked(Json event) {
  const std::string id = "$event" + std::to_string(events_.size());
  event["event_id"] = id;
  event["origin_server_ts"] = net::system_clock().now_ms();
  events_.push_back(std::move(event));
  answer_polls();
  return id;
}

void FakeHomeserver::answer_polls() {
  for (auto& [id, poll] : std::exchange(polls_, {})) poll.responder.respond(json(200, sync_answer(poll.since)));
}

std::vector<std::string> FakeHomeserver::said_by(const std::string& sender) const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> out;
  for (const Json& event : events_) {
    if (event["type"] == "m.room.message" && event["sender"] == sender) out.push_back(event["content"]["body"]);
  }
  return out;
}

std::vector<Json> FakeHomeserver::bodies(const std::string& part) const {
  std::vector<Json> out;
  for (const auto& request : server_.requests()) {
    if (request.target.find(part) != std::string::npos) out.push_back(Json::parse(request.body, nullptr, false));
  }
  return out;
}

void FakeHomeserver::refuse_sending(int status) {
  const std::lock_guard lock(mutex_);
  refuse_ = status;
}

void FakeHomeserver::handle(const net::HttpRequest& request, net::Responder responder) {
  const std::string path(net::split_target(request.target).path);
  const bool open = path.ends_with("/register") || path.ends_with("/login") || path.ends_with("/versions");
  const std::lock_guard lock(mutex_);
  if (!open && net::find_header(request.headers, "Authorization") != "Bearer secret-token") {
    return responder.respond(error(401, "M_UNKNOWN_TOKEN", "who are you?"));
  }
  if (path.ends_with("/sync")) return sync(request, std::move(responder));
  responder.respond(answer(request, path));
}

net::HttpResponse FakeHomeserver::answer(const net::HttpRequest& request, const std::string& path) {
  const Json body = Json::parse(request.body.empty() ? "{}" : request.body, nullptr, false);
  const Json signed_in = {{"user_id", user_id}, {"device_id", "DEVICE"}, {"access_token", "secret-token"}};
  if (path.ends_with("/register")) {
    if (body.contains("auth")) return json(200, signed_in);
    return json(401, {{"session", "s"}, {"flows", {{{"stages", {"m.login.dummy"}}}}}});
  }
  if (path.ends_with("/login")) {
    return body["password"] == "right" ? json(200, signed_in) : error(403, "M_FORBIDDEN", "wrong\x1b[2J password");
  }
  if (path.ends_with("/whoami")) return json(200, {{"user_id", user_id}, {"device_id", "DEVICE"}});
  if (path.find("/send/m.room.message/") != std::string::npos) return send(request, path);
  if (path.ends_with("/messages")) return messages(request);
  if (path.ends_with("/members")) {
    return json(200, {{"chunk", {member_event(user_id, "Alice"), member_event("@bob:fake.test", "Bob")}}});
  }
  if (path.ends_with("/displayname")) return json(200, {{"displayname", "Alice"}});
  if (path.find("/state/m.room.encryption") != std::string::npos) return error(404, "M_NOT_FOUND", "no such state");
  if (path.find("/directory/room/") != std::string::npos) {
    return path.ends_with("lobby%3Afake.test") ? json(200, {{"room_id", room_id}})
                                               : error(404, "M_NOT_FOUND", "no such alias");
  }
  if (path.find("/join/") != std::string::npos || path.ends_with("/createRoom"))
    return json(200, {{"room_id", room_id}});
  return json(200, Json::object());
}

net::HttpResponse FakeHomeserver::send(const net::HttpRequest& request, const std::string& path) {
  if (refuse_ != 0) return error(refuse_, "M_FORBIDDEN", "you may not speak here");
  const std::string transaction_id = path.substr(path.rfind('/') + 1);
  auto& id = sent_[transaction_id];
  if (id.empty()) {
    id = add_locked({{"type", "m.room.message"},
                     {"sender", user_id},
                     {"content", Json::parse(request.body)},
                     {"unsigned", {{"transaction_id", transaction_id}}}});
  }
  return json(200, {{"event_id", id}});
}

// Tokens are numbers: how many events are before.
net::HttpResponse FakeHomeserver::messages(const net::HttpRequest& request) const {
  const std::string from = query_value(request, "from");
  std::size_t at = from.empty() ? events_.size() : std::stoul(from);
  Json chunk = Json::array();
  while (at > 0 && chunk.size() < page) chunk.push_back(events_[--at]);
  Json out = {{"chunk", std::move(chunk)}, {"start", from}, {"state", {member_event("@bob:fake.test", "Bob")}}};
  if (at > 0) out["end"] = std::to_string(at);
  return json(200, out);
}

void FakeHomeserver::sync(const net::HttpRequest& request, net::Responder responder) {
  const std::string since = query_value(request, "since");
  const std::size_t position = since.empty() ? 0 : std::stoul(since);
  const std::string wait = query_value(request, "timeout");
  if (position < events_.size() || wait.empty() || wait == "0")
    return responder.respond(json(200, sync_answer(position)));
  const int id = next_poll_++;
  auto timer = server_.io().after(std::chrono::milliseconds(std::stoi(wait)), [this, id] {
    const std::lock_guard lock(mutex_);
    const auto poll = polls_.find(id);
    if (poll == polls_.end()) return;
    poll->second.responder.respond(json(200, sync_answer(poll->second.since)));
    polls_.erase(poll);
  });
  polls_.emplace(id, Poll{position, std::move(responder), std::move(timer)});
}

Json FakeHomeserver::sync_answer(std::size_t since) const {
  Json out = {{"next_batch", std::to_string(events_.size())}};
  if (since >= events_.size()) return out;
  const std::size_t from = std::max(since, events_.size() > page ? events_.size() - page : 0);
  Json timeline = Json::array();
  for (std::size_t i = from; i < events_.size(); ++i) timeline.push_back(events_[i]);
  const Json state = since == 0 ? Json::array({events_[0], events_[1], events_[2]}) : Json::array();
  out["rooms"]["join"][room_id] = {
      {"state", {{"events", state}}},
      {"timeline", {{"events", std::move(timeline)}, {"limited", from > since}, {"prev_batch", std::to_string(from)}}},
      {"summary", {{"m.joined_member_count", 2}}},
      {"unread_notifications", {{"notification_count", 1}, {"highlight_count", 0}}}};
  return out;
}

}  // namespace skerry::test
