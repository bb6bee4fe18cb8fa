// Users of this server, their devices, tokens, profiles, filters and account data.
// Thread-safe. Writes return when durable. Errors: storage, and those named.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "storage/types.h"

namespace skerry::storage {

struct Device {
  std::string id;
  std::string display_name;
  std::int64_t last_seen_ms = 0;
};

struct Profile {
  std::string display_name;  // empty: none
  std::string avatar_url;    // empty: none
  // Further fields ('Profiles', custom fields): JSON object text; "{}" when none.
  std::string fields_json = "{}";
};

// What a device proves itself with. Tokens are stored as hashes, which the caller makes (SHA-256).
struct Tokens {
  std::string access_hash;
  std::optional<std::int64_t> expires_ms = std::nullopt;   // of the access token; absent: it does not expire
  std::optional<std::string> refresh_hash = std::nullopt;  // absent: there is no refresh token
};

// How an account stands with this server. Client-server API, 'Account moderation'.
struct Standing {
  bool admin = false;
  bool locked = false;
  bool suspended = false;
};

struct TokenOwner {
  UserId user;
  std::string device;
  Standing standing = {};
  std::optional<std::int64_t> expires_ms = std::nullopt;
  bool offered = false;  // see offer_tokens()
};

struct AccountDataEntry {
  std::optional<RoomId> room;  // absent: global
  std::string type;
  std::string content_json;
  StreamPosition position = 0;
};

// What somebody told this server's operator about.
struct Report {
  UserId reporter;
  std::string room;  // ids; empty where the report is not about one
  std::string event;
  std::string user;
  std::string reason;
  std::int64_t score = 0;
  std::int64_t ts_ms = 0;
};

// A token that stands for a user towards somebody else, or for one login.
enum class PassKind { openid, login };

class AccountStore {
 public:
  virtual ~AccountStore() = default;

  // Errors: user_in_use.
  virtual Result<void> create_user(const UserId& user, const std::string& password_hash, std::int64_t now_ms,
                                   bool admin) = 0;
  // Absent: there is no such user, or the account was ended.
  virtual Result<std::optional<Standing>> standing(const UserId& user) = 0;
  virtual Result<void> set_locked(const UserId& user, bool locked) = 0;
  virtual Result<void> set_suspended(const UserId& user, bool suspended) = 0;
  virtual Result<bool> user_exists(const UserId& user) = 0;
  virtual Result<std::optional<std::string>> password_hash(const UserId& user) = 0;
  virtual Result<void> set_password_hash(const UserId& user, const std::string& password_hash) = 0;

  // Creates the device or gives an existing one new tokens; its old tokens end, its name stays.
  virtual Result<void> put_device(const UserId& user, const Device& device, const Tokens& tokens) = 0;
  // Creates a device without a token, which an application service acts with; one that is there stays as it is.
  virtual Result<void> add_device(const UserId& user, const Device& device) = 0;
  virtual Result<std::optional<TokenOwner>> token_owner(const std::string& access_hash) = 0;
  // Gives the device of this refresh token further tokens. They end none before they are accepted, so that whoever did
  // not get the answer can ask again; of a device, the newest limits::offered_tokens are kept. If the refresh token was
  // itself offered, it is accepted first. Nothing is changed where it is absent, there being no such refresh token, and
  // where the user is locked.
  virtual Result<std::optional<TokenOwner>> offer_tokens(const std::string& refresh_hash, const Tokens& tokens) = 0;
  // The device uses what it was offered: all its other tokens end. False: they have ended themselves.
  virtual Result<bool> accept_tokens(const std::string& access_hash) = 0;
  virtual Result<std::vector<Device>> devices(const UserId& user) = 0;
  virtual Result<void> set_device_name(const UserId& user, const std::string& device,
                                       const std::string& name) = 0;                      // not_found
  virtual Result<void> remove_device(const UserId& user, const std::string& device) = 0;  // with its tokens
  virtual Result<void> remove_all_devices(const UserId& user) = 0;

  virtual Result<Profile> profile(const UserId& user) = 0;  // not_found
  virtual Result<void> set_profile(const UserId& user, const Profile& profile) = 0;

  virtual Result<std::string> add_filter(const UserId& user, const std::string& filter_json) = 0;
  virtual Result<std::optional<std::string>> filter(const UserId& user, const std::string& filter_id) = 0;

  virtual Result<StreamPosition> set_account_data(const UserId& user, const AccountDataEntry& entry) = 0;
  virtual Result<std::optional<AccountDataEntry>> account_data(const UserId& user, const std::optional<RoomId>& room,
                                                               const std::string& type) = 0;
  // Entries with from < position <= to, of all rooms and global.
  virtual Result<std::vector<AccountDataEntry>> account_data_since(const UserId& user, StreamPosition from,
                                                                   StreamPosition to) = 0;

  // Ends an account for ever: no password, session, device, filter or account data is left, nor a profile; its
  // name stays taken.
  virtual Result<void> deactivate(const UserId& user) = 0;
  virtual Result<bool> is_deactivated(const UserId& user) = 0;

  // By hash, as access tokens. Expired ones go.
  virtual Result<void> put_pass(PassKind kind, const UserId& user, const std::string& token_hash,
                                std::int64_t expires_ms, std::int64_t now_ms) = 0;
  virtual Result<std::optional<UserId>> pass_owner(PassKind kind, const std::string& token_hash,
                                                   std::int64_t now_ms) = 0;
  // The same, and it is spent.
  virtual Result<std::optional<UserId>> take_pass(PassKind kind, const std::string& token_hash,
                                                  std::int64_t now_ms) = 0;

  // Keeps the newest `most` reports.
  virtual Result<void> add_report(const Report& report, std::size_t most) = 0;
};

}  // namespace skerry::storage
