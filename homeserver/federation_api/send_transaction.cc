// PUT /_matrix/federation/v1/send/{txnId}: at most 50 PDUs and 100 EDUs of another server. A transaction that came
// before joins the first or gets its answer; one bad PDU never fails the rest. Server-server API, 'Transactions',
// 'EDUs'.
#include <algorithm>
#include <map>
#include <mutex>

#include <nlohmann/json.hpp>

#include "core/limits.h"
#include "homeserver/federation_api/common.h"
#include "homeserver/federation_api/handlers.h"
#include "homeserver/federation_api/transactions.h"
#include "homeserver/metrics.h"
#include "net/log.h"

namespace skerry::homeserver::federation_api {

namespace {

constexpr std::chrono::seconds typing_time{30};
constexpr std::size_t receipts_per_edu = 500;
constexpr std::size_t presences_per_edu = 500;

// -- EDUs
Result<bool> may_take_part(Services& services, const RoomId& room, const UserId& user) {
  auto allowed = services.reader.acl_allows(room, user.server());
  if (!allowed || !*allowed) return allowed;
  auto membership = services.reader.membership(room, user);
  if (!membership) return tl::make_unexpected(membership.error());
  return *membership == "join";
}

void take_typing(Services& services, const ServerName& origin, const Json& content) {
  const std::string* room_text = find_string(content, "room_id");
  const std::string* user_text = find_string(content, "user_id");
  const Json* typing = find_member(content, "typing");
  if (room_text == nullptr || user_text == nullptr || typing == nullptr || !typing->is_boolean()) return;
  const auto room = RoomId::parse(*room_text);
  const auto user = UserId::parse(*user_text);
  if (!room || !user || user->server() != origin) return;
  const auto takes_part = may_take_part(services, *room, *user);
  if (takes_part && *takes_part) services.typing.set(*room, *user, typing->get<bool>(), typing_time);
}

void take_receipt(Services& services, const RoomId& room, const UserId& user, const Json& receipt) {
  const Json* ids = find_array(receipt, "event_ids");
  const Json* data = find_object(receipt, "data");
  if (ids == nullptr || ids->empty() || !ids->back().is_string()) return;
  const auto event = EventId::parse(ids->back().get<std::string>());
  const auto takes_part = may_take_part(services, room, user);
  if (!event || !takes_part || !*takes_part) return;
  storage::Receipt stored{room, user, "m.read", "", *event, 0, 0};
  if (data != nullptr) {
    if (const Json* ts = find_member(*data, "ts"); ts != nullptr && ts->is_number_integer())
      stored.ts_ms = ts->get<std::int64_t>();
    if (const std::string* thread = find_string(*data, "thread_id");
        thread != nullptr && thread->size() <= limits::id_bytes) {
      stored.thread_id = *thread;
    }
  }
  auto position = services.database.stream().put_receipt(stored);
  auto users = services.database.rooms().joined_local_users(room);
  if (position && users) services.notifier.notify(*position, *users);
}

void take_receipts(Services& services, const ServerName& origin, const Json& content) {
  std::size_t taken = 0;
  for (const auto& [room_text, types] : content.items()) {
    const auto room = RoomId::parse(room_text);
    const Json* reads = types.is_object() ? find_object(types, "m.read") : nullptr;
    if (!room || reads == nullptr) continue;
    for (const auto& [user_text, receipt] : reads->items()) {
      const auto user = UserId::parse(user_text);
      if (!user || user->server() != origin || !receipt.is_object() || ++taken > receipts_per_edu) continue;
      take_receipt(services, *room, *user, receipt);
    }
  }
}

void take_presence(Services& services, const ServerName& origin, const Json& content) {
  const Json* push = find_array(content, "push");
  if (push == nullptr || !services.presence.enabled()) return;
  const std::int64_t now_ms = services.clock.now_ms();
  std::size_t taken = 0;
  for (const Json& entry : *push) {
    if (!entry.is_object() || ++taken > presences_per_edu) continue;
    const std::string* user_text = find_string(entry, "user_id");
    const std::string* state_text = find_string(entry, "presence");
    if (user_text == nullptr || state_text == nullptr) continue;
    const auto user = UserId::parse(*user_text);
    const auto state = parse_presence(*state_text);
    if (!user || user->server() != origin || !state) continue;
    PresenceStatus status{*state, "", 0, false};
    if (const std::string* message = find_string(entry, "status_msg");
        message != nullptr && message->size() <= Presence::message_bytes) {
      status.message = *message;
    }
    if (const Json* ago = find_member(entry, "last_active_ago"); ago != nullptr && ago->is_number_integer())
      status.last_active_ms = now_ms - std::clamp<std::int64_t>(ago->get<std::int64_t>(), 0, now_ms);
    const Json* active = find_member(entry, "currently_active");
    status.currently_active = active != nullptr && *active == true;
    services.presence.told(*user, std::move(status));
  }
}

void take_edu(Services& services, const ServerName& origin, const Json& edu) {
  const std::string* type = edu.is_object() ? find_string(edu, "edu_type") : nullptr;
  const Json* content = edu.is_object() ? find_object(edu, "content") : nullptr;
  if (type == nullptr || content == nullptr) return;
  if (*type == "m.typing") take_typing(services, origin, *content);
  if (*type == "m.presence") take_presence(services, origin, *content);
  if (*type == "m.receipt") take_receipts(services, origin, *content);
}

// -- PDUs
// One transaction on its way: the PDUs go in one after the other, the answer goes out with the last.
class Transaction : public std::enable_shared_from_this<Transaction> {
 public:
  Transaction(Services& services, ServerName origin, std::string id, std::shared_ptr<Json> body)
      : services_(services), origin_(std::move(origin)), id_(std::move(id)), body_(std::move(body)) {}

  void run() {
    pdus_ = find_array(*body_, "pdus");
    next();
  }

  // There is no room to work on it: the other server comes again.
  void give_up() { services_.transactions.give_up(origin_, id_); }

 private:
  // On `outbound`, or on the thread that ended the PDU before: by way of the pool, so that long transactions do not
  // nest.
  void next() {
    while (pdus_ != nullptr && at_ < pdus_->size()) {
      const Json& pdu = (*pdus_)[at_++];
      if (!is_welcome(pdu)) continue;
      services_.pipeline.submit_remote(origin_, pdu, [self = shared_from_this(), &pdu](const RemoteOutcome& outcome) {
        if (outcome.put_off && self->put_off(outcome)) return;
        self->note(outcome, pdu);
        if (!self->services_.outbound.post([self] { self->next(); })) self->give_up();
      });
      return;
    }
    finish();
  }

  // Unless the room's ACL shuts the speaking server out. Rooms that are not known here are the pipeline's affair: one
  // of our users may be joining.
  bool is_welcome(const Json& pdu) {
    const std::string* room_text = pdu.is_object() ? find_string(pdu, "room_id") : nullptr;
    const auto room = room_text == nullptr ? fail(ErrorCode::bad_json, "") : RoomId::parse(*room_text);
    const auto rules = room ? services_.reader.rules(*room) : tl::make_unexpected(room.error());
    if (!rules) return true;
    const auto allowed = services_.reader.acl_allows(*room, origin_);
    if (allowed && *allowed) return true;
    if (auto id = event_id_of(**rules, pdu))
      results_[id->str()] = {{"error", "this room's access list does not let your server take part"}};
    return false;
  }

  // What was not decided is to come again, and what was decided before it in this transaction does no harm twice.
  bool put_off(const RemoteOutcome& outcome) {
    if (!services_.transactions.may_put_off(origin_, id_, services_.clock.now_ms())) return false;
    log::info("federation", "a transaction of " + origin_.str() + " is to come again for " + outcome.event.str() +
                                ": " + outcome.judgement.reason);
    give_up();
    return true;
  }

  void note(const RemoteOutcome& outcome, const Json& pdu) {
    if (outcome.event.empty()) return;
    const Judgement& judgement = outcome.judgement;
    // Soft-failed is taken: that the event is not shown is this server's own affair.
    const bool taken = judgement.verdict == Verdict::accepted || judgement.verdict == Verdict::soft_failed;
    results_[outcome.event.str()] = taken ? Json::object() : Json{{"error", judgement.reason}};
    if (judgement.verdict == Verdict::accepted) greet(pdu);
    if (!taken)
      log::info("federation", outcome.event.str() + " of " + origin_.str() + " refused, rule " + judgement.rule + ": " +
                                  judgement.reason);
  }

  // Who joined a room hears who is there.
  void greet(const Json& pdu) {
    const Json* content = find_object(pdu, "content");
    const std::string* type = find_string(pdu, "type");
    const std::string* membership = content != nullptr ? find_string(*content, "membership") : nullptr;
    const std::string* room_text = find_string(pdu, "room_id");
    const std::string* user_text = find_string(pdu, "state_key");
    if (type == nullptr || *type != "m.room.member" || membership == nullptr || *membership != "join") return;
    if (room_text == nullptr || user_text == nullptr) return;
    const auto room = RoomId::parse(*room_text);
    const auto user = UserId::parse(*user_text);
    if (room && user && user->server() != services_.config.server_name)
      services_.presence_news.joined(services_.presence, *room, *user);
  }

  // What passes comes last: it is about what the events told.
  void finish() {
    if (const Json* edus = find_array(*body_, "edus")) {
      for (const Json& edu : *edus) take_edu(services_, origin_, edu);
    }
    const std::string response = dump(Json{{"pdus", results_}});
    // Every event is on the disk by now. The answer itself may be lost: the same events, and what passes, do no harm
    // when they come a second time.
    services_.transactions.finish(origin_, id_, response);
    services_.database.federation().save_transaction_response(origin_, id_, response, [](const Result<void>& saved) {
      if (!saved) log::error("federation", saved.error().text);
    });
  }

  Services& services_;
  const ServerName origin_;
  const std::string id_;
  const std::shared_ptr<Json> body_;
  const Json* pdus_ = nullptr;
  std::size_t at_ = 0;
  Json results_ = Json::object();
};

Result<void> check(const Call& call) {
  const Json* pdus = find_member(*call.body, "pdus");
  const Json* edus = find_member(*call.body, "edus");
  if (pdus == nullptr || !pdus->is_array()) return fail(ErrorCode::bad_json, "pdus must be an array");
  if (edus != nullptr && !edus->is_array()) return fail(ErrorCode::bad_json, "edus must be an array");
  if (pdus->size() > limits::transaction_pdus) return fail(ErrorCode::bad_json, "a transaction has at most 50 PDUs");
  if (edus != nullptr && edus->size() > limits::transaction_edus)
    return fail(ErrorCode::bad_json, "a transaction has at most 100 EDUs");
  return {};
}

}  // namespace

void send_transaction(Services& services, Call call, Reply reply) {
  if (auto fine = check(call); !fine) return reply.error(fine.error());
  const std::string id = call.parameters[0];
  auto answered = services.database.federation().transaction_response(call.origin, id);
  if (!answered) return reply.error(answered.error());
  if (*answered) return reply.text(**answered);
  if (services.metrics != nullptr) {
    const Json* edus = find_array(*call.body, "edus");
    services.metrics->received_pdus += find_array(*call.body, "pdus")->size();
    services.metrics->received_edus += edus == nullptr ? 0 : edus->size();
  }
  auto transaction = std::make_shared<Transaction>(services, call.origin, id, call.body);
  services.transactions.begin(call.origin, id, std::move(reply), [&services, transaction] {
    if (!services.outbound.post([transaction] { transaction->run(); })) transaction->give_up();
  });
}

}  // namespace skerry::homeserver::federation_api
