// Rooms, aliases, memberships and what changed in them.
#include "storage/sqlite/room_store.h"

namespace skerry::storage {

namespace {

#define SKERRY_MEMBERSHIP_COLUMNS "room_id, user, membership, event_id, position, forgotten"

Membership membership_of(const Query& query) {
  return {stored_id<RoomId>(query.text(0)),
          stored_id<UserId>(query.text(1)),
          query.text(2),
          stored_id<EventId>(query.text(3)),
          query.integer(4),
          query.integer(5) != 0};
}

std::vector<Membership> memberships(Query& query) {
  std::vector<Membership> list;
  while (query.next()) list.push_back(membership_of(query));
  return list;
}

template <class IdType>
std::vector<IdType> ids(Query& query) {
  std::vector<IdType> list;
  while (query.next()) list.push_back(stored_id<IdType>(query.text(0)));
  return list;
}

}  // namespace

std::vector<EventId> split_heads(const std::string& text) {
  std::vector<EventId> heads;
  for (std::size_t start = 0; start < text.size();) {
    const auto end = std::min(text.find(' ', start), text.size());
    heads.push_back(stored_id<EventId>(text.substr(start, end - start)));
    start = end + 1;
  }
  return heads;
}

Result<StreamPosition> SqliteRoomStore::save_stripped_invite(StrippedInvite invite) {
  return writer_.run([invite = std::move(invite)](WriteContext& context) -> Result<StreamPosition> {
    const StreamPosition position = context.take_position();
    Query(context.connection, "INSERT OR REPLACE INTO stripped_invites VALUES(?, ?, ?, ?, ?, ?, ?, ?)",
          invite.user.str(), invite.room.str(), invite.room_version, invite.membership, invite.event_json,
          invite.stripped_state_json, position, invite.via.str())
        .run();
    return position;
  });
}

Result<StreamPosition> SqliteRoomStore::remove_stripped_invite(const RoomId& room, const UserId& user) {
  return writer_.run([room, user](WriteContext& context) -> Result<StreamPosition> {
    const StreamPosition position = context.take_position();
    // The row stays as a leave, so that the user's clients learn that the invitation is over.
    Query(context.connection,
          "UPDATE stripped_invites SET membership = 'leave', event = '', state = '[]', position = ? WHERE user = ? AND "
          "room = ? "
          "AND membership <> 'leave'",
          position, user.str(), room.str())
        .run();
    return position;
  });
}

Result<StreamPosition> SqliteRoomStore::forget(const RoomId& room, const UserId& user) {
  return writer_.run([room, user](WriteContext& context) -> Result<StreamPosition> {
    const StreamPosition position = context.take_position();
    Query(context.connection,
          "UPDATE memberships SET forgotten = 1 WHERE user = ? AND room = (SELECT nid FROM rooms WHERE room_id = ?)",
          user.str(), room.str())
        .run();
    return position;
  });
}

Result<void> SqliteRoomStore::set_published(const RoomId& room, bool published) {
  return writer_.write([room, published](Connection& connection) -> Result<void> {
    Query(connection, "UPDATE rooms SET published = ? WHERE room_id = ?", published, room.str()).run();
    return {};
  });
}

Result<void> SqliteRoomStore::add_alias(const RoomAlias& alias, const RoomId& room, const UserId& creator) {
  return writer_.write([alias, room, creator](Connection& connection) -> Result<void> {
    Query taken(connection, "SELECT 1 FROM aliases WHERE alias = ?", alias.str());
    if (taken.next()) return fail(ErrorCode::room_in_use, "that alias is taken");
    Query(connection, "INSERT INTO aliases VALUES(?, ?, ?)", alias.str(), room.str(), creator.str()).run();
    return {};
  });
}

Result<void> SqliteRoomStore::remove_alias(const RoomAlias& alias) {
  return writer_.write([alias](Connection& connection) -> Result<void> {
    Query(connection, "DELETE FROM aliases WHERE alias = ?", alias.str()).run();
    if (connection.database().getChanges() == 0) return fail(ErrorCode::not_found, "no such alias");
    return {};
  });
}

Result<std::optional<RoomInfo>> SqliteRoomStore::room(const RoomId& room) {
  return readers_.read([&](Connection& connection) -> Result<std::optional<RoomInfo>> {
    Query query(connection, "SELECT version, create_event, published FROM rooms WHERE room_id = ?", room.str());
    if (!query.next()) return std::nullopt;
    return RoomInfo{room, query.text(0), stored_id<EventId>(query.text(1)), query.integer(2) != 0};
  });
}

Result<std::optional<RoomHead>> SqliteRoomStore::head(const RoomId& room) {
  return readers_.read([&](Connection& connection) -> Result<std::optional<RoomHead>> {
    Query query(connection, "SELECT heads, current_state, depth FROM rooms WHERE room_id = ? AND heads <> ''",
                room.str());
    if (!query.next()) return std::nullopt;
    return RoomHead{split_heads(query.text(0)), query.integer(1), query.integer(2)};
  });
}

Result<std::vector<RoomId>> SqliteRoomStore::rooms() {
  return readers_.read([&](Connection& connection) -> Result<std::vector<RoomId>> {
    Query query(connection, "SELECT room_id FROM rooms ORDER BY nid");
    return ids<RoomId>(query);
  });
}

Result<std::vector<RoomId>> SqliteRoomStore::published_rooms() {
  return readers_.read([&](Connection& connection) -> Result<std::vector<RoomId>> {
    Query query(connection, "SELECT room_id FROM rooms WHERE published = 1 ORDER BY nid");
    return ids<RoomId>(query);
  });
}

Result<std::optional<RoomId>> SqliteRoomStore::resolve_alias(const RoomAlias& alias) {
  return readers_.read([&](Connection& connection) -> Result<std::optional<RoomId>> {
    Query query(connection, "SELECT room FROM aliases WHERE alias = ?", alias.str());
    return query.next() ? std::optional(stored_id<RoomId>(query.text(0))) : std::nullopt;
  });
}

Result<std::vector<RoomStore::Alias>> SqliteRoomStore::aliases(const RoomId& room) {
  return readers_.read([&](Connection& connection) -> Result<std::vector<Alias>> {
    std::vector<Alias> list;
    Query query(connection, "SELECT alias, creator FROM aliases WHERE room = ? ORDER BY alias", room.str());
    while (query.next()) list.push_back({stored_id<RoomAlias>(query.text(0)), stored_id<UserId>(query.text(1))});
    return list;
  });
}

Result<std::vector<Membership>> SqliteRoomStore::memberships_of(const UserId& user) {
  return readers_.read([&](Connection& connection) -> Result<std::vector<Membership>> {
    Query query(connection,
                "SELECT " SKERRY_MEMBERSHIP_COLUMNS " FROM memberships JOIN rooms ON room = nid WHERE user = ?",
                user.str());
    return memberships(query);
  });
}

Result<std::optional<Membership>> SqliteRoomStore::membership(const RoomId& room, const UserId& user) {
  return readers_.read([&](Connection& connection) -> Result<std::optional<Membership>> {
    Query query(connection,
                "SELECT " SKERRY_MEMBERSHIP_COLUMNS
                " FROM memberships JOIN rooms ON room = nid WHERE room_id = ? AND user = ?",
                room.str(), user.str());
    return query.next() ? std::optional(membership_of(query)) : std::nullopt;
  });
}

Result<std::vector<Membership>> SqliteRoomStore::members(const RoomId& room) {
  return readers_.read([&](Connection& connection) -> Result<std::vector<Membership>> {
    Query query(connection,
                "SELECT " SKERRY_MEMBERSHIP_COLUMNS " FROM memberships JOIN rooms ON room = nid WHERE room_id = ?",
                room.str());
    return memberships(query);
  });
}

Result<std::vector<ServerName>> SqliteRoomStore::joined_servers(const RoomId& room) {
  return readers_.read([&](Connection& connection) -> Result<std::vector<ServerName>> {
    const auto nid = room_nid(connection, room);
    if (!nid) return std::vector<ServerName>{};
    Query query(connection, "SELECT server FROM server_stretches WHERE room = ? AND last IS NULL ORDER BY first", *nid);
    auto servers = ids<ServerName>(query);
    Query own(connection, "SELECT 1 FROM memberships WHERE room = ? AND server = ? AND membership = 'join' LIMIT 1",
              *nid, us_.str());
    if (own.next()) servers.insert(servers.begin(), us_);
    return servers;
  });
}

Result<std::vector<UserId>> SqliteRoomStore::joined_local_users(const RoomId& room) {
  return readers_.read([&](Connection& connection) -> Result<std::vector<UserId>> {
    const auto nid = room_nid(connection, room);
    if (!nid) return std::vector<UserId>{};
    Query query(connection, "SELECT user FROM memberships WHERE room = ? AND server = ? AND membership = 'join'", *nid,
                us_.str());
    return ids<UserId>(query);
  });
}

Result<std::vector<StrippedInvite>> SqliteRoomStore::stripped_invites(const UserId& user) {
  return readers_.read([&](Connection& connection) -> Result<std::vector<StrippedInvite>> {
    std::vector<StrippedInvite> list;
    Query query(
        connection,
        "SELECT room, room_version, membership, event, state, position, via FROM stripped_invites WHERE user = ?",
        user.str());
    while (query.next()) {
      list.push_back({stored_id<RoomId>(query.text(0)), user, query.text(1), query.text(2), query.text(3),
                      query.text(4), query.integer(5),
                      query.text(6).empty() ? ServerName() : stored_id<ServerName>(query.text(6))});
    }
    return list;
  });
}

Result<std::vector<std::pair<StateKey, EventId>>> SqliteRoomStore::state_changes(const RoomId& room,
                                                                                 StreamPosition from,
                                                                                 StreamPosition to) {
  return readers_.read([&](Connection& connection) -> Result<std::vector<std::pair<StateKey, EventId>>> {
    std::map<StateKey, EventId> newest;
    const auto nid = room_nid(connection, room);
    if (nid) {
      Query query(connection,
                  "SELECT type, state_key, event_id FROM state_changes JOIN state_keys ON key = nid "
                  "WHERE room = ? AND position > ? AND position <= ? ORDER BY position",
                  *nid, from, to);
      while (query.next()) newest[{query.text(0), query.text(1)}] = stored_id<EventId>(query.text(2));
    }
    return std::vector<std::pair<StateKey, EventId>>(newest.begin(), newest.end());
  });
}

}  // namespace skerry::storage
