// Steps 6 to 8: a server is blocked, its user begins again elsewhere, and afterwards nothing is lost.
#include <algorithm>

#include <nlohmann/json.hpp>

#include "sandbox/cli/table.h"
#include "sandbox/demo/stage.h"

namespace skerry::sandbox {

namespace {

using Steady = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;

constexpr std::chrono::milliseconds window{1'500};  // who has not heard by then does not hear

std::string text_of(const Pairs& pairs) {
  return std::to_string(pairs.left) + " of " + std::to_string(pairs.all) + " pairs left";
}

// What the new account tries and may not. Errors when it may.
Result<void> expect_refusal(const Result<std::string>& tried, const std::string& what) {
  if (tried) return fail(ErrorCode::internal, what + " was allowed");
  if (tried.error().code != ErrorCode::remote_error) return tl::make_unexpected(tried.error());
  return {};
}

Result<void> hears(const Person& person, const std::vector<std::string>& events) {
  for (const std::string& event : events) {
    if (!person.listener().wait_for_event(event, hearing_time)) {
      return fail(ErrorCode::timeout, person.user_id() + " does not get " + event + ", which was acknowledged");
    }
  }
  return {};
}

}  // namespace

Result<void> block_a_server(Stage& stage) {
  if (auto blocked = stage.servers->set_blocked(alpha, true); !blocked) return blocked;
  stage.blocked_at = Steady::now();
  const auto reached = stage.alice->api().get("/account/whoami");
  if (reached) return fail(ErrorCode::internal, "alice still reaches her server");
  stage.story.say("alice is cut off: " + reached.error().text);

  const auto said = say_and_hear(*stage.bob, {&*stage.carol}, stage.room, "alpha is gone. Are you still there?");
  if (!said) return tl::make_unexpected(said.error());
  const auto answer = say_and_hear(*stage.carol, {&*stage.bob}, stage.room, "I am.");
  if (!answer) return tl::make_unexpected(answer.error());
  stage.acknowledged.insert(stage.acknowledged.end(), {said->event_id, answer->event_id});
  stage.story.say("bob and carol go on in the same room: heard after " + milliseconds_text(said->times[0]) + " and " +
                  milliseconds_text(answer->times[0]));

  const std::vector<const Person*> people = {&*stage.alice, &*stage.bob, &*stage.carol};
  const Pairs counted = count_pairs(people, stage.room, "Who hears me?", window, &stage.acknowledged);
  const Pairs formula = pairs_after_takedown(3, 1);
  stage.story.say("Everybody tried to reach everybody: " + text_of(counted) +
                  ". The formula: (n-m)(n-m-1) of n(n-1), "
                  "with n = 3 people and m = 1 of them blocked, is " +
                  std::to_string(formula.left) + " of " + std::to_string(formula.all) + ".");
  stage.story.fact("pairs_left", counted.left);
  stage.story.fact("pairs", counted.all);
  if (counted != formula) return fail(ErrorCode::internal, "counted were " + text_of(counted));

  const auto own_door = stage.alice->api_at(stage.servers->status().server(alpha).own_client_url);
  const auto written = own_door.put(in_room(stage.room) + "/send/m.room.message/alone",
                                    {{"msgtype", "m.text"}, {"body", "I write this where nobody hears me."}});
  if (!written) return tl::make_unexpected(written.error());
  stage.alone = written->value("event_id", "");
  stage.acknowledged.push_back(stage.alone);
  stage.story.say("Beside her server, behind the block, alice still writes a message: alpha.test lives and takes it.");
  return {};
}

Result<void> begin_again_elsewhere(Stage& stage) {
  const auto began = Steady::now();
  auto person = Person::register_at(stage.servers->web(), stage.servers->url(bravo), "alice");
  if (!person) return tl::make_unexpected(person.error());
  stage.new_alice.emplace(std::move(*person));
  const auto joined = stage.new_alice->join(stage.room, {bravo});
  if (!joined) return tl::make_unexpected(joined.error());
  const auto said =
      say_and_hear(*stage.new_alice, {&*stage.bob, &*stage.carol}, stage.room, "It is me, alice, by way of bravo.");
  if (!said) return tl::make_unexpected(said.error());
  stage.acknowledged.push_back(said->event_id);
  const Seconds took = Steady::now() - began;
  const Seconds since_block = Steady::now() - stage.blocked_at;
  stage.story.say("3 steps, " + seconds_text(took) + ": she registered as " + stage.new_alice->user_id() +
                  " (sent: " + stage.new_alice->fields_sent() +
                  "), joined by the room's id through bravo.test, and "
                  "was heard by bob and carol. " +
                  seconds_text(since_block) + " after the block; no phone, no email.");

  const auto history = stage.new_alice->event_ids(stage.room);
  if (!history) return tl::make_unexpected(history.error());
  std::size_t read = 0;
  for (const std::string& id : stage.acknowledged) {
    const bool there = std::find(history->begin(), history->end(), id) != history->end();
    if (!there && id != stage.alone) return fail(ErrorCode::internal, "she cannot read " + id);
    read += there ? 1 : 0;
  }
  stage.story.say("She reads the history: " + std::to_string(read) +
                  " messages, from before and after the block; only "
                  "what she wrote on alpha.test since is not there yet.");

  const auto renamed = stage.new_alice->set_state(stage.room, "m.room.name", "", {{"name", "Lobby 2"}});
  if (auto refused = expect_refusal(renamed, "renaming the room"); !refused) return refused;
  const auto entered = stage.new_alice->join(stage.direct_chat, {bravo});
  if (auto refused = expect_refusal(entered, "entering the direct chat"); !refused) return refused;
  stage.story.say("What did not come along: her powers (renaming her own room: " +
                  renamed.error().text.substr(0, renamed.error().text.find(':')) + "), her name (" +
                  stage.alice->user_id() + " stays on alpha.test), her direct chat with bob (joining it: " +
                  entered.error().text.substr(0, entered.error().text.find(':')) + ").");
  stage.story.fact("seconds", took.count());
  stage.story.fact("seconds_since_block", since_block.count());
  stage.story.fact("steps", 3);
  stage.story.fact("messages_read", read);
  return {};
}

Result<void> heal(Stage& stage) {
  const auto began = Steady::now();
  if (auto unblocked = stage.servers->set_blocked(alpha, false); !unblocked) return unblocked;
  if (auto heard = hears(*stage.bob, {stage.alone}); !heard) return heard;
  if (auto heard = hears(*stage.carol, {stage.alone}); !heard) return heard;
  const Seconds out = Steady::now() - began;
  if (auto heard = hears(*stage.alice, stage.acknowledged); !heard) return heard;
  const Seconds in = Steady::now() - began;
  stage.story.say("What alice wrote alone reached bob and carol " + milliseconds_text(out) +
                  " after the unblock; all "
                  "that was said without her reached her after " +
                  milliseconds_text(in) + ".");
  const auto agreed = wait_until_agreed({&*stage.alice, &*stage.bob, &*stage.carol}, stage.room, stage.acknowledged);
  if (!agreed) return tl::make_unexpected(agreed.error());
  stage.story.say("Nothing is lost: all " + std::to_string(stage.acknowledged.size()) +
                  " acknowledged messages are on "
                  "all three servers, which agree on " +
                  std::to_string(agreed->events) + " events and a state of " + std::to_string(agreed->state_entries) +
                  " entries.");
  stage.story.fact("seconds_outwards", out.count());
  stage.story.fact("seconds_inwards", in.count());
  stage.story.fact("acknowledged", stage.acknowledged.size());
  stage.story.fact("events", agreed->events);
  return {};
}

}  // namespace skerry::sandbox
