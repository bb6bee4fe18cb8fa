#include "homeserver/sync/presence_news.h"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "net/log.h"
#include "storage/people_store.h"

namespace skerry::homeserver {

namespace {

constexpr std::size_t users_in_an_edu = 100;

}  // namespace

PresenceNews::PresenceNews(storage::Database& database, Notifier& notifier, federation::Outbox& outbox,
                           net::WorkerPool& pool, net::Clock& clock, ServerName us)
    : database_(database), notifier_(notifier), outbox_(outbox), pool_(pool), clock_(clock), us_(std::move(us)) {}

void PresenceNews::tell(const Presence& presence, PresenceChange change) {
  (void)pool_.post([this, &presence, change = std::move(change)] {
    if (change.position) {
      auto users = database_.people().local_users_near(change.users);
      if (!users) return log::error("presence", users.error().text);
      notifier_.notify(*change.position, *users);
      notifier_.notify(*change.position, change.users);  // their own other devices
    }
    for (const UserId& user : change.users) {
      if (user.server() != us_) continue;
      auto servers = database_.people().servers_near(user);
      if (!servers) return log::error("presence", servers.error().text);
      send(presence, *servers, "m.presence " + user.str(), {user});
    }
  });
}

void PresenceNews::joined(const Presence& presence, const RoomId& room, const UserId& user) {
  if (!presence.enabled()) return;
  (void)pool_.post([this, &presence, room, user] {
    if (user.server() == us_) {
      auto servers = database_.rooms().joined_servers(room);
      if (servers) send(presence, *servers, "m.presence " + user.str(), {user});
    } else if (auto users = database_.rooms().joined_local_users(room)) {
      send(presence, {user.server()}, "m.presence " + room.str(), *users);
    }
  });
}

void PresenceNews::send(const Presence& presence, const std::vector<ServerName>& servers, const std::string& key,
                        const std::vector<UserId>& users) {
  if (servers.empty()) return;
  Json push = Json::array();
  for (const auto& [user, status] : presence.known(users)) {
    // What is offline goes without saying, but where that is the news.
    if (users.size() > 1 && status.state == PresenceState::offline) continue;
    if (push.size() >= users_in_an_edu) break;
    Json entry = status.content(clock_.now_ms());
    entry["user_id"] = user.str();
    entry.emplace("last_active_ago", 0);  // required here
    push.push_back(std::move(entry));
  }
  if (push.empty()) return;
  outbox_.send_ephemeral_edu(servers, key, {{"edu_type", "m.presence"}, {"content", {{"push", std::move(push)}}}});
}

}  // namespace skerry::homeserver
