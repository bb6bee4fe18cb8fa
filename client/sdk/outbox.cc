#include "client/sdk/outbox.h"

#include <algorithm>
#include <utility>

#include "client/sdk/api.h"
#include "core/crypto.h"

namespace skerry::client {
namespace {

using State = PendingMessage::State;

constexpr std::chrono::milliseconds first_send_pause{1'000};
constexpr std::chrono::milliseconds longest_send_pause{15'000};
constexpr int tries_on_server_error = 4;

}  // namespace

std::string make_transaction_id(net::Random& random) { return "s" + base64url_encode(random.bytes(15)); }

Outbox::Outbox(UiCalls& calls, net::Clock& clock, net::Random& random, FindRoom find, std::function<void()> changed)
    : calls_(calls), clock_(clock), random_(random), find_(std::move(find)), changed_(std::move(changed)) {}

void Outbox::add(Room& room, const std::string& kind, const std::string& body) {
  PendingMessage message;
  message.transaction_id = make_transaction_id(random_);
  message.kind = kind;
  message.body = body;
  message.created_ms = clock_.now_ms();
  room.pending.push_back(std::move(message));
  pump(room);
  changed_();
}

void Outbox::pump(Room& room) {
  pauses_.erase(room.id());
  const auto is = [](State state) { return [state](const PendingMessage& message) { return message.state == state; }; };
  if (std::any_of(room.pending.begin(), room.pending.end(), is(State::sending))) return;
  const auto next = std::find_if(room.pending.begin(), room.pending.end(), is(State::queued));
  if (next == room.pending.end()) return;
  next->state = State::sending;
  ++next->attempts;
  const std::string room_id = room.id();
  const std::string transaction_id = next->transaction_id;
  calls_.run<std::string>(api::send_message(room_id, transaction_id, next->kind, next->body),
                          [this, room_id, transaction_id](ApiResult<std::string> answer) {
                            on_answer(room_id, transaction_id, std::move(answer));
                          });
}

int Outbox::retry_failed(Room& room) {
  int count = 0;
  for (PendingMessage& message : room.pending) {
    if (message.state != State::failed) continue;
    message.state = State::queued;
    message.attempts = 0;
    message.error.clear();
    ++count;
  }
  pump(room);
  changed_();
  return count;
}

void Outbox::on_answer(const std::string& room_id, const std::string& transaction_id, ApiResult<std::string> answer) {
  Room* room = find_(room_id);
  if (!room) return;
  const auto message = std::find_if(room->pending.begin(), room->pending.end(),
                                    [&](const PendingMessage& m) { return m.transaction_id == transaction_id; });
  if (message != room->pending.end()) {  // otherwise /sync was faster than the answer
    if (!answer) {
      on_error(*message, room_id, answer.error());
    } else if (room->timeline.contains(*answer)) {
      room->pending.erase(message);
    } else {
      message->state = State::sent;
      message->event_id = *answer;
    }
  }
  if (!pauses_.contains(room_id)) pump(*room);
  changed_();
}

void Outbox::on_error(PendingMessage& message, const std::string& room_id, const ApiError& error) {
  message.error = error.message;
  const bool again =
      error.unreachable() || error.rate_limited() || (error.status >= 500 && message.attempts < tries_on_server_error);
  message.state = again ? State::queued : State::failed;
  if (!again) return;
  const auto backoff = first_send_pause * (1 << std::min(message.attempts - 1, 4));
  pump_later(room_id, std::max(std::min<std::chrono::milliseconds>(backoff, longest_send_pause), error.retry_after));
}

void Outbox::pump_later(const std::string& room_id, std::chrono::milliseconds delay) {
  pauses_[room_id] = calls_.later(delay, [this, room_id] {
    if (Room* room = find_(room_id)) pump(*room);
  });
}

}  // namespace skerry::client
