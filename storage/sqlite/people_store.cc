#include "storage/sqlite/people_store.h"

#include <set>

#include "storage/sqlite/room_store.h"

namespace skerry::storage {

namespace {

std::set<std::int64_t> rooms_of(Connection& connection, const UserId& user) {
  std::set<std::int64_t> rooms;
  Query query(connection, "SELECT room FROM memberships WHERE user = ? AND membership = 'join'", user.str());
  while (query.next()) rooms.insert(query.integer(0));
  return rooms;
}

}  // namespace

Result<std::vector<UserId>> SqlitePeopleStore::sharing_a_room(const UserId& user,
                                                              const std::vector<UserId>& candidates) {
  return readers_.read([&](Connection& connection) -> Result<std::vector<UserId>> {
    Snapshot snapshot(connection);
    const auto own = rooms_of(connection, user);
    std::vector<UserId> sharing;
    for (const UserId& candidate : candidates) {
      Query query(connection, "SELECT room FROM memberships WHERE user = ? AND membership = 'join'", candidate.str());
      bool shares = false;
      while (!shares && query.next()) shares = own.contains(query.integer(0));
      if (shares) sharing.push_back(candidate);
    }
    return sharing;
  });
}

Result<MutualRooms> SqlitePeopleStore::mutual_rooms(const UserId& user, const UserId& other, std::int64_t from,
                                                    std::size_t limit) {
  return readers_.read([&](Connection& connection) -> Result<MutualRooms> {
    MutualRooms mutual;
    Query query(
        connection,
        "SELECT rooms.nid, rooms.room_id FROM memberships AS own CROSS JOIN memberships AS theirs ON theirs.room "
        "= own.room AND theirs.user = ?2 CROSS JOIN rooms ON rooms.nid = own.room WHERE own.user = ?1 AND "
        "own.membership = 'join' AND theirs.membership = 'join' ORDER BY own.room",
        user.str(), other.str());
    while (query.next()) {
      ++mutual.count;
      const std::int64_t room = query.integer(0);
      if (room < from || mutual.next) continue;
      if (mutual.rooms.size() == limit) {
        mutual.next = room;
      } else {
        mutual.rooms.push_back(stored_id<RoomId>(query.text(1)));
      }
    }
    return mutual;
  });
}

Result<std::vector<Person>> SqlitePeopleStore::search(const UserId& seeker, const std::string& term,
                                                      std::size_t limit) {
  return readers_.read([&](Connection& connection) -> Result<std::vector<Person>> {
    Snapshot snapshot(connection);
    std::set<std::string> users;
    const auto take = [&](Query& query) {
      while (users.size() < limit && query.next()) users.insert(query.text(0));
    };
    Query by_name(connection,
                  "SELECT user FROM (SELECT other.user AS user, json FROM memberships AS own CROSS JOIN memberships AS "
                  "other ON other.room = own.room AND other.membership = 'join' CROSS JOIN events ON events.event_id = "
                  "other.event_id WHERE own.user = ?1 AND own.membership = 'join' LIMIT 20000) "
                  "WHERE instr(lower(json_extract(json, '$.content.displayname')), ?2) > 0",
                  seeker.str(), term);
    take(by_name);
    Query by_id(connection,
                "SELECT DISTINCT user FROM memberships WHERE membership = 'join' AND instr(lower(user), ?) > 0", term);
    take(by_id);
    std::vector<Person> people;
    for (const std::string& user : users) {
      Person person{stored_id<UserId>(user), "", ""};
      Query profile(connection,
                    "SELECT json_extract(json, '$.content.displayname'), json_extract(json, '$.content.avatar_url') "
                    "FROM memberships CROSS JOIN events USING(event_id) WHERE user = ? AND membership = 'join' "
                    "ORDER BY memberships.position DESC LIMIT 1",
                    user);
      if (profile.next()) {
        if (!profile.is_null(0)) person.display_name = profile.text(0);
        if (!profile.is_null(1)) person.avatar_url = profile.text(1);
      }
      people.push_back(std::move(person));
    }
    return people;
  });
}

Result<std::vector<UserId>> SqlitePeopleStore::local_users_near(const std::vector<UserId>& users) {
  return readers_.read([&](Connection& connection) -> Result<std::vector<UserId>> {
    Snapshot snapshot(connection);
    std::set<std::int64_t> rooms;
    for (const UserId& user : users) rooms.merge(rooms_of(connection, user));
    std::set<std::string> near;
    for (const std::int64_t room : rooms) {
      Query query(connection, "SELECT user FROM memberships WHERE room = ? AND server = ? AND membership = 'join'",
                  room, us_.str());
      while (query.next()) near.insert(query.text(0));
    }
    std::vector<UserId> list;
    for (const std::string& user : near) list.push_back(stored_id<UserId>(user));
    return list;
  });
}

Result<std::vector<ServerName>> SqlitePeopleStore::servers_near(const UserId& user) {
  return readers_.read([&](Connection& connection) -> Result<std::vector<ServerName>> {
    std::vector<ServerName> servers;
    Query query(connection,
                "SELECT DISTINCT stretch.server FROM memberships AS own CROSS JOIN server_stretches AS stretch "
                "ON stretch.room = own.room AND stretch.last IS NULL "
                "WHERE own.user = ? AND own.membership = 'join'",
                user.str());
    while (query.next()) servers.push_back(stored_id<ServerName>(query.text(0)));
    return servers;
  });
}

}  // namespace skerry::storage
