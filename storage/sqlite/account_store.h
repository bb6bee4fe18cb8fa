// AccountStore on SQLite; what ends accounts, passes and reports are in account_services.cc.
#pragma once

#include "storage/account_store.h"
#include "storage/sqlite/connection.h"
#include "storage/sqlite/writer.h"

namespace skerry::storage {

class SqliteAccountStore final : public AccountStore {
 public:
  SqliteAccountStore(Writer& writer, Readers& readers) : writer_(writer), readers_(readers) {}

  Result<void> create_user(const UserId& user, const std::string& password_hash, std::int64_t now_ms,
                           bool admin) override;
  Result<std::optional<Standing>> standing(const UserId& user) override;
  Result<void> set_locked(const UserId& user, bool locked) override;
  Result<void> set_suspended(const UserId& user, bool suspended) override;
  Result<bool> user_exists(const UserId& user) override;
  Result<std::optional<std::string>> password_hash(const UserId& user) override;
  Result<void> set_password_hash(const UserId& user, const std::string& password_hash) override;
  Result<void> put_device(const UserId& user, const Device& device, const Tokens& tokens) override;
  Result<void> add_device(const UserId& user, const Device& device) override;
  Result<std::optional<TokenOwner>> token_owner(const std::string& access_hash) override;
  Result<std::optional<TokenOwner>> offer_tokens(const std::string& refresh_hash, const Tokens& tokens) override;
  Result<bool> accept_tokens(const std::string& access_hash) override;
  Result<std::vector<Device>> devices(const UserId& user) override;
  Result<void> set_device_name(const UserId& user, const std::string& device, const std::string& name) override;
  Result<void> remove_device(const UserId& user, const std::string& device) override;
  Result<void> remove_all_devices(const UserId& user) override;
  Result<Profile> profile(const UserId& user) override;
  Result<void> set_profile(const UserId& user, const Profile& profile) override;
  Result<std::string> add_filter(const UserId& user, const std::string& filter_json) override;
  Result<std::optional<std::string>> filter(const UserId& user, const std::string& filter_id) override;
  Result<StreamPosition> set_account_data(const UserId& user, const AccountDataEntry& entry) override;
  Result<std::optional<AccountDataEntry>> account_data(const UserId& user, const std::optional<RoomId>& room,
                                                       const std::string& type) override;
  Result<std::vector<AccountDataEntry>> account_data_since(const UserId& user, StreamPosition from,
                                                           StreamPosition to) override;
  Result<void> deactivate(const UserId& user) override;
  Result<bool> is_deactivated(const UserId& user) override;
  Result<void> put_pass(PassKind kind, const UserId& user, const std::string& token_hash, std::int64_t expires_ms,
                        std::int64_t now_ms) override;
  Result<std::optional<UserId>> pass_owner(PassKind kind, const std::string& token_hash, std::int64_t now_ms) override;
  Result<std::optional<UserId>> take_pass(PassKind kind, const std::string& token_hash, std::int64_t now_ms) override;
  Result<void> add_report(const Report& report, std::size_t most) override;

 private:
  // A write that answers nothing but success. `use(connection)` may return an error.
  Writer& writer_;
  Readers& readers_;
};

}  // namespace skerry::storage
