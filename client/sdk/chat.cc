#include "client/sdk/chat.h"

#include <utility>

namespace skerry::client {
namespace {

constexpr int history_page = 50;

}  // namespace

SafeText explain(const ApiError& error) {
  SafeText out(error.message);
  if (!error.errcode.empty()) out += SafeText(" (") + SafeText(error.errcode) + SafeText(")");
  return out;
}

Chat::Chat(Session& session, net::Scheduler& scheduler, net::Clock& clock, net::Random& random, Post post,
           ChatObserver observer)
    : observer_(std::move(observer)),
      user_id_(session.user_id()),
      calls_(session, scheduler, std::move(post)),
      outbox_(
          calls_, clock, random, [this](const std::string& id) { return find(id); }, observer_.changed),
      sync_(calls_, clock,
            {[this](SyncResponse response) { on_response(std::move(response)); },
             [this](Link link, const ApiError* error) { on_link(link, error); }, [this] { on_reset(); }}),
      own_name_(user_id_) {}

void Chat::restore(const std::string& room_id, const std::string& snapshot) {
  Room room(room_id, user_id_);
  if (restore_room(room, snapshot)) rooms_.insert_or_assign(room_id, std::move(room));
}

void Chat::start(const std::string& since) { sync_.start(since); }

Room* Chat::find(const std::string& room_id) {
  const auto found = rooms_.find(room_id);
  return found == rooms_.end() ? nullptr : &found->second;
}

void Chat::on_response(SyncResponse response) {
  std::set<std::string> touched;
  for (JoinedRoomUpdate& update : response.joined) {
    touched.insert(update.room_id);
    Room& room = rooms_.try_emplace(update.room_id, update.room_id, user_id_).first->second;
    room.apply(std::move(update));
  }
  for (const InvitedRoomUpdate& update : response.invited) {
    touched.insert(update.room_id);
    rooms_.try_emplace(update.room_id, update.room_id, user_id_).first->second.apply(update);
  }
  for (const LeftRoomUpdate& update : response.left) {
    touched.insert(update.room_id);
    on_left(update);
  }
  if (!synced_once_) fetch_own_name();
  synced_once_ = true;
  observer_.synced(response.next_batch, touched);
  observer_.changed();
}

void Chat::on_left(const LeftRoomUpdate& update) {
  const auto found = rooms_.find(update.room_id);
  if (found == rooms_.end()) return;
  const Room& room = found->second;
  for (const RoomEvent& event : update.timeline) {
    const bool ours = event.type == "m.room.member" && event.state_key == user_id_;
    if (!ours || event.sender == user_id_) continue;
    SafeText text = room.member_name(event.sender) +
                    (event.text("membership") == "ban" ? " banned you from " : " removed you from ");
    text += room.name();
    if (!event.text("reason").empty()) text += SafeText(": ") + SafeText(event.text("reason"));
    observer_.notice(text);
  }
  members_loaded_.erase(update.room_id);
  rooms_.erase(found);
}

void Chat::on_link(Link link, const ApiError* error) {
  link_error_ = error ? explain(*error) : SafeText();
  if (link == Link::online) {
    for (auto& [id, room] : rooms_) {
      room.history_failed = false;
      outbox_.pump(room);
    }
  }
  observer_.changed();
}

void Chat::on_reset() {
  rooms_.clear();
  members_loaded_.clear();
}

void Chat::fetch_own_name() {
  calls_.run<std::string>(api::display_name(user_id_), [this](ApiResult<std::string> name) {
    if (!name || name->empty()) return;
    own_name_ = SafeText(*name);
    observer_.changed();
  });
}

void Chat::send_message(const std::string& room_id, const std::string& kind, const std::string& body) {
  Room* room = find(room_id);
  if (!room || room->membership() != Room::Membership::joined) return;
  if (room->encrypted()) {
    return observer_.notice("This room is encrypted, and this client cannot encrypt: nothing was sent.");
  }
  outbox_.add(*room, kind, body);
}

void Chat::retry_failed(const std::string& room_id) {
  Room* room = find(room_id);
  if (room && outbox_.retry_failed(*room) == 0) observer_.notice("Nothing here failed to be sent.");
}

int Chat::unsent() const {
  int count = 0;
  for (const auto& [id, room] : rooms_) {
    for (const PendingMessage& message : room.pending) count += message.state != PendingMessage::State::sent;
  }
  return count;
}

void Chat::load_history(const std::string& room_id, bool again) {
  Room* room = find(room_id);
  if (!room || room->membership() != Room::Membership::joined) return;
  if (room->loading_history || room->timeline.complete || (room->history_failed && !again)) return;
  room->loading_history = true;
  const Timeline& timeline = room->timeline;
  if (!timeline.prev_batch.empty() || timeline.items().empty()) return fetch_page(room_id, timeline.prev_batch);
  calls_.run<std::string>(api::token_before(room_id, timeline.items().front().event.event_id),
                          [this, room_id](ApiResult<std::string> token) {
                            if (token) return fetch_page(room_id, *token);
                            on_page(room_id, tl::make_unexpected(std::move(token.error())));
                          });
}

void Chat::fetch_page(const std::string& room_id, const std::string& from) {
  calls_.run<api::Messages>(api::messages(room_id, from, history_page),
                            [this, room_id, from](ApiResult<api::Messages> page) {
                              if (page && page->end == from) page->end.clear();  // a server that goes in circles
                              on_page(room_id, std::move(page));
                            });
}

void Chat::on_page(const std::string& room_id, ApiResult<api::Messages> page) {
  Room* room = find(room_id);
  if (!room) return;
  room->loading_history = false;
  room->history_failed = !page;
  if (!page) {
    observer_.notice(SafeText("Earlier messages could not be loaded: ") + explain(page.error()));
  } else {
    for (const RoomEvent& event : page->state) {
      if (event.state_key && !room->state_event(event.type, *event.state_key)) room->set_state(event);
    }
    room->timeline.prepend(std::move(page->chunk));
    room->timeline.prev_batch = page->end;
    room->timeline.complete = page->end.empty();
  }
  observer_.changed();
}

void Chat::load_members(const std::string& room_id, std::function<void()> done) {
  if (members_loaded_.contains(room_id)) return done();
  using Members = std::vector<RoomEvent>;
  calls_.run<Members>(api::members(room_id, true), [this, room_id, done = std::move(done)](ApiResult<Members> members) {
    Room* room = find(room_id);
    if (!room) return;
    if (!members) return observer_.notice(SafeText("The members could not be listed: ") + explain(members.error()));
    for (const RoomEvent& event : *members) room->set_state(event);
    members_loaded_.insert(room_id);
    done();
    observer_.changed();
  });
}

void Chat::mark_read(const std::string& room_id) {
  Room* room = find(room_id);
  if (!room || room->membership() != Room::Membership::joined) return;
  const std::string& event_id = room->timeline.latest_event_id();
  if (event_id.empty() || event_id == room->receipt_sent || sync_.link() != Link::online) return;
  const bool own = room->timeline.latest_sender() == user_id_;
  if (own && room->unread == 0) return;  // nobody waits to hear that we read ourselves
  room->receipt_sent = event_id;
  room->unread = room->highlights = 0;
  calls_.run<Nothing>(api::read_receipt(room_id, event_id), [this, room_id, event_id](ApiResult<Nothing> result) {
    Room* now = find(room_id);
    if (!result && now && now->receipt_sent == event_id) now->receipt_sent.clear();
  });
}

void Chat::set_typing(const std::string& room_id, bool typing) {
  const Room* room = find(room_id);
  if (!room || sync_.link() != Link::online || room->membership() != Room::Membership::joined) return;
  calls_.run<Nothing>(api::typing(room_id, user_id_, typing), [](const ApiResult<Nothing>&) {});
}

template <class T>
void Chat::act(Call<T> call, const SafeText& what, std::function<void(const T&)> done) {
  calls_.run<T>(std::move(call), [this, what, done = std::move(done)](ApiResult<T> result) {
    if (result) {
      done(*result);
    } else {
      observer_.notice(what + ": " + explain(result.error()));
    }
    observer_.changed();
  });
}

void Chat::join(const std::string& room_id_or_alias, std::vector<std::string> via) {
  if (const Room* room = find(room_id_or_alias); room && via.empty()) {
    // Ids of newer rooms name no server: whoever invited us knows the room.
    const std::string inviter = room->inviter();
    if (const auto colon = inviter.find(':'); colon != std::string::npos) via.push_back(inviter.substr(colon + 1));
  }
  act<std::string>(api::join(room_id_or_alias, via), SafeText("Joining ") + room_id_or_alias + " failed",
                   [this](const std::string& id) { observer_.joined(id); });
}

void Chat::create(const api::CreateRoom& room) {
  act<std::string>(api::create_room(room), "The room could not be created",
                   [this](const std::string& id) { observer_.joined(id); });
}

void Chat::invite(const std::string& room_id, const std::string& user_id) {
  act<Nothing>(api::invite(room_id, user_id), SafeText("Inviting ") + user_id + " failed",
               [this, user_id](const Nothing&) { observer_.notice(SafeText(user_id) + " is invited."); });
}

void Chat::leave(const std::string& room_id) {
  act<Nothing>(api::leave(room_id), "Leaving failed",
               [this](const Nothing&) { observer_.notice("You left the room."); });
}

void Chat::set_own_name(const std::string& name) {
  act<Nothing>(api::set_display_name(user_id_, name), "The name could not be changed", [this, name](const Nothing&) {
    own_name_ = SafeText(name);
    observer_.notice(SafeText("You are now called ") + own_name_ + ".");
  });
}

void Chat::set_topic(const std::string& room_id, const std::string& topic) {
  act<Nothing>(api::set_topic(room_id, topic), "The topic could not be set", [](const Nothing&) {});
}

}  // namespace skerry::client
