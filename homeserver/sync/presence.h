// Who is there: in memory, with a position per change of a user. Client-server API, 'Presence'.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/ids.h"
#include "core/json.h"
#include "homeserver/config.h"
#include "net/runtime.h"
#include "storage/stream_store.h"

namespace skerry::homeserver {

enum class PresenceState { offline, unavailable, online };

// Errors: invalid_param.
Result<PresenceState> parse_presence(const std::string& text);

struct PresenceStatus {
  PresenceState state = PresenceState::offline;
  std::string message;
  std::int64_t last_active_ms = 0;  // 0: not known
  bool currently_active = false;

  // The content of an m.presence event, and of what servers tell each other.
  Json content(std::int64_t now_ms) const;
};

// Users of whom something new can be seen.
struct PresenceChange {
  std::vector<UserId> users;
  std::optional<storage::StreamPosition> position;  // nothing: other servers only are to be told again
};

// Thread-safe. Of this server's users one entry each that was seen; of other servers' users as many as limits allow.
class Presence {
 public:
  static constexpr std::size_t message_bytes = 1'024;
  static constexpr std::chrono::milliseconds active_for{60'000};  // after activity: currently_active
  static constexpr std::chrono::milliseconds remote_for{
      1'800'000};  // what another server told, if it does not tell again
  static constexpr std::chrono::milliseconds again_after{
      1'200'000};  // other servers are told again, before they forget
  static constexpr std::chrono::milliseconds together{
      200};  // news are told at most so often, what comes between together

  // `changed` is called after changes, timeouts included, on threads of the scheduler or of callers.
  Presence(storage::StreamStore& stream, net::Scheduler& scheduler, net::Clock& clock, ServerName us,
           Config::Presence options, std::function<void(PresenceChange)> changed);
  ~Presence();

  bool enabled() const;

  // -- this server's users
  // What the user says; `message` nothing: none.
  void set(const UserId& user, const std::string& device, PresenceState state, std::string message);
  // A /sync that ends at `end_ms` at the latest: the device is there until a while after that, unless it comes again.
  // With `offline` it changes nothing.
  void syncs(const UserId& user, const std::string& device, PresenceState as, std::int64_t end_ms);
  // Something that a person did: makes an idle user online again.
  void is_active(const UserId& user);
  void forget(const UserId& user);

  // -- other servers' users
  void told(const UserId& user, PresenceStatus status);

  // -- reading
  PresenceStatus of(const UserId& user) const;
  // Users whose presence changed with since < position <= to.
  std::vector<UserId> changed(storage::StreamPosition since, storage::StreamPosition to) const;
  // Users who are not offline, or have something to say.
  std::vector<UserId> present() const;
  // Of these users those who are known.
  std::vector<std::pair<UserId, PresenceStatus>> known(const std::vector<UserId>& users) const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace skerry::homeserver
