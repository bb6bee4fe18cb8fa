// send, read, tail.
#include <algorithm>
#include <chrono>
#include <iostream>
#include <iterator>
#include <map>
#include <optional>
#include <thread>

#include <nlohmann/json.hpp>

#include "client/cli/command.h"
#include "client/sdk/api.h"
#include "client/sdk/chat.h"
#include "client/sdk/describe.h"
#include "client/sdk/outbox.h"
#include "client/sdk/room.h"
#include "client/text/time_text.h"

namespace skerry::client {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t max_stdin_bytes = 1'048'576;

Outcome<std::string> message_text(const Arguments& args) {
  std::string text;
  for (const std::string& word : args.words) text += (text.empty() ? "" : " ") + word;
  if (args.words.empty()) {
    text.assign(std::istreambuf_iterator<char>(std::cin), {});
    if (text.size() > max_stdin_bytes) return sorry("the message on stdin is too long");
    while (text.ends_with('\n')) text.pop_back();
  }
  if (text.empty()) return sorry("the message is empty");
  return text;
}

// Fails when the room is encrypted: what is sent there must not be readable for the servers.
Done require_plain(Session& session, const std::string& room_id) {
  const auto state = session.call(api::encryption_state(room_id));
  if (state) return sorry("the room is encrypted, and this client cannot encrypt: nothing was sent");
  if (state.error().status != 404) return sorry("Sending failed", state.error());
  return {};
}

// A message on one line for people, or as an object. False: it is nothing to be seen.
bool show_item(const Environment& env, const Room& room, const TimelineItem& item, bool with_room) {
  const Description description = describe(room, item);
  if (description.kind == Description::Kind::hidden) return false;
  const RoomEvent& event = item.event;
  Json line = {{"room_id", room.id()},
               {"event_id", event.event_id},
               {"sender", event.sender},
               {"type", event.type},
               {"origin_server_ts", event.origin_server_ts},
               {"content", event.content()},
               {"text", description.text.str()}};
  if (item.edited_body) line["edited"] = true;
  if (event.state_key) line["state_key"] = *event.state_key;
  env.print(line);
  SafeText text(date_time_text(event.origin_server_ts) + "  ");
  if (with_room) text += SafeText("[") + room.name() + "] ";
  using Kind = Description::Kind;
  const SafeText name = room.member_name(event.sender);
  if (description.kind == Kind::change) {
    text += "— ";
  } else {
    text += description.kind == Kind::emote ? SafeText("* ") + name + " " : name + ": ";
  }
  env.say(text + SafeText(description.text.str()));  // on one line
  return true;
}

// Loads pages until `limit` things are to be seen, or all is there.
Done load_back(Session& session, Room& room, std::size_t limit) {
  const auto seen = [&room] {
    return static_cast<std::size_t>(std::count_if(
        room.timeline.items().begin(), room.timeline.items().end(),
        [&room](const TimelineItem& item) { return describe(room, item).kind != Description::Kind::hidden; }));
  };
  const int page = static_cast<int>(std::clamp<std::size_t>(limit, 20, 200));
  std::string from;
  do {
    auto answer = session.call(api::messages(room.id(), from, page));
    if (!answer) return sorry("Reading failed", answer.error());
    for (const RoomEvent& event : answer->state) {
      if (event.state_key && !room.state_event(event.type, *event.state_key)) room.set_state(event);
    }
    room.timeline.prepend(std::move(answer->chunk));
    from = answer->end == from ? "" : answer->end;
  } while (!from.empty() && seen() < limit);
  return {};
}

// One run of `tail`.
class Tail {
 public:
  Tail(const Environment& env, Session& session, std::string only_room)
      : env_(env), session_(session), only_room_(std::move(only_room)) {}

  Done run() {
    auto first = session_.call(api::sync(request(0, 1)));
    if (!first) return sorry("Listening failed", first.error());
    take(std::move(*first), false);
    env_.print({{"listening", true}});
    while (!over()) {
      auto next = session_.call(api::sync(request(wait_ms(), 100)));
      if (next) {
        failures_ = 0;
        take(std::move(*next), true);
      } else if (next.error().unreachable()) {
        rest();
      } else {
        return sorry("Listening failed", next.error());
      }
    }
    return {};
  }

 private:
  api::SyncRequest request(int wait, int limit) const {
    api::SyncRequest out;
    out.since = since_;
    out.wait_ms = wait;
    out.timeline_limit = limit;
    out.only_room = only_room_;
    return out;
  }

  std::chrono::milliseconds left() const {
    if (env_.args.timeout_s <= 0) return std::chrono::hours(1);
    const auto whole = std::chrono::milliseconds(static_cast<std::int64_t>(env_.args.timeout_s * 1'000));
    return std::chrono::duration_cast<std::chrono::milliseconds>(begin_ + whole - Clock::now());
  }

  int wait_ms() const { return static_cast<int>(std::clamp<std::int64_t>(left().count(), 0, 30'000)); }
  bool over() const { return left().count() <= 0 || (env_.args.count > 0 && shown_ >= env_.args.count); }

  // The server is away: it is asked again, ever more seldom.
  void rest() {
    const auto pause = std::chrono::milliseconds(500) * (1 << std::min(failures_++, 5));
    std::this_thread::sleep_for(std::clamp(left(), std::chrono::milliseconds(0), pause));
  }

  void take(SyncResponse response, bool show) {
    since_ = response.next_batch;
    for (JoinedRoomUpdate& update : response.joined) {
      const bool known = rooms_.contains(update.room_id);
      Room& room = rooms_.try_emplace(update.room_id, update.room_id, session_.user_id()).first->second;
      std::vector<std::string> fresh;
      for (const RoomEvent& event : update.timeline) {
        if (!known && event.type == "m.room.member" && event.state_key == session_.user_id()) fresh.clear();
        if (!room.timeline.contains(event.event_id)) fresh.push_back(event.event_id);
      }
      room.apply(std::move(update));
      if (show) show_fresh(room, fresh);
      room.timeline.trim(200);
    }
  }

  void show_fresh(const Room& room, const std::vector<std::string>& fresh) {
    for (const std::string& id : fresh) {
      if (env_.args.count > 0 && shown_ >= env_.args.count) return;
      const TimelineItem* item = room.timeline.find(id);
      if (item && show_item(env_, room, *item, only_room_.empty())) ++shown_;
    }
  }

  const Environment& env_;
  Session& session_;
  std::string only_room_;
  std::string since_;
  std::map<std::string, Room> rooms_;
  Clock::time_point begin_ = Clock::now();
  int shown_ = 0;
  int failures_ = 0;
};

}  // namespace

Done send_command(const Environment& env) {
  auto account = env.account();
  if (!account) return sorry(account.error());
  auto text = message_text(env.args);
  if (!text) return sorry(text.error());
  auto room = find_room(*account->session, env.args.room);
  if (!room) return sorry(room.error());
  if (auto plain = require_plain(*account->session, *room); !plain) return plain;
  const std::string transaction_id = make_transaction_id(net::system_random());
  auto event_id = account->session->call(api::send_message(*room, transaction_id, env.args.kind, *text));
  if (!event_id && event_id.error().unreachable()) {
    // Once more: with the same transaction id the server keeps one message, whatever became of the first try.
    event_id = account->session->call(api::send_message(*room, transaction_id, env.args.kind, *text));
  }
  if (!event_id) return sorry("Sending failed", event_id.error());
  env.print({{"event_id", *event_id}, {"room_id", *room}});
  env.say(*event_id);
  return {};
}

Done read_command(const Environment& env) {
  auto account = env.account();
  if (!account) return sorry(account.error());
  auto id = find_room(*account->session, env.args.room);
  if (!id) return sorry(id.error());
  Room room(*id, account->stored.user_id);
  const auto limit = static_cast<std::size_t>(env.args.limit);
  if (auto loaded = load_back(*account->session, room, limit); !loaded) return loaded;
  std::vector<const TimelineItem*> shown;
  for (const TimelineItem& item : room.timeline.items()) {
    if (describe(room, item).kind != Description::Kind::hidden) shown.push_back(&item);
  }
  for (std::size_t i = shown.size() > limit ? shown.size() - limit : 0; i < shown.size(); ++i) {
    show_item(env, room, *shown[i], false);
  }
  return {};
}

Done tail_command(const Environment& env) {
  auto account = env.account();
  if (!account) return sorry(account.error());
  std::string only_room;
  if (!env.args.room.empty()) {
    auto room = find_room(*account->session, env.args.room);
    if (!room) return sorry(room.error());
    only_room = *room;
  }
  return Tail(env, *account->session, only_room).run();
}

}  // namespace skerry::client
