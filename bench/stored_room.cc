#include "bench/stored_room.h"

#include <filesystem>
#include <future>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "core/authorization.h"

namespace skerry::bench {

namespace {

constexpr std::size_t events_per_commit = 1'000;

}  // namespace

Result<std::unique_ptr<TemporaryStore>> TemporaryStore::make(const ServerName& us) {
  std::error_code error;
  std::string folder = (std::filesystem::temp_directory_path(error) / "skerry-bench-XXXXXX").string();
  if (::mkdtemp(folder.data()) == nullptr) return fail(ErrorCode::storage, "no folder can be made in " + folder);
  std::unique_ptr<TemporaryStore> store(new TemporaryStore(folder, us));
  if (auto opened = store->reopen(); !opened) return tl::make_unexpected(opened.error());
  return store;
}

TemporaryStore::~TemporaryStore() {
  database_.reset();
  std::error_code error;
  std::filesystem::remove_all(folder_, error);
}

Result<void> TemporaryStore::reopen() {
  database_.reset();
  auto opened = storage::open_sqlite(folder_, us_);
  if (!opened) return tl::make_unexpected(opened.error());
  database_ = std::move(*opened);
  return {};
}

StoredRoom::StoredRoom(storage::RoomStore& store, const ServerName& us, const SigningKey& key, std::size_t users)
    : store_(store), us_(us), key_(key), rules_(*find_room_rules(default_room_version)) {
  now_ms_ += static_cast<std::int64_t>(users);  // rooms of another size are others, by their ids
  for (std::size_t i = 0; i < users; ++i) {
    users_.push_back(UserId::parse("@user" + std::to_string(i) + ":" + us.str()).value());
  }
  add(whole_, users_[0], "m.room.create", "", {{"room_version", rules_.version}});
  member(whole_, users_[0], users_[0], "join");
  add(whole_, users_[0], "m.room.power_levels", "", {{"users", {{users_.at(1).str(), 50}}}});
  add(whole_, users_[0], "m.room.join_rules", "", {{"join_rule", "public"}});
  for (std::size_t i = 1; i < users; ++i) member(whole_, users_[i], users_[i], "join");
}

EventPtr StoredRoom::make(Tip& tip, const UserId& sender, const std::string& type,
                          const std::optional<std::string>& state_key, const Json& content) {
  Json pdu = {{"sender", sender.str()},       {"type", type},
              {"content", content},           {"depth", ++tip.depth},
              {"prev_events", Json::array()}, {"auth_events", Json::array()},
              {"origin_server_ts", ++now_ms_}};
  if (create_) pdu["room_id"] = id_.str();
  if (state_key) pdu["state_key"] = *state_key;
  for (const EventId& head : tip.heads) pdu["prev_events"].push_back(head.str());
  for (const StateKey& key : auth_event_keys(rules_, type, sender, state_key, content)) {
    if (const auto entry = tip.state.find(key); entry != tip.state.end()) {
      pdu["auth_events"].push_back(entry->second.str());
    }
  }
  if (auto is_signed = hash_and_sign_event(rules_, pdu, us_, key_); !is_signed) trouble_ = is_signed.error();
  auto made = Event::make(rules_, std::move(pdu));
  if (!made) trouble_ = made.error();
  return made ? *made : create_;
}

EventId StoredRoom::add(Tip& tip, const UserId& sender, const std::string& type,
                        const std::optional<std::string>& state_key, const Json& content) {
  const EventPtr event = make(tip, sender, type, state_key, content);
  if (!create_) {
    create_ = event;
    id_ = event->room_id();
  }
  storage::EventCommit commit;
  commit.event = event;
  commit.room_version = rules_.version;
  commit.state_before = tip.state_id;
  if (state_key) {
    const StateKey changed{type, *state_key};
    tip.state[changed] = event->id();
    auto made = store_.make_state(id_, tip.state_id, {{changed, event->id()}});
    if (!made) trouble_ = made.error();
    tip.state_id = made.value_or(tip.state_id);
    if (&tip == &whole_) commit.current_state_delta = {{changed, event->id()}};
  }
  commit.state_after = tip.state_id;
  tip.heads = {event->id()};
  queue(std::move(commit));
  return event->id();
}

EventPtr StoredRoom::draft(Tip& tip, const UserId& sender, const std::string& type,
                           const std::optional<std::string>& state_key, const Json& content) {
  EventPtr event = make(tip, sender, type, state_key, content);
  if (state_key) tip.state[StateKey{type, *state_key}] = event->id();
  tip.heads = {event->id()};
  return event;
}

EventId StoredRoom::member(Tip& tip, const UserId& sender, const UserId& target, const std::string& membership,
                           const std::string& name) {
  Json content = {{"membership", membership}};
  if (!name.empty()) content["displayname"] = name;
  return add(tip, sender, "m.room.member", target.str(), content);
}

void StoredRoom::queue(storage::EventCommit commit) {
  queued_.push_back(std::move(commit));
  if (queued_.size() < events_per_commit) return;
  if (auto done = flush(); !done) trouble_ = done.error();
}

Result<void> StoredRoom::flush() {
  std::promise<Result<storage::StreamPosition>> answer;
  store_.commit_all(std::exchange(queued_, {}),
                    [&answer](Result<storage::StreamPosition> position) { answer.set_value(std::move(position)); });
  const auto position = answer.get_future().get();
  if (!position) return tl::make_unexpected(position.error());
  if (trouble_) return tl::make_unexpected(*trouble_);
  return {};
}

Result<void> StoredRoom::finish(std::vector<Tip> heads, storage::StateId current_state) {
  if (queued_.empty()) add(heads.back(), users_[0], "m.room.message", std::nullopt, {{"body", "the last one"}});
  auto& last = queued_.back();
  last.heads.emplace();
  for (const Tip& tip : heads) last.heads->insert(last.heads->end(), tip.heads.begin(), tip.heads.end());
  last.current_state = current_state;
  return flush();
}

}  // namespace skerry::bench
