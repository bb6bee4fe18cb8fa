#include "tests/homeserver/rooms_world.h"

#include <algorithm>
#include <chrono>
#include <deque>

namespace skerry::test {

using homeserver::RemoteRooms;

namespace {

std::vector<Json> pdus_of(const std::vector<EventPtr>& events) {
  std::vector<Json> pdus;
  for (const auto& event : events) pdus.push_back(event->pdu());
  return pdus;
}

Error unreachable() { return Error{ErrorCode::unreachable, "cut off"}; }

}  // namespace

std::string CountingRandom::bytes(std::size_t count) {
  unsigned seed = next_++;
  std::string bytes;
  for (std::size_t i = 0; i < count; ++i)
    bytes.push_back(static_cast<char>((seed = seed * 1'103'515'245U + 12'345U) >> 16));
  return bytes;
}

// The database with its rooms watched.
class TestServer::Store : public storage::Database {
 public:
  Store(storage::Database& database, WatchedRooms& rooms) : database_(database), rooms_(rooms) {}
  storage::RoomStore& rooms() override { return rooms_; }
  storage::AccountStore& accounts() override { return database_.accounts(); }
  storage::StreamStore& stream() override { return database_.stream(); }
  storage::FederationStore& federation() override { return database_.federation(); }
  storage::RelationStore& relations() override { return database_.relations(); }
  storage::EventIndex& index() override { return database_.index(); }
  storage::MediaStore& media() override { return database_.media(); }
  storage::PeopleStore& people() override { return database_.people(); }
  storage::AppserviceStore& appservices() override { return database_.appservices(); }

 private:
  storage::Database& database_;
  WatchedRooms& rooms_;
};

// What other servers answer, without HTTP: straight from their stores and pipelines.
class TestServer::Network : public RemoteRooms {
 public:
  Network(World& world, ServerName us) : world_(world), us_(std::move(us)) {}

  std::optional<KnownKey> known_key(const ServerName& server, const KeyId&) override {
    const std::lock_guard lock(mutex_);
    if (world_.keys_lost.contains(server)) return std::nullopt;
    if (world_.keys_to_fetch.contains(server) && !fetched_.contains(server)) return std::nullopt;
    return KnownKey{key_of(server).public_key(), INT64_MAX};
  }
  void fetch_keys(std::vector<std::pair<ServerName, KeyId>> keys, std::vector<ServerName>,
                  std::function<void()> done) override {
    world_.count("keys");
    {
      const std::lock_guard lock(mutex_);
      for (const auto& [server, key] : keys) fetched_.insert(server);
    }
    done();
  }

  Result<std::vector<Json>> get_missing_events(const ServerName& server, const RoomId&,
                                               const std::vector<EventId>& earliest, const std::vector<EventId>& latest,
                                               std::size_t limit, std::int64_t) override {
    world_.count("get_missing_events");
    if (!world_.reachable(us_, server)) return tl::make_unexpected(unreachable());
    auto found = walk(server, latest, earliest, limit, false);
    std::erase_if(found, [&](const auto& event) { return world_.events_lost.contains(event->id()); });
    return pdus_of(found);
  }
  Result<StateIds> state_ids(const ServerName& server, const RoomId&, const EventId& event) override {
    world_.count("state_ids");
    if (!world_.reachable(us_, server)) return tl::make_unexpected(unreachable());
    auto& rooms = world_.at(server).rooms();
    const auto stored = rooms.event(event);
    if (!stored->has_value() || (*stored)->outlier) return fail(ErrorCode::not_found, "unknown event");
    StateIds ids;
    const StatePtr state = *rooms.state((*stored)->state_before);
    for (const auto& [key, id] : *state) ids.state.push_back(id);
    ids.auth_chain = *rooms.auth_chain(ids.state);
    return ids;
  }
  Result<State> state(const ServerName& server, const RoomId& room, const EventId& event) override {
    const auto ids = state_ids(server, room, event);
    world_.count("state");
    if (!ids) return tl::make_unexpected(ids.error());
    return State{stored_pdus(server, ids->state), stored_pdus(server, ids->auth_chain)};
  }
  Result<Json> event(const ServerName& server, const EventId& event) override {
    world_.count("event");
    if (!world_.reachable(us_, server) || world_.events_lost.contains(event)) return tl::make_unexpected(unreachable());
    const auto stored = world_.at(server).rooms().event(event);
    if (!stored->has_value()) return fail(ErrorCode::not_found, "unknown event");
    return (*stored)->event->pdu();
  }
  Result<std::vector<Json>> event_auth(const ServerName& server, const RoomId&, const EventId& event) override {
    world_.count("event_auth");
    if (!world_.reachable(us_, server)) return tl::make_unexpected(unreachable());
    return stored_pdus(server, *world_.at(server).rooms().auth_chain({event}));
  }
  Result<std::vector<Json>> backfill(const ServerName& server, const RoomId&, const std::vector<EventId>& from,
                                     std::size_t limit) override {
    world_.count("backfill");
    if (!world_.reachable(us_, server)) return tl::make_unexpected(unreachable());
    return pdus_of(walk(server, from, {}, limit, true));
  }

  Result<Template> make_membership(const ServerName& server, const RoomId& room, const UserId& user,
                                   const std::string& membership, const std::vector<std::string>&) override {
    world_.count("make_" + membership);
    if (!world_.reachable(us_, server)) return tl::make_unexpected(unreachable());
    EventDraft draft;
    draft.room = room;
    draft.sender = user;
    draft.type = "m.room.member";
    draft.state_key = user.str();
    draft.content_json = R"({"membership":")" + membership + R"("})";
    Answer<homeserver::EventTemplate> answer;
    world_.at(server).pipeline().make_template(draft, [give = answer.giver()](auto made) { give(std::move(made)); });
    auto made = answer.wait();
    if (!made) return tl::make_unexpected(made.error());
    return Template{made->room_version, made->pdu};
  }
  Result<Joined> send_join(const ServerName& server, const RoomId&, const EventId&, const Json& pdu) override {
    world_.count("send_join");
    auto room = send_membership(server, pdu);
    if (!room) return tl::make_unexpected(room.error());
    return Joined{pdus_of(room->state), pdus_of(room->auth_chain), std::make_shared<const Json>(room->event->pdu()),
                  room->servers_in_room};
  }
  Result<void> send_leave(const ServerName& server, const RoomId&, const EventId&, const Json& pdu) override {
    world_.count("send_leave");
    auto room = send_membership(server, pdu);
    if (!room) return tl::make_unexpected(room.error());
    return {};
  }
  Result<std::vector<Json>> send_knock(const ServerName& server, const RoomId& id, const EventId&,
                                       const Json& pdu) override {
    world_.count("send_knock");
    auto room = send_membership(server, pdu);
    if (!room) return tl::make_unexpected(room.error());
    const Json state = *world_.at(server).reader().stripped_state(id, true);
    std::vector<Json> told(state.begin(), state.end());
    if (world_.twist_knock_state) world_.twist_knock_state(told);
    return told;
  }
  Result<Json> invite(const ServerName& server, const RoomId& room, const EventId&, const std::string& version,
                      const Json& pdu, const Json& state) override {
    world_.count("invite");
    if (!world_.reachable(us_, server)) return tl::make_unexpected(unreachable());
    Json signed_pdu = pdu;
    auto& there = world_.at(server);
    if (auto is_signed = there.pipeline().countersign(*find_room_rules(version), signed_pdu); !is_signed) {
      return tl::make_unexpected(is_signed.error());
    }
    storage::StrippedInvite invite{
        room, test::user(pdu.at("state_key").get<std::string>()), version, "invite", dump(pdu), dump(state), 0, us_};
    static_cast<void>(there.rooms().save_stripped_invite(std::move(invite)));
    return signed_pdu;
  }
  Result<Directory> directory(const RoomAlias& alias) override {
    auto& there = world_.at(alias.server());
    const auto room = there.rooms().resolve_alias(alias);
    if (!room->has_value()) return fail(ErrorCode::not_found, "no such alias");
    return Directory{**room, *there.rooms().joined_servers(**room)};
  }

 private:
  std::vector<Json> stored_pdus(const ServerName& server, const std::vector<EventId>& ids) {
    std::vector<Json> pdus;
    const auto events = world_.at(server).rooms().events(ids);
    for (const auto& stored : *events) pdus.push_back(stored.event->pdu());
    return pdus;
  }
  // A breadth-first walk towards the past.
  std::vector<EventPtr> walk(const ServerName& server, const std::vector<EventId>& from,
                             const std::vector<EventId>& without, std::size_t limit, bool with_start) {
    auto& rooms = world_.at(server).rooms();
    std::deque<EventId> open(from.begin(), from.end());
    std::set<EventId> seen(without.begin(), without.end());
    std::vector<EventPtr> found;
    while (!open.empty() && found.size() < limit) {
      const EventId id = open.front();
      open.pop_front();
      const bool is_start = std::find(from.begin(), from.end(), id) != from.end();
      const auto stored = rooms.event(id);
      if (!seen.insert(id).second || !stored->has_value() || (*stored)->outlier) continue;
      if (!is_start || with_start) found.push_back((*stored)->event);
      for (const auto& prev : (*stored)->event->prev_events()) open.push_back(prev);
    }
    return found;
  }
  Result<homeserver::RoomAtEvent> send_membership(const ServerName& server, const Json& pdu) {
    if (!world_.reachable(us_, server)) return tl::make_unexpected(unreachable());
    Answer<homeserver::RoomAtEvent> answer;
    world_.at(server).pipeline().submit_signed_membership(
        us_, pdu, [give = answer.giver()](auto room) { give(std::move(room)); });
    return answer.wait();
  }

  World& world_;
  ServerName us_;
  std::mutex mutex_;
  std::set<ServerName> fetched_;
};

TestServer::TestServer(World& world, ServerName name) : world_(world), name_(std::move(name)) {
  network_ = std::make_unique<Network>(world_, name_);
  start();
}

TestServer::~TestServer() { stop(); }

storage::Database& TestServer::database() { return *store_; }

void TestServer::start() {
  auto opened = storage::open_sqlite(folder_.path(), name_);
  if (!opened) throw std::runtime_error(opened.error().text);
  database_ = std::move(*opened);
  rooms_ = std::make_unique<WatchedRooms>(database_->rooms(), distributed_);
  store_ = std::make_unique<Store>(*database_, *rooms_);
  turns_ = std::make_unique<net::WorkerPool>("turns", 2, 10'000);
  outbound_ = std::make_unique<net::WorkerPool>("outbound", 4, 1'000);
  context_ = std::make_unique<homeserver::PipelineContext>(
      homeserver::PipelineContext{name_, key_of(name_), *store_, *network_, clock_, random_, *turns_, *outbound_,
                                  [this](storage::StreamPosition, const std::vector<UserId>& users, const RoomId&) {
                                    const std::lock_guard lock(mutex_);
                                    notified_.insert(notified_.end(), users.begin(), users.end());
                                  },
                                  [](const std::vector<ServerName>&) {},
                                  [this](const EventPtr& event) { return policy ? policy(event) : std::nullopt; }});
  pipeline_ = std::make_unique<homeserver::RoomPipeline>(*context_);
  reader_ = std::make_unique<homeserver::RoomReader>(*store_, name_);
  membership_ = std::make_unique<homeserver::MembershipService>(*context_, *pipeline_, *reader_);
}

void TestServer::stop() {
  rooms_->let_go();
  membership_.reset();
  pipeline_.reset();
  outbound_->stop();
  turns_->stop();
  database_.reset();
}

void TestServer::restart() {
  stop();
  start();
}

UserId TestServer::user(const std::string& localpart) const { return test::user("@" + localpart + ":" + name_.str()); }

Result<RoomId> TestServer::create(const std::string& version, const UserId& creator, const std::string& join_rule,
                                  std::vector<EventDraft> more) {
  std::vector<EventDraft> rest(3);
  for (auto& draft : rest) draft.sender = creator;
  rest[0].type = "m.room.member";
  rest[0].state_key = creator.str();
  rest[0].content_json = R"({"membership":"join"})";
  rest[1].type = "m.room.power_levels";
  rest[1].state_key = "";
  const bool named = !find_room_rules(version)->creators_are_privileged;
  rest[1].content_json = named ? R"({"users":{")" + creator.str() + R"(":100}})" : "{}";
  rest[2].type = "m.room.join_rules";
  rest[2].state_key = "";
  rest[2].content_json = R"({"join_rule":")" + join_rule + R"("})";
  for (auto& draft : more) rest.push_back(std::move(draft));
  Answer<RoomId> answer;
  pipeline_->create_room(version, creator, "{}", std::move(rest),
                         [give = answer.giver()](auto room) { give(std::move(room)); });
  return answer.wait();
}

Result<EventId> TestServer::send(const EventDraft& draft) {
  Answer<EventId> answer;
  pipeline_->submit_local(draft, [give = answer.giver()](auto event) { give(std::move(event)); });
  return answer.wait();
}

Result<EventId> TestServer::say(const RoomId& room, const UserId& sender, const std::string& body) {
  EventDraft draft;
  draft.room = room;
  draft.sender = sender;
  draft.type = "m.room.message";
  draft.content_json = dump(Json{{"msgtype", "m.text"}, {"body", body}});
  return send(draft);
}

Result<EventId> TestServer::set(const RoomId& room, const UserId& sender, const std::string& type,
                                const std::string& content, const std::string& state_key) {
  EventDraft draft;
  draft.room = room;
  draft.sender = sender;
  draft.type = type;
  draft.state_key = state_key;
  draft.content_json = content;
  return send(draft);
}

Result<EventId> TestServer::member(const RoomId& room, const UserId& sender, const UserId& target,
                                   const std::string& membership) {
  return set(room, sender, "m.room.member", R"({"membership":")" + membership + R"("})", target.str());
}

homeserver::RemoteOutcome TestServer::receive(const ServerName& origin, Json pdu) {
  Answer<homeserver::RemoteOutcome> answer;
  pipeline_->submit_remote(origin, std::move(pdu), [give = answer.giver()](auto outcome) { give(std::move(outcome)); });
  return *answer.wait();
}

homeserver::RemoteOutcome TestServer::receive_again(const ServerName& origin, const Json& pdu) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  auto outcome = receive(origin, pdu);
  while (outcome.judgement.verdict == Verdict::dropped && std::chrono::steady_clock::now() < deadline) {
    outcome = receive(origin, pdu);
  }
  return outcome;
}

std::vector<std::string> TestServer::bodies(const RoomId& room) {
  std::vector<std::string> bodies;
  const auto page = rooms_->live_events(room, 0, INT64_MAX, 10'000, true);
  for (const auto& stored : page->events) {
    if (stored.event->type() != "m.room.message") continue;
    const std::string* body = find_string(stored.event->content(), "body");
    bodies.push_back(body == nullptr ? "(redacted)" : *body);
  }
  return bodies;
}

std::vector<EventId> TestServer::heads(const RoomId& room) {
  const auto head = rooms_->head(room);
  auto heads = head->has_value() ? (*head)->heads : std::vector<EventId>();
  std::sort(heads.begin(), heads.end());
  return heads;
}

StateMap TestServer::state(const RoomId& room) {
  const auto head = rooms_->head(room);
  return head->has_value() ? **rooms_->state((*head)->current_state) : StateMap();
}

std::optional<storage::StoredEvent> TestServer::event(const EventId& id) { return *rooms_->event(id); }

std::string TestServer::membership_of(const RoomId& room, const UserId& user) {
  return *reader_->membership(room, user);
}

std::vector<UserId> TestServer::notified() const {
  const std::lock_guard lock(mutex_);
  return notified_;
}

std::ptrdiff_t TestServer::invites_of(const UserId& user) {
  const auto invites = rooms_->stripped_invites(user);
  return std::count_if(invites->begin(), invites->end(),
                       [](const auto& invite) { return invite.membership == "invite"; });
}

TestServer& World::add(const std::string& name) {
  const ServerName parsed = server(name);
  return *servers_.emplace(parsed, std::make_unique<TestServer>(*this, parsed)).first->second;
}

void World::deliver() {
  for (bool again = true; again;) {
    again = false;
    for (auto& [from_name, from] : servers_) {
      for (auto& [to_name, to] : servers_) {
        if (from_name == to_name || !reachable(from_name, to_name)) continue;
        again = again || cursors_[{from_name, to_name}] < from->rooms().distributed().size();
        deliver(*from, *to);
      }
    }
  }
}

void World::deliver(TestServer& from, TestServer& to, const std::set<EventId>& lost) {
  auto& cursor = cursors_[{from.name(), to.name()}];
  const auto owed = from.rooms().distributed();
  for (; cursor < owed.size(); ++cursor) {
    const auto& [event, servers] = owed[cursor];
    if (servers.contains(to.name()) && !lost.contains(event->id())) to.receive(from.name(), event->pdu());
  }
}

void World::cut(const ServerName& a, const ServerName& b) {
  const std::lock_guard lock(mutex_);
  cuts_.insert({a, b});
  cuts_.insert({b, a});
}

void World::mend() {
  const std::lock_guard lock(mutex_);
  cuts_.clear();
}

bool World::reachable(const ServerName& a, const ServerName& b) {
  const std::lock_guard lock(mutex_);
  return servers_.contains(b) && !cuts_.contains({a, b});
}

void World::count(const std::string& question) {
  const std::lock_guard lock(mutex_);
  ++requests[question];
}

int World::asked(const std::string& question) {
  const std::lock_guard lock(mutex_);
  return requests[question];
}

}  // namespace skerry::test
