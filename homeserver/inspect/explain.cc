#include "homeserver/inspect/explain.h"

#include <map>

#include <nlohmann/json.hpp>

#include "core/authorization.h"
#include "homeserver/inspect/graph.h"

namespace skerry::homeserver::inspect {

namespace {

// One check: its outcome, and the events that it looked at.
struct Check {
  std::string name;
  std::string outcome;  // "passed", "refused by rule N", "not made"
  std::string reason;
  std::vector<EventPtr> rests_on;
};

class Explainer {
 public:
  Explainer(storage::Inspection& database, const RoomRules& rules, const storage::StoredEvent& stored)
      : database_(database), rules_(rules), stored_(stored), event_(*stored.event) {}

  Result<std::vector<Check>> checks() {
    std::vector<Check> list = {content_hash_check(), by_auth_events()};
    if (stored_.outlier) {
      list.push_back({"the state before it", "not made", "the event is known without its place in the history", {}});
    } else {
      const auto before = database_.state(stored_.state_before);
      if (!before) return tl::make_unexpected(before.error());
      list.push_back(by_state("the state before it", *before));
    }
    const auto head = database_.head(event_.room_id());
    if (!head) return tl::make_unexpected(head.error());
    if (*head) {
      const auto current = database_.state((*head)->current_state);
      if (!current) return tl::make_unexpected(current.error());
      list.push_back(by_state("the current state, as it is now", *current));
    }
    if (trouble_) return tl::make_unexpected(*trouble_);
    return list;
  }

 private:
  Check content_hash_check() const {
    const Json pdu = event_.pdu();
    const Json* hashes = find_object(pdu, "hashes");
    const std::string* given = hashes == nullptr ? nullptr : find_string(*hashes, "sha256");
    const auto computed = content_hash(rules_, pdu);
    if (given != nullptr && computed && *given == *computed) return {"its content hash", "passed", "", {}};
    return {"its content hash", "does not hold", "the event is kept in its redacted form", {}};
  }

  Check by_auth_events() {
    Check check{"the events that it cites", "passed", "", {}};
    std::vector<EventPtr> cited;
    for (const EventId& id : event_.auth_events()) {
      cited.push_back(find(id));
      if (cited.back() == nullptr) return {check.name, "not made", id.str() + " is absent", {}};
    }
    check.rests_on = cited;
    const auto rejected = [this](const EventId& id) { return is_rejected(id); };
    const AuthVerdict by_form = check_auth_events(rules_, event_, cited, rejected);
    if (note(by_form, check)) return check;
    const StateLookup lookup = [&cited](std::string_view type, std::string_view state_key) -> EventPtr {
      for (const EventPtr& event : cited) {
        if (event->is_state(type, state_key)) return event;
      }
      return nullptr;
    };
    note(authorize(rules_, event_, create_of(lookup), lookup), check);
    return check;
  }

  Check by_state(const std::string& name, const StateMap& state) {
    Check check{name, "passed", "", {}};
    std::map<EventId, EventPtr> looked_at;
    const StateLookup lookup = [&](std::string_view type, std::string_view state_key) -> EventPtr {
      const auto entry = state.find({std::string(type), std::string(state_key)});
      if (entry == state.end()) return nullptr;
      EventPtr event = find(entry->second);
      if (event != nullptr) looked_at.emplace(event->id(), event);
      return event;
    };
    note(authorize(rules_, event_, create_of(lookup), lookup), check);
    for (auto& [id, event] : looked_at) check.rests_on.push_back(event);
    return check;
  }

  // True when the verdict ends the check.
  static bool note(const AuthVerdict& verdict, Check& check) {
    if (const auto* refused = std::get_if<Refused>(&verdict)) {
      check.outcome = "refused by rule " + refused->rule;
      check.reason = refused->reason;
      return true;
    }
    if (const auto* missing = std::get_if<Missing>(&verdict)) {
      check.outcome = "not made";
      check.reason = missing->ids.front().str() + " is absent";
      return true;
    }
    return false;
  }

  EventPtr create_of(const StateLookup& lookup) {
    if (event_.is_state("m.room.create", "")) return nullptr;
    return rules_.room_id_is_create_hash ? find(create_event_id(event_.room_id())) : lookup("m.room.create", "");
  }

  std::optional<storage::StoredEvent> stored(const EventId& id) {
    auto found = database_.event(id);
    if (found) return std::move(*found);
    trouble_ = found.error();
    return std::nullopt;
  }
  EventPtr find(const EventId& id) {
    const auto found = stored(id);
    return found ? found->event : nullptr;
  }
  bool is_rejected(const EventId& id) {
    const auto found = stored(id);
    return found && found->judgement.verdict == Verdict::rejected;
  }

  storage::Inspection& database_;
  const RoomRules& rules_;
  const storage::StoredEvent& stored_;
  const Event& event_;
  std::optional<Error> trouble_;
};

std::string place_of(const storage::StoredEvent& stored) {
  if (stored.outlier) return "known without its place in the history (an outlier)";
  if (!stored.position) return "history: it came after what follows it";
  return "position " + std::to_string(*stored.position) + " of the stream";
}

void print_text(const storage::StoredEvent& stored, const std::string& version, const std::vector<Check>& checks,
                std::ostream& out) {
  const Event& event = *stored.event;
  out << event.id().str() << "\n  " << summary(event) << "\n  sent by " << event.sender().str() << ", depth "
      << event.depth() << "\n  in " << event.room_id().str() << " (version " << version << ")\n  " << place_of(stored)
      << "\n";
  if (stored.redacted_by) out << "  redacted by " << stored.redacted_by->str() << "\n";
  out << "\nVerdict when it came: " << verdict_word(stored.judgement.verdict);
  if (!stored.judgement.rule.empty()) out << " by rule " << stored.judgement.rule;
  if (!stored.judgement.reason.empty()) out << ": " << stored.judgement.reason;
  out << "\nIts signatures held: what is not validly signed is not kept.\n\nChecked anew, by\n";
  for (const Check& check : checks) {
    out << "  " << check.name << ": " << check.outcome << (check.reason.empty() ? "" : ": " + check.reason) << "\n";
    for (const EventPtr& basis : check.rests_on) {
      out << "      " << basis->id().str().substr(0, 9) << "  " << summary(*basis) << "\n";
    }
  }
}

void print_json(const storage::StoredEvent& stored, const std::string& version, const std::vector<Check>& checks,
                std::ostream& out) {
  Json list = Json::array();
  for (const Check& check : checks) {
    Json basis = Json::array();
    for (const EventPtr& event : check.rests_on) basis.push_back(event->id().str());
    list.push_back({{"by", check.name}, {"outcome", check.outcome}, {"reason", check.reason}, {"rests_on", basis}});
  }
  Json json = {{"event_id", stored.event->id().str()},
               {"room_id", stored.event->room_id().str()},
               {"room_version", version},
               {"verdict", verdict_word(stored.judgement.verdict)},
               {"rule", stored.judgement.rule},
               {"reason", stored.judgement.reason},
               {"outlier", stored.outlier},
               {"checks", std::move(list)},
               {"pdu", stored.event->pdu()}};
  if (stored.redacted_by) json["redacted_by"] = stored.redacted_by->str();
  out << dump(json) << "\n";
}

}  // namespace

Result<void> explain(storage::Inspection& database, const EventId& id, bool json, std::ostream& out) {
  const auto stored = database.event(id);
  if (!stored) return tl::make_unexpected(stored.error());
  if (!*stored) return fail(ErrorCode::not_found, "this server has no event " + id.str());
  const auto info = database.room((*stored)->event->room_id());
  if (!info) return tl::make_unexpected(info.error());
  const RoomRules* rules = *info ? find_room_rules((*info)->version) : nullptr;
  if (rules == nullptr) return fail(ErrorCode::storage, "the event's room is not known");
  const auto checks = Explainer(database, *rules, **stored).checks();
  if (!checks) return tl::make_unexpected(checks.error());
  json ? print_json(**stored, (*info)->version, *checks, out) : print_text(**stored, (*info)->version, *checks, out);
  return {};
}

}  // namespace skerry::homeserver::inspect
