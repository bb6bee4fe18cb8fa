#include <algorithm>
#include <deque>
#include <set>

#include <nlohmann/json.hpp>

#include "homeserver/rooms/once.h"
#include "tests/simulator/false_answers.h"
#include "tests/simulator/network.h"
#include "tests/simulator/node.h"

namespace skerry::simulator {

namespace {

using homeserver::RemoteRooms;
using storage::StoredEvent;

class Telephone : public RemoteRooms {
 public:
  Telephone(Network& network, Node& us) : network_(network), us_(us) {}

  std::optional<KnownKey> known_key(const ServerName& server, const KeyId&) override {
    return KnownKey{signing_key(server).public_key(), INT64_MAX};
  }
  void fetch_keys(std::vector<std::pair<ServerName, KeyId>>, std::vector<ServerName>,
                  std::function<void()> done) override {
    done();
  }

  Result<std::vector<Json>> get_missing_events(const ServerName& server, const RoomId& room,
                                               const std::vector<EventId>& earliest, const std::vector<EventId>& latest,
                                               std::size_t limit, std::int64_t) override {
    auto there = resident(server, room);
    if (!there) return tl::make_unexpected(there.error());
    const std::set<EventId> stop(earliest.begin(), earliest.end());
    const std::set<EventId> start(latest.begin(), latest.end());
    std::vector<StoredEvent> found;
    walk_back(**there, latest, limit + latest.size(), [&](const StoredEvent& stored) {
      if (start.contains(stored.event->id())) return true;
      if (stop.contains(stored.event->id()) || found.size() >= limit) return false;
      found.push_back(stored);
      return true;
    });
    std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.topological < b.topological; });
    std::vector<Json> pdus;
    for (const auto& stored : found) pdus.push_back(shown(**there, stored));
    return answered(server, told_by(server, std::move(pdus)));
  }

  Result<StateIds> state_ids(const ServerName& server, const RoomId& room, const EventId& event) override {
    auto there = resident(server, room);
    if (!there) return tl::make_unexpected(there.error());
    const auto stored = (*there)->store().event(event);
    if (!stored->has_value() || (*stored)->outlier || !*(*there)->reader().server_may_see(us_.name(), **stored)) {
      return fail(ErrorCode::not_found, "unknown event");
    }
    StateIds ids;
    const StatePtr state = *(*there)->store().state((*stored)->state_before);
    for (const auto& [key, id] : *state) ids.state.push_back(id);
    ids.auth_chain = *(*there)->store().auth_chain(ids.state);
    if (network_.is_misled(server)) network_.mislead(us_.name());
    if (const auto* lie = network_.false_answers(server)) {
      if (lie->twist_state(ids.state, dice())) network_.mislead(us_.name());
      if (dice().percent(50)) lie->twist(ids.auth_chain, dice());
    }
    return answered(server, std::move(ids));
  }

  Result<State> state(const ServerName& server, const RoomId& room, const EventId& event) override {
    const auto ids = state_ids(server, room, event);
    if (!ids) return tl::make_unexpected(ids.error());
    Node& there = *network_.at(server);
    return State{pdus_of(there, ids->state), pdus_of(there, ids->auth_chain)};
  }

  Result<Json> event(const ServerName& server, const EventId& id) override {
    if (!network_.gets_through(us_.name(), server)) return tl::make_unexpected(no_answer());
    Node& there = *network_.at(server);
    const auto stored = there.store().event(id);
    if (!stored->has_value() || (*stored)->judgement.verdict == Verdict::rejected ||
        !*there.reader().server_in_room((*stored)->event->room_id(), us_.name())) {
      return fail(ErrorCode::not_found, "unknown event");
    }
    Json pdu = shown(there, **stored);
    if (const auto* lie = network_.false_answers(server)) lie->twist(pdu, dice());
    return answered(server, std::move(pdu));
  }

  Result<std::vector<Json>> event_auth(const ServerName& server, const RoomId& room, const EventId& event) override {
    auto there = resident(server, room);
    if (!there) return tl::make_unexpected(there.error());
    return answered(server, told_by(server, pdus_of(**there, *(*there)->store().auth_chain({event}))));
  }

  Result<std::vector<Json>> backfill(const ServerName& server, const RoomId& room, const std::vector<EventId>& from,
                                     std::size_t limit) override {
    auto there = resident(server, room);
    if (!there) return tl::make_unexpected(there.error());
    std::vector<Json> pdus;
    walk_back(**there, from, limit, [&](const StoredEvent& stored) {
      pdus.push_back(shown(**there, stored));
      return pdus.size() < limit;
    });
    return answered(server, told_by(server, std::move(pdus)));
  }

  Result<Template> make_membership(const ServerName& server, const RoomId& room, const UserId& user,
                                   const std::string& membership, const std::vector<std::string>&) override {
    if (!network_.gets_through(us_.name(), server)) return tl::make_unexpected(no_answer());
    homeserver::EventDraft draft;
    draft.room = room;
    draft.sender = user;
    draft.type = "m.room.member";
    draft.state_key = user.str();
    draft.content_json = R"({"membership":")" + membership + R"("})";
    homeserver::Answer<homeserver::EventTemplate> answer;
    network_.at(server)->pipeline().make_template(draft, [give = answer.giver()](auto made) { give(std::move(made)); });
    auto made = answer.wait();
    if (!made) return tl::make_unexpected(made.error());
    return answered(server, Template{made->room_version, made->pdu});
  }

  Result<Joined> send_join(const ServerName& server, const RoomId&, const EventId&, const Json& pdu) override {
    auto room = send_membership(server, pdu);
    if (!room) return tl::make_unexpected(room.error());
    Joined joined;
    for (const auto& event : room->state) joined.state.push_back(event->pdu());
    for (const auto& event : room->auth_chain) joined.auth_chain.push_back(event->pdu());
    joined.event = std::make_shared<const Json>(room->event->pdu());
    joined.servers_in_room = room->servers_in_room;
    if (network_.is_misled(server)) network_.mislead(us_.name());
    const auto* lie = network_.false_answers(server);
    if (lie != nullptr && lie->about_states()) {
      lie->twist(joined.state, dice());
      network_.mislead(us_.name());
    }
    return answered(server, std::move(joined));
  }
  Result<void> send_leave(const ServerName& server, const RoomId&, const EventId&, const Json& pdu) override {
    auto room = send_membership(server, pdu);
    if (!room) return tl::make_unexpected(room.error());
    return {};
  }
  Result<std::vector<Json>> send_knock(const ServerName& server, const RoomId& id, const EventId&,
                                       const Json& pdu) override {
    auto room = send_membership(server, pdu);
    if (!room) return tl::make_unexpected(room.error());
    const Json state = *network_.at(server)->reader().stripped_state(id, true);
    return answered(server, std::vector<Json>(state.begin(), state.end()));
  }
  Result<Json> invite(const ServerName& server, const RoomId& room, const EventId&, const std::string& version,
                      const Json& pdu, const Json& state) override {
    if (!network_.gets_through(us_.name(), server)) return tl::make_unexpected(no_answer());
    Json signed_pdu = pdu;
    Node& there = *network_.at(server);
    if (auto is_signed = there.pipeline().countersign(*find_room_rules(version), signed_pdu); !is_signed) {
      return tl::make_unexpected(is_signed.error());
    }
    storage::StrippedInvite invite{
        room,      test::user(pdu.at("state_key").get<std::string>()), version, "invite", dump(pdu), dump(state), 0,
        us_.name()};
    if (auto saved = there.store().save_stripped_invite(std::move(invite)); !saved) {
      return tl::make_unexpected(saved.error());
    }
    return answered(server, std::move(signed_pdu));
  }
  Result<Directory> directory(const RoomAlias&) override { return fail(ErrorCode::not_found, "no such alias"); }

 private:
  Dice& dice() { return network_.schedule().dice(); }
  std::vector<Json> told_by(const ServerName& server, std::vector<Json> pdus) {
    if (const auto* lie = network_.false_answers(server)) lie->twist(pdus, dice());
    return pdus;
  }
  static Error no_answer() { return Error{ErrorCode::unreachable, "no answer"}; }

  // The other server, if it can be asked about the room and we may ask.
  Result<Node*> resident(const ServerName& server, const RoomId& room) {
    network_.schedule().interlude();
    if (!network_.gets_through(us_.name(), server)) return tl::make_unexpected(no_answer());
    Node* there = network_.at(server);
    const auto is_in = there->reader().server_in_room(room, us_.name());
    if (!is_in || !*is_in) return fail(ErrorCode::forbidden, "your server is not in the room");
    return there;
  }
  // The other server may have died over the answer.
  template <class T>
  Result<T> answered(const ServerName& server, T answer) {
    network_.schedule().interlude();
    if (!network_.reachable(us_.name(), server)) return tl::make_unexpected(no_answer());
    return answer;
  }
  Result<homeserver::RoomAtEvent> send_membership(const ServerName& server, const Json& pdu) {
    if (!network_.gets_through(us_.name(), server)) return tl::make_unexpected(no_answer());
    homeserver::Answer<homeserver::RoomAtEvent> answer;
    network_.at(server)->pipeline().submit_signed_membership(
        us_.name(), pdu, [give = answer.giver()](auto room) { give(std::move(room)); });
    auto room = answer.wait();
    if (!network_.reachable(us_.name(), server)) return tl::make_unexpected(no_answer());
    return room;
  }

  Json shown(Node& there, const StoredEvent& stored) {
    const auto& reader = there.reader();
    if (*reader.server_may_see(us_.name(), stored)) return *reader.federation_pdu(stored);
    return redact(**reader.rules(stored.event->room_id()), stored.event->pdu());
  }
  static std::vector<Json> pdus_of(Node& there, const std::vector<EventId>& ids) {
    std::vector<Json> pdus;
    const auto events = there.store().events(ids);
    for (const auto& stored : *events) pdus.push_back(*there.reader().federation_pdu(stored));
    return pdus;
  }
  static void walk_back(Node& there, const std::vector<EventId>& from, std::size_t most,
                        const std::function<bool(const StoredEvent&)>& take) {
    std::deque<EventId> open(from.begin(), from.end());
    std::set<EventId> seen(from.begin(), from.end());
    for (std::size_t steps = 0; !open.empty() && steps < most; ++steps) {
      const auto stored = there.store().event(open.front());
      open.pop_front();
      if (!stored->has_value() || (*stored)->outlier || (*stored)->judgement.verdict == Verdict::rejected) continue;
      if (!take(**stored)) continue;
      for (const auto& parent : (*stored)->event->prev_events()) {
        if (seen.insert(parent).second) open.push_back(parent);
      }
    }
  }

  Network& network_;
  Node& us_;
};

}  // namespace

std::unique_ptr<RemoteRooms> make_telephone(Network& network, Node& us) {
  return std::make_unique<Telephone>(network, us);
}

}  // namespace skerry::simulator
