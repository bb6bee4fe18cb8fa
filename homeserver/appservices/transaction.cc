#include "homeserver/appservices/transaction.h"

#include <algorithm>
#include <set>

#include <nlohmann/json.hpp>

#include "core/room_rules.h"
#include "homeserver/rooms/reader.h"
#include "homeserver/sync/receipts.h"
#include "storage/people_store.h"

namespace skerry::homeserver {

namespace {

constexpr std::size_t transaction_events = 100;
constexpr std::size_t transaction_bytes = 1'048'576;
constexpr std::size_t page_events = 200;
constexpr std::size_t passing_rooms = 500;  // told of in one transaction: what passes has passed
constexpr std::size_t passing_users = 500;

void append(std::string& list, const std::string& item) { list += (list.empty() ? "" : ",") + item; }

// An invite into a room that this server is not in, as if it were an event of the stream.
std::optional<storage::StoredEvent> invite_event(const storage::AppserviceStore::Invite& invite) {
  const RoomRules* rules = find_room_rules(invite.room_version);
  auto pdu = parse_stored(invite.event_json);
  if (rules == nullptr || !pdu) return std::nullopt;
  auto event = Event::make(*rules, std::move(*pdu));
  if (!event) return std::nullopt;
  storage::StoredEvent stored;
  stored.event = std::move(*event);
  stored.outlier = true;
  stored.position = invite.position;
  return stored;
}

}  // namespace

struct AppserviceCollector::Item {
  storage::StreamPosition position = 0;
  storage::StoredEvent event;
  std::string invite_state;  // JSON text; empty: an event of a room that this server is in
};

struct AppserviceCollector::Page {
  std::vector<Item> items;  // in order
  storage::StreamPosition up_to = 0;
};

AppserviceCollector::AppserviceCollector(const Appservice& appservice, storage::Database& database,
                                         const Typing& typing, const Presence& presence, net::Clock& clock)
    : appservice_(appservice),
      database_(database),
      typing_(typing),
      presence_(presence),
      clock_(clock),
      interest_(appservice, database.rooms()) {}

Result<AppserviceCollector::Page> AppserviceCollector::page(storage::StreamPosition from, storage::StreamPosition to) {
  auto events = database_.appservices().stream_events(from, to, page_events);
  if (!events) return tl::make_unexpected(events.error());
  Page page;
  page.up_to = events->size() < page_events ? to : *events->back().position;
  auto invites = database_.appservices().stream_invites(from, page.up_to, page_events);
  if (!invites) return tl::make_unexpected(invites.error());
  if (invites->size() == page_events) page.up_to = invites->back().position;
  for (auto& event : *events) {
    if (*event.position <= page.up_to) page.items.push_back({*event.position, std::move(event), ""});
  }
  for (const auto& invite : *invites) {
    if (auto event = invite_event(invite))
      page.items.push_back({invite.position, std::move(*event), invite.stripped_state_json});
  }
  std::sort(page.items.begin(), page.items.end(), [](const Item& a, const Item& b) { return a.position < b.position; });
  return page;
}

namespace {

std::string item_text(const storage::StoredEvent& event, const std::string& invite_state, storage::RoomStore& rooms,
                      std::int64_t now_ms) {
  Json json = appservice_event(event, rooms, now_ms);
  if (!invite_state.empty()) {
    if (auto state = parse_stored(invite_state)) json["unsigned"]["invite_room_state"] = std::move(*state);
  }
  return dump(json);
}

}  // namespace

Result<AppserviceTransaction> AppserviceCollector::collect(storage::StreamPosition from,
                                                           storage::StreamPosition passing_from) {
  const storage::StreamPosition now = database_.stream().current();
  AppserviceTransaction transaction;
  transaction.up_to = from;
  std::string events;
  bool full = false;
  while (!full && transaction.up_to < now) {
    auto found = page(transaction.up_to, now);
    if (!found) return tl::make_unexpected(found.error());
    for (const Item& item : found->items) {
      auto interested = item.invite_state.empty()
                            ? interest_.in_event(item.event)
                            : appservice_.has_user(*UserId::parse(*item.event.event->state_key()));
      if (!interested) return tl::make_unexpected(interested.error());
      if (*interested) {
        const std::string text = item_text(item.event, item.invite_state, database_.rooms(), clock_.now_ms());
        if (!events.empty() && events.size() + text.size() > transaction_bytes) full = true;
        if (full) break;
        append(events, text);
        transaction.events.push_back(item.position);
        full = transaction.events.size() == transaction_events;
      }
      transaction.up_to = item.position;
      if (full) break;
    }
    if (!full) transaction.up_to = found->up_to;
  }
  std::string ephemeral;
  const AppserviceRegistration& wishes = appservice_.registration();
  if (!full && (wishes.receive_ephemeral || wishes.receive_ephemeral_by_old_name)) {
    auto passing_text = passing(passing_from, transaction.up_to);
    if (!passing_text) return tl::make_unexpected(passing_text.error());
    ephemeral = std::move(*passing_text);
    transaction.passing_up_to = transaction.up_to;
  }
  transaction.passing = !ephemeral.empty();
  transaction.body = R"({"events":[)" + events + "]";
  if (transaction.passing && wishes.receive_ephemeral) transaction.body += R"(,"ephemeral":[)" + ephemeral + "]";
  if (transaction.passing && wishes.receive_ephemeral_by_old_name)
    transaction.body += R"(,"de.sorunome.msc2409.ephemeral":[)" + ephemeral + "]";
  transaction.body += "}";
  return transaction;
}

Result<AppserviceTransaction> AppserviceCollector::collect_again(
    storage::StreamPosition from, storage::StreamPosition up_to,
    const std::vector<storage::StreamPosition>& positions) {
  const std::set<storage::StreamPosition> wanted(positions.begin(), positions.end());
  AppserviceTransaction transaction;
  transaction.up_to = from;
  std::string events;
  while (transaction.up_to < up_to) {
    auto found = page(transaction.up_to, up_to);
    if (!found) return tl::make_unexpected(found.error());
    for (const Item& item : found->items) {
      if (!wanted.contains(item.position)) continue;
      append(events, item_text(item.event, item.invite_state, database_.rooms(), clock_.now_ms()));
      transaction.events.push_back(item.position);
    }
    transaction.up_to = found->up_to;
  }
  transaction.body = R"({"events":[)" + events + "]}";
  return transaction;
}

// Presence, and typing and receipts of the rooms where they changed. Where it is not known any more which those are,
// they have passed.
Result<std::string> AppserviceCollector::passing(storage::StreamPosition from, storage::StreamPosition to) {
  std::set<RoomId> rooms;
  for (RoomId& room : typing_.changed_rooms(from)) rooms.insert(std::move(room));
  if (auto changed = database_.stream().changed_rooms(from, to)) rooms.insert(changed->begin(), changed->end());
  auto list = presences(from, to);
  if (!list) return list;
  std::size_t told = 0;
  for (const RoomId& room : rooms) {
    if (told == passing_rooms || list->size() > transaction_bytes) break;
    auto interested = interest_.in_room(room);
    if (!interested) return tl::make_unexpected(interested.error());
    if (!*interested) continue;
    auto text = room_passing(room, from, to);
    if (!text) return text;
    if (text->empty()) continue;
    append(*list, *text);
    ++told;
  }
  return list;
}

// Of its own users, and of those who are in a room with one of them.
Result<std::string> AppserviceCollector::presences(storage::StreamPosition from, storage::StreamPosition to) {
  std::string list;
  std::size_t told = 0;
  for (const UserId& user : presence_.changed(from, to)) {
    if (told == passing_users) break;
    bool near = appservice_.has_user(user);
    if (!near) {
      auto others = database_.people().local_users_near({user});
      if (!others) return tl::make_unexpected(others.error());
      near =
          std::any_of(others->begin(), others->end(), [&](const UserId& other) { return appservice_.has_user(other); });
    }
    if (!near) continue;
    append(list, dump({{"type", "m.presence"},
                       {"sender", user.str()},
                       {"content", presence_.of(user).content(clock_.now_ms())}}));
    ++told;
  }
  return list;
}

Result<std::string> AppserviceCollector::room_passing(const RoomId& room, storage::StreamPosition from,
                                                      storage::StreamPosition to) {
  std::string list;
  if (const auto users = typing_.changed_since(room, from)) {
    Json ids = Json::array();
    for (const UserId& user : *users) ids.push_back(user.str());
    append(list, dump({{"type", "m.typing"}, {"room_id", room.str()}, {"content", {{"user_ids", std::move(ids)}}}}));
  }
  auto receipts = database_.stream().receipts(room, from, to);
  if (!receipts) return tl::make_unexpected(receipts.error());
  std::erase_if(*receipts, [&](const storage::Receipt& receipt) {
    return receipt.type == "m.read.private" && !appservice_.has_user(receipt.user);
  });
  for (Json& content : receipt_contents(*receipts)) {
    append(list, dump({{"type", "m.receipt"}, {"room_id", room.str()}, {"content", std::move(content)}}));
  }
  return list;
}

}  // namespace skerry::homeserver
