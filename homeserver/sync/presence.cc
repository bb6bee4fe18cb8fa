#include "homeserver/sync/presence.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <set>
#include <unordered_map>

#include <nlohmann/json.hpp>

namespace skerry::homeserver {

namespace {

constexpr std::size_t users_of_one_server = 10'000;
constexpr std::size_t users_of_other_servers = 100'000;
constexpr std::size_t devices_of_one_user = 100;
constexpr std::int64_t never = 0;

const char* name_of(PresenceState state) {
  switch (state) {
    case PresenceState::online:
      return "online";
    case PresenceState::unavailable:
      return "unavailable";
    case PresenceState::offline:
      break;
  }
  return "offline";
}

}  // namespace

Result<PresenceState> parse_presence(const std::string& text) {
  for (const auto state : {PresenceState::offline, PresenceState::unavailable, PresenceState::online}) {
    if (text == name_of(state)) return state;
  }
  return fail(ErrorCode::invalid_param, "presence must be online, unavailable or offline");
}

Json PresenceStatus::content(std::int64_t now_ms) const {
  Json content = {{"presence", name_of(state)}};
  if (last_active_ms > 0) content["last_active_ago"] = std::max<std::int64_t>(now_ms - last_active_ms, 0);
  if (state == PresenceState::online) content["currently_active"] = currently_active;
  if (!message.empty()) content["status_msg"] = message;
  return content;
}

struct Presence::Impl : std::enable_shared_from_this<Impl> {
  struct Device {
    PresenceState state = PresenceState::offline;
    std::int64_t until_ms = 0;
  };
  struct Entry {
    PresenceStatus status;  // last_active_ms is up to date, the rest as it was told
    storage::StreamPosition changed = 0;
    std::int64_t deadline_ms = never;  // when time alone may change it
    // Of this server's users.
    std::map<std::string, Device> devices;
    bool says_idle = false;
    std::int64_t told_ms = 0;
  };

  Impl(storage::StreamStore& stream_store, net::Scheduler& timers, net::Clock& time, ServerName name,
       Config::Presence given, std::function<void(PresenceChange)> on_change)
      : stream(stream_store),
        scheduler(timers),
        clock(time),
        us(std::move(name)),
        options(given),
        changed(std::move(on_change)) {}

  storage::StreamStore& stream;
  net::Scheduler& scheduler;
  net::Clock& clock;
  const ServerName us;
  const Config::Presence options;
  const std::function<void(PresenceChange)> changed;

  mutable std::mutex mutex;
  std::unordered_map<UserId, Entry> entries;
  std::unordered_map<ServerName, std::size_t> users_of_server;
  std::size_t remote_users = 0;
  std::set<std::pair<storage::StreamPosition, UserId>> by_change;
  std::set<std::pair<std::int64_t, UserId>> by_deadline;
  std::set<UserId> news;        // changed, and not told yet
  std::set<UserId> told_again;  // not changed, but other servers are to hear it again
  std::int64_t news_told_ms = 0;
  std::int64_t timer_ms = never;  // when the timer runs
  net::Scheduler::Handle timer;

  // What must happen after the lock is released: timers end, and the change is told.
  struct Afterwards {
    net::Scheduler::Handle spent_timer;
    std::vector<PresenceChange> changes;
  };
  template <class Change>
  void change(const Change& make) {
    if (!options.enabled) return;
    Afterwards afterwards;
    {
      std::scoped_lock lock(mutex);
      const std::int64_t now_ms = clock.now_ms();
      make(now_ms);
      take_news(now_ms, afterwards);
      arm(now_ms, afterwards);
    }
    for (PresenceChange& told : afterwards.changes) changed(std::move(told));
  }

  // -- REQUIRES of all below: the mutex is held.
  void set_deadline(const UserId& user, Entry& entry, std::int64_t deadline_ms) {
    if (entry.deadline_ms != never) by_deadline.erase({entry.deadline_ms, user});
    entry.deadline_ms = deadline_ms;
    if (deadline_ms != never) by_deadline.emplace(deadline_ms, user);
  }

  void show(const UserId& user, Entry& entry, PresenceState state, bool currently_active) {
    if (entry.status.state == state && entry.status.currently_active == currently_active) return;
    entry.status.state = state;
    entry.status.currently_active = currently_active;
    news.insert(user);
  }

  // What a user of this server's is at this time, by devices and activity.
  void judge(const UserId& user, Entry& entry, std::int64_t now_ms) {
    std::erase_if(entry.devices, [&](const auto& device) { return device.second.until_ms <= now_ms; });
    PresenceState best = PresenceState::offline;
    std::int64_t deadline_ms = never;
    const auto not_after = [&](std::int64_t at_ms) {
      if (deadline_ms == never || at_ms < deadline_ms) deadline_ms = at_ms;
    };
    for (const auto& [id, device] : entry.devices) {
      best = std::max(best, device.state);
      not_after(device.until_ms);
    }
    const std::int64_t idle_ms = entry.status.last_active_ms + options.idle_after.count();
    if (best == PresenceState::online && (entry.says_idle || idle_ms <= now_ms)) best = PresenceState::unavailable;
    const std::int64_t inactive_ms = entry.status.last_active_ms + active_for.count();
    const bool active = best == PresenceState::online && inactive_ms > now_ms;
    if (best == PresenceState::online) not_after(active ? std::min(inactive_ms, idle_ms) : idle_ms);
    if (entry.status.state == PresenceState::offline) entry.told_ms = now_ms;  // others hear of it as news
    show(user, entry, best, active);
    if (best != PresenceState::offline) {
      if (entry.told_ms + again_after.count() <= now_ms) {
        told_again.insert(user);
        entry.told_ms = now_ms;
      }
      not_after(entry.told_ms + again_after.count());
    }
    set_deadline(user, entry, deadline_ms);
  }

  // A device that begins, of a user who was away, is activity.
  Device& device_of(Entry& entry, const std::string& id, std::int64_t now_ms) {
    if (entry.status.state == PresenceState::offline) {
      entry.status.last_active_ms = now_ms;
      entry.says_idle = false;
    }
    if (entry.devices.size() >= devices_of_one_user && !entry.devices.contains(id)) {
      entry.devices.erase(entry.devices.begin());
    }
    return entry.devices[id];
  }

  // A place for another server's user, or null when there is none.
  Entry* remote_entry(const UserId& user) {
    const auto found = entries.find(user);
    if (found != entries.end()) return &found->second;
    std::size_t& of_server = users_of_server[user.server()];
    if (of_server >= users_of_one_server || remote_users >= users_of_other_servers) {
      if (of_server == 0) users_of_server.erase(user.server());
      return nullptr;
    }
    ++of_server;
    ++remote_users;
    return &entries[user];
  }

  void erase(const UserId& user) {
    const auto found = entries.find(user);
    if (found == entries.end()) return;
    set_deadline(user, found->second, never);
    by_change.erase({found->second.changed, user});
    news.erase(user);
    told_again.erase(user);
    entries.erase(found);
    if (user.server() == us) return;
    --remote_users;
    if (--users_of_server[user.server()] == 0) users_of_server.erase(user.server());
  }

  // A deadline has passed.
  void pass(const UserId& user, std::int64_t now_ms) {
    Entry& entry = entries.at(user);
    if (user.server() == us) return judge(user, entry, now_ms);
    // The user's server does not tell any more; a while after that its users are forgotten.
    if (entry.status.state == PresenceState::offline) return erase(user);
    show(user, entry, PresenceState::offline, false);
    set_deadline(user, entry, now_ms + remote_for.count());
  }

  void take_news(std::int64_t now_ms, Afterwards& afterwards) {
    if (!told_again.empty()) {
      for (const UserId& user : news) told_again.erase(user);
      if (!told_again.empty()) afterwards.changes.push_back({{told_again.begin(), told_again.end()}, {}});
      told_again.clear();
    }
    if (news.empty() || now_ms < news_told_ms + together.count()) return;
    news_told_ms = now_ms;
    const storage::StreamPosition position = stream.next_ephemeral();
    for (const UserId& user : news) {
      Entry& entry = entries.at(user);
      by_change.erase({entry.changed, user});
      entry.changed = position;
      entry.told_ms = now_ms;
      by_change.emplace(position, user);
    }
    afterwards.changes.push_back({{news.begin(), news.end()}, position});
    news.clear();
  }

  void arm(std::int64_t now_ms, Afterwards& afterwards) {
    std::int64_t next_ms = by_deadline.empty() ? never : by_deadline.begin()->first;
    if (!news.empty()) {
      const std::int64_t news_ms = news_told_ms + together.count();
      next_ms = next_ms == never ? news_ms : std::min(next_ms, news_ms);
    }
    if (next_ms == never || (timer_ms != never && timer_ms <= next_ms)) return;
    afterwards.spent_timer = std::move(timer);
    timer_ms = next_ms;
    timer = scheduler.after(std::chrono::milliseconds(std::max<std::int64_t>(next_ms - now_ms, 0)),
                            [weak = weak_from_this()] {
                              if (auto impl = weak.lock()) impl->time_passed();
                            });
  }

  void time_passed() {
    change([this](std::int64_t now_ms) {
      timer_ms = never;
      while (!by_deadline.empty() && by_deadline.begin()->first <= now_ms) {
        const UserId user = by_deadline.begin()->second;
        pass(user, now_ms);
      }
    });
  }
};

Presence::Presence(storage::StreamStore& stream, net::Scheduler& scheduler, net::Clock& clock, ServerName us,
                   Config::Presence options, std::function<void(PresenceChange)> changed)
    : impl_(std::make_shared<Impl>(stream, scheduler, clock, std::move(us), options, std::move(changed))) {}

Presence::~Presence() = default;

bool Presence::enabled() const { return impl_->options.enabled; }

void Presence::set(const UserId& user, const std::string& device, PresenceState state, std::string message) {
  impl_->change([&](std::int64_t now_ms) {
    Impl::Entry& entry = impl_->entries[user];
    Impl::Device& here = impl_->device_of(entry, device, now_ms);
    here.state = state;
    here.until_ms = std::max(here.until_ms, now_ms + impl_->options.offline_after.count());
    // What is said holds for the whole user: unavailable until the next activity, offline until the next /sync.
    if (state == PresenceState::offline) {
      for (auto& [id, other] : entry.devices) other.state = PresenceState::offline;
    }
    entry.says_idle = state == PresenceState::unavailable;
    entry.status.last_active_ms = now_ms;
    if (entry.status.message != message) {
      entry.status.message = std::move(message);
      impl_->news.insert(user);
    }
    impl_->judge(user, entry, now_ms);
  });
}

void Presence::syncs(const UserId& user, const std::string& device, PresenceState as, std::int64_t end_ms) {
  if (as == PresenceState::offline) return;
  impl_->change([&](std::int64_t now_ms) {
    Impl::Entry& entry = impl_->entries[user];
    Impl::Device& here = impl_->device_of(entry, device, now_ms);
    here.state = as;
    here.until_ms = end_ms + impl_->options.offline_after.count();
    impl_->judge(user, entry, now_ms);
  });
}

void Presence::is_active(const UserId& user) {
  impl_->change([&](std::int64_t now_ms) {
    Impl::Entry& entry = impl_->entries[user];
    entry.status.last_active_ms = now_ms;
    entry.says_idle = false;
    impl_->judge(user, entry, now_ms);
  });
}

void Presence::forget(const UserId& user) {
  impl_->change([&](std::int64_t now_ms) {
    const auto found = impl_->entries.find(user);
    if (found == impl_->entries.end()) return;
    found->second.devices.clear();
    found->second.status.message.clear();
    found->second.status.last_active_ms = 0;
    impl_->news.insert(user);
    impl_->judge(user, found->second, now_ms);
  });
}

void Presence::told(const UserId& user, PresenceStatus status) {
  impl_->change([&](std::int64_t now_ms) {
    Impl::Entry* entry = impl_->remote_entry(user);
    if (entry == nullptr) return;
    entry->status.last_active_ms = std::min(status.last_active_ms, now_ms);
    if (entry->status.message != status.message) {
      entry->status.message = std::move(status.message);
      impl_->news.insert(user);
    }
    impl_->show(user, *entry, status.state, status.currently_active && status.state == PresenceState::online);
    impl_->set_deadline(user, *entry, now_ms + remote_for.count());
  });
}

PresenceStatus Presence::of(const UserId& user) const {
  std::scoped_lock lock(impl_->mutex);
  const auto found = impl_->entries.find(user);
  return found == impl_->entries.end() ? PresenceStatus() : found->second.status;
}

std::vector<UserId> Presence::changed(storage::StreamPosition since, storage::StreamPosition to) const {
  std::scoped_lock lock(impl_->mutex);
  std::vector<UserId> users;
  for (auto change = impl_->by_change.rbegin(); change != impl_->by_change.rend() && change->first > since; ++change) {
    if (change->first <= to) users.push_back(change->second);
  }
  return users;
}

std::vector<UserId> Presence::present() const {
  std::scoped_lock lock(impl_->mutex);
  std::vector<UserId> users;
  for (const auto& [user, entry] : impl_->entries) {
    if (entry.status.state != PresenceState::offline || !entry.status.message.empty()) users.push_back(user);
  }
  return users;
}

std::vector<std::pair<UserId, PresenceStatus>> Presence::known(const std::vector<UserId>& users) const {
  std::scoped_lock lock(impl_->mutex);
  std::vector<std::pair<UserId, PresenceStatus>> list;
  for (const UserId& user : users) {
    if (const auto found = impl_->entries.find(user); found != impl_->entries.end())
      list.emplace_back(user, found->second.status);
  }
  return list;
}

}  // namespace skerry::homeserver
