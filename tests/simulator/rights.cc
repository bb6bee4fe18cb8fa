#include "tests/simulator/rights.h"

#include <cstdint>
#include <limits>
#include <set>

#include <nlohmann/json.hpp>

namespace skerry::simulator {

namespace {

constexpr std::int64_t boundless = std::numeric_limits<std::int64_t>::max();

std::int64_t number_of(const Json& object, const std::string& key, std::int64_t otherwise) {
  const auto found = object.find(key);
  return found == object.end() || !found->is_number_integer() ? otherwise : found->get<std::int64_t>();
}

class Opinion {
 public:
  Opinion(const RoomRules& rules, const Event& create, const StateLookup& state)
      : rules_(rules), create_(create), state_(state), levels_event_(state("m.room.power_levels", "")) {
    if (levels_event_) levels_ = levels_event_->content();
  }

  std::optional<std::string> objection(const Event& event) const {
    if (event.type() == "m.room.create") return std::nullopt;
    if (event.type() == "m.room.member") return about_member(event);
    if (membership(event.sender().str()) != "join") return "its sender is not in the room";
    if (power(event.sender().str()) < power_to_send(event)) return "its sender lacks the power to send it";
    if (event.type() == "m.room.power_levels") return about_levels(event);
    return std::nullopt;
  }

 private:
  std::string membership(const std::string& user) const {
    const EventPtr member = state_("m.room.member", user);
    return member ? std::string(member->membership()) : "leave";
  }

  std::int64_t power(const std::string& user) const {
    const bool is_creator = create_.sender().str() == user;
    if (is_creator && rules_.creators_are_privileged) return boundless;
    if (!levels_event_) return is_creator ? 100 : 0;
    const auto users = levels_.find("users");
    const std::int64_t usual = number_of(levels_, "users_default", 0);
    return users == levels_.end() ? usual : number_of(*users, user, usual);
  }

  std::int64_t power_to_send(const Event& event) const {
    const std::int64_t usual = event.is_state() ? number_of(levels_, "state_default", levels_event_ ? 50 : 0)
                                                : number_of(levels_, "events_default", 0);
    const auto events = levels_.find("events");
    return events == levels_.end() ? usual : number_of(*events, event.type(), usual);
  }

  std::optional<std::string> about_own_member(const Event& event, const std::string& now) const {
    const auto to = event.membership();
    if (to == "leave")
      return now == "ban" || now == "leave" ? std::optional<std::string>("it leaves where it is not") : std::nullopt;
    if (to != "join") return "nobody may do that to themselves";
    if (now == "ban") return "a banned user joins";
    if (now == "join" || now == "invite") return std::nullopt;
    const auto& before = event.prev_events();
    if (before.size() == 1 && before.front() == create_.id() && event.sender() == create_.sender()) return std::nullopt;
    const EventPtr rules = state_("m.room.join_rules", "");
    const std::string* rule = rules ? find_string(rules->content(), "join_rule") : nullptr;
    return rule != nullptr && *rule == "public" ? std::nullopt : std::optional<std::string>("an uninvited user joins");
  }

  std::optional<std::string> about_member(const Event& event) const {
    const std::string& sender = event.sender().str();
    const std::string& target = *event.state_key();
    const std::string now = membership(target);
    if (sender == target) return about_own_member(event, now);
    if (membership(sender) != "join") return "its sender is not in the room";
    const auto to = event.membership();
    if (to == "invite") {
      if (now == "ban" || now == "join") return "it invites whom it may not";
      return power(sender) < number_of(levels_, "invite", 0) ? std::optional<std::string>("no power to invite")
                                                             : std::nullopt;
    }
    if (to != "leave" && to != "ban") return "nobody may do that to others";
    if (power(sender) <= power(target)) return "its sender is not above whom it throws out";
    if ((to == "ban" || now == "ban") && power(sender) < number_of(levels_, "ban", 50)) return "no power to ban";
    if (to == "leave" && power(sender) < number_of(levels_, "kick", 50)) return "no power to kick";
    return std::nullopt;
  }

  // Nobody gives or takes more than they have.
  std::optional<std::string> about_levels(const Event& event) const {
    if (!levels_event_) return std::nullopt;
    const std::int64_t own = power(event.sender().str());
    const Json after = event.content();
    const Json none = Json::object();
    const Json& users_before = levels_.contains("users") ? levels_.at("users") : none;
    const Json& users_after = after.contains("users") ? after.at("users") : none;
    std::set<std::string> users;
    for (const auto& entry : users_before.items()) users.insert(entry.key());
    for (const auto& entry : users_after.items()) users.insert(entry.key());
    constexpr std::int64_t absent = std::numeric_limits<std::int64_t>::min();
    for (const auto& user : users) {
      const std::int64_t from = number_of(users_before, user, absent);
      const std::int64_t to = number_of(users_after, user, absent);
      if (from == to) continue;
      if (to > own) return "it gives more power than its sender has";
      if (from >= own && user != event.sender().str()) return "it takes power from an equal";
    }
    for (const auto* key : {"users_default", "events_default", "state_default", "ban", "kick", "redact", "invite"}) {
      const std::int64_t from = number_of(levels_, key, absent);
      const std::int64_t to = number_of(after, key, absent);
      if (from != to && (from > own || to > own)) return "it changes a level above its sender's";
    }
    return std::nullopt;
  }

  const RoomRules& rules_;
  const Event& create_;
  const StateLookup& state_;
  const EventPtr levels_event_;
  Json levels_ = Json::object();
};

}  // namespace

std::optional<std::string> objection(const RoomRules& rules, const Event& event, const Event& create,
                                     const StateLookup& state) {
  return Opinion(rules, create, state).objection(event);
}

}  // namespace skerry::simulator
