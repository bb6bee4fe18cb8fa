#include "bench/lonely_rooms.h"

#include <future>
#include <limits>

#include <nlohmann/json.hpp>

#include "net/runtime.h"

namespace skerry::bench {

namespace {

// There is nobody else to ask, and no key but ours.
class Nobody final : public homeserver::RemoteRooms {
 public:
  Nobody(ServerName us, const SigningKey& key) : us_(std::move(us)), key_(key) {}
  std::optional<KnownKey> known_key(const ServerName& server, const KeyId& key) override {
    if (server != us_ || key != key_.id()) return std::nullopt;
    return KnownKey{key_.public_key(), std::numeric_limits<std::int64_t>::max()};
  }
  void fetch_keys(std::vector<std::pair<ServerName, KeyId>>, std::vector<ServerName>,
                  std::function<void()> done) override {
    done();
  }
  Result<std::vector<Json>> get_missing_events(const ServerName&, const RoomId&, const std::vector<EventId>&,
                                               const std::vector<EventId>&, std::size_t, std::int64_t) override {
    return nobody();
  }
  Result<StateIds> state_ids(const ServerName&, const RoomId&, const EventId&) override { return nobody(); }
  Result<State> state(const ServerName&, const RoomId&, const EventId&) override { return nobody(); }
  Result<Json> event(const ServerName&, const EventId&) override { return nobody(); }
  Result<std::vector<Json>> event_auth(const ServerName&, const RoomId&, const EventId&) override { return nobody(); }
  Result<std::vector<Json>> backfill(const ServerName&, const RoomId&, const std::vector<EventId>&,
                                     std::size_t) override {
    return nobody();
  }
  Result<Template> make_membership(const ServerName&, const RoomId&, const UserId&, const std::string&,
                                   const std::vector<std::string>&) override {
    return nobody();
  }
  Result<Joined> send_join(const ServerName&, const RoomId&, const EventId&, const Json&) override { return nobody(); }
  Result<void> send_leave(const ServerName&, const RoomId&, const EventId&, const Json&) override { return nobody(); }
  Result<std::vector<Json>> send_knock(const ServerName&, const RoomId&, const EventId&, const Json&) override {
    return nobody();
  }
  Result<Json> invite(const ServerName&, const RoomId&, const EventId&, const std::string&, const Json&,
                      const Json&) override {
    return nobody();
  }
  Result<Directory> directory(const RoomAlias&) override { return nobody(); }

 private:
  static tl::unexpected<Error> nobody() { return fail(ErrorCode::unreachable, "there is no other server"); }

  const ServerName us_;
  const SigningKey& key_;
};

}  // namespace

LonelyRooms::LonelyRooms(storage::Database& database, const ServerName& us, const SigningKey& key)
    : nobody_(std::make_unique<Nobody>(us, key)), turns_("turns", 2, 1'000), outbound_("outbound", 1, 100) {
  pipeline_ = std::make_unique<homeserver::RoomPipeline>(homeserver::PipelineContext{
      us,
      key,
      database,
      *nobody_,
      net::system_clock(),
      net::system_random(),
      turns_,
      outbound_,
      [](storage::StreamPosition, const std::vector<UserId>&, const RoomId&) {},
      [](const std::vector<ServerName>&) {},
  });
}

LonelyRooms::~LonelyRooms() = default;

Result<EventId> LonelyRooms::say(const RoomId& room, const UserId& sender) {
  homeserver::EventDraft draft;
  draft.room = room;
  draft.sender = sender;
  draft.type = "m.room.message";
  draft.content_json = R"({"body":"The quick brown fox jumps over the lazy dog.","msgtype":"m.text"})";
  std::promise<Result<EventId>> answer;
  pipeline_->submit_local(std::move(draft), [&answer](Result<EventId> sent) { answer.set_value(std::move(sent)); });
  return answer.get_future().get();
}

homeserver::RemoteOutcome LonelyRooms::receive(const ServerName& origin, Json pdu) {
  std::promise<homeserver::RemoteOutcome> answer;
  pipeline_->submit_remote(origin, std::move(pdu),
                           [&answer](homeserver::RemoteOutcome outcome) { answer.set_value(std::move(outcome)); });
  return answer.get_future().get();
}

}  // namespace skerry::bench
