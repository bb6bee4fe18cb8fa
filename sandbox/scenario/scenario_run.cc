#include "sandbox/scenario/scenario_run.h"

#include <chrono>
#include <map>
#include <memory>
#include <thread>

#include <nlohmann/json.hpp>

#include "sandbox/lab/agreement.h"
#include "sandbox/people/person.h"
#include "sandbox/scenario/seeder.h"
#include "sandbox/world/interrupt.h"
#include "sandbox/world/own_sandbox.h"

namespace skerry::sandbox {

namespace {

using Steady = std::chrono::steady_clock;

constexpr std::chrono::milliseconds timeline_step{20};
constexpr std::chrono::seconds listening_time{60};

std::string milliseconds(Steady::duration time) {
  return std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(time).count()) + " ms";
}

// What was said under a label.
struct Said {
  std::vector<std::string> events;
  std::vector<std::size_t> speakers;
  Steady::time_point since;
};

class Staging {
 public:
  explicit Staging(const Scenario& scenario) : scenario_(scenario), world_(scenario.world) {}

  Result<void> set() {
    ServerTraits traits;
    traits.direct = scenario_.direct;
    traits.cheap_passwords = true;
    auto sandbox = OwnSandbox::start(world_.servers.size(), traits);
    if (!sandbox) return tl::make_unexpected(sandbox.error());
    sandbox_ = std::move(*sandbox);
    auto seeded = seed_world(sandbox_->web(), sandbox_->folder(), sandbox_->status(), world_);
    if (!seeded) return tl::make_unexpected(seeded.error());
    rooms_ = std::move(seeded->rooms);
    for (std::size_t i = 0; i < world_.users.size(); ++i) {
      people_.push_back(Person::with_session(sandbox_->web(), sandbox_->url(world_.users[i].server),
                                             std::move(seeded->sessions[i].front())));
    }
    for (const Person& person : people_) {
      if (!person.listener().wait_until_listening(listening_time)) {
        return fail(ErrorCode::timeout, person.user_id() + " does not get to listen");
      }
    }
    return {};
  }

  // What was measured.
  Result<std::string> play(const Act& act) {
    switch (act.verb) {
      case Verb::say:
      case Verb::chatter:
        return talk(act);
      case Verb::join:
      case Verb::leave:
      case Verb::invite:
      case Verb::kick:
      case Verb::ban:
        return expected(act, member(act));
      case Verb::kill:
      case Verb::start:
      case Verb::block:
      case Verb::unblock:
      case Verb::freeze:
      case Verb::thaw:
      case Verb::link:
      case Verb::partition:
      case Verb::clock:
      case Verb::dns:
      case Verb::backoff:
      case Verb::heal:
        return steer(act);
      case Verb::delivered:
        return delivered(act);
      case Verb::not_delivered:
        return not_delivered(act);
      case Verb::converged:
        return converged(act);
    }
    return std::string();
  }

 private:
  Result<std::string> talk(const Act& act) {
    Said said;
    said.since = Steady::now();
    for (const WorldMessage& words : act.words) {
      auto event = speak(act, words);
      if (act.fails) {
        return expected(act, event ? Result<void>() : tl::make_unexpected(event.error()));
      }
      if (!event) return tl::make_unexpected(event.error());
      said.events.push_back(*event);
      said.speakers.push_back(words.user);
      acknowledged_[act.room].push_back(std::move(*event));
    }
    if (!act.label.empty()) said_[act.label] = said;
    return "taken by the server after " + milliseconds(Steady::now() - said.since);
  }

  Result<std::string> speak(const Act& act, const WorldMessage& words) {
    const Person& speaker = people_[words.user];
    if (!act.beside) return speaker.say(rooms_[act.room], words.text);
    const std::string& url = sandbox_->status().server(world_.users[words.user].server).own_client_url;
    const auto answer = speaker.api_at(url).put(
        "/rooms/" + net::percent_encode(rooms_[act.room]) + "/send/m.room.message/line" + std::to_string(act.line),
        {{"msgtype", "m.text"}, {"body", words.text}});
    if (!answer) return tl::make_unexpected(answer.error());
    return answer->value("event_id", "");
  }

  // Turns what an act came to into whether that was expected.
  static Result<std::string> expected(const Act& act, const Result<void>& done) {
    if (!done && !act.fails) return tl::make_unexpected(done.error());
    if (done && act.fails) return fail(ErrorCode::remote_error, "it was expected to fail, and did not");
    return done ? std::string("done") : done.error().text;
  }

  Result<void> member(const Act& act) {
    const Person& who = people_[act.user];
    const std::string& room = rooms_[act.room];
    const Json whom = {{"user_id", people_[act.other].user_id()}};
    const std::string path = "/rooms/" + net::percent_encode(room);
    const auto nothing = [](const auto& answer) {
      return answer ? Result<void>() : Result<void>(tl::make_unexpected(answer.error()));
    };
    if (act.verb == Verb::join) {
      return nothing(who.join(room, {world_.users[world_.rooms[act.room].creator].server}));
    }
    if (act.verb == Verb::leave) return who.leave(room);
    if (act.verb == Verb::invite) return who.invite(room, people_[act.other].user_id());
    return nothing(who.api().post(path + (act.verb == Verb::kick ? "/kick" : "/ban"), whom));
  }

  Result<std::string> steer(const Act& act) {
    auto controller = Controller::connect(sandbox_->folder());
    if (!controller) return tl::make_unexpected(controller.error());
    const auto began = Steady::now();
    if (auto done = steer(act, *controller); !done) return tl::make_unexpected(done.error());
    if (act.verb != Verb::start) return std::string("done");
    auto answering = wait_until_answering(sandbox_->folder(), *controller, {act.server});
    if (!answering) return tl::make_unexpected(answering.error());
    return "answers after " + milliseconds(Steady::now() - began);
  }

  static Result<void> steer(const Act& act, Controller& controller) {
    if (!act.faults.empty()) return controller.put(act.faults);
    if (act.verb != Verb::heal) return controller.command(verb_text(act.verb), act.server);
    if (act.kinds.empty()) return controller.heal();
    for (const FaultKind kind : act.kinds) {
      if (auto healed = controller.heal(kind); !healed) return healed;
    }
    return {};
  }

  Result<std::string> delivered(const Act& act) {
    const Said& said = said_.at(act.label);
    const auto deadline = Steady::now() + std::chrono::milliseconds(act.time_ms);
    std::string found;
    for (const std::size_t listener : act.audience) {
      Steady::time_point last = said.since;
      for (std::size_t i = 0; i < said.events.size(); ++i) {
        if (said.speakers[i] == listener) continue;
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Steady::now());
        const auto heard =
            people_[listener].listener().wait_for_event(said.events[i], std::max(left, std::chrono::milliseconds(0)));
        if (!heard) {
          return fail(ErrorCode::timeout,
                      people_[listener].user_id() + " did not hear it within " + std::to_string(act.time_ms) + " ms");
        }
        last = std::max(last, heard->when);
      }
      found += (found.empty() ? "" : ", ") + world_.users[listener].localpart + " " + milliseconds(last - said.since);
    }
    return "after it was said: " + found;
  }

  Result<std::string> not_delivered(const Act& act) {
    const Said& said = said_.at(act.label);
    const auto deadline = Steady::now() + std::chrono::milliseconds(act.time_ms);
    for (const std::size_t listener : act.audience) {
      for (std::size_t i = 0; i < said.events.size(); ++i) {
        if (said.speakers[i] == listener) continue;
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Steady::now());
        if (people_[listener].listener().wait_for_event(said.events[i], std::max(left, std::chrono::milliseconds(0)))) {
          return fail(ErrorCode::remote_error, people_[listener].user_id() + " heard it");
        }
      }
    }
    return "not within " + std::to_string(act.time_ms) + " ms";
  }

  Result<std::string> converged(const Act& act) {
    std::vector<const Person*> people;
    for (const std::size_t user : act.audience) people.push_back(&people_[user]);
    const auto began = Steady::now();
    const auto agreed =
        wait_until_agreed(people, rooms_[act.room], acknowledged_[act.room], std::chrono::milliseconds(act.time_ms));
    if (!agreed) return tl::make_unexpected(agreed.error());
    return std::to_string(people.size()) + " servers hold the same " + std::to_string(agreed->events) +
           " events and the same state of " + std::to_string(agreed->state_entries) + " entries, after " +
           milliseconds(Steady::now() - began);
  }

  const Scenario& scenario_;
  const World& world_;
  std::unique_ptr<OwnSandbox> sandbox_;  // outlives the people
  std::vector<Person> people_;
  std::vector<std::string> rooms_;
  std::map<std::string, Said> said_;
  std::map<std::size_t, std::vector<std::string>> acknowledged_;
};

double seconds(Steady::duration time) { return std::chrono::duration<double>(time).count(); }

}  // namespace

Result<ScenarioResult> run_scenario(const Scenario& scenario, const std::function<void(const Played&)>& tell) {
  const auto began = Steady::now();
  Staging stage(scenario);
  if (auto set = stage.set(); !set) return tl::make_unexpected(set.error());
  const auto curtain = Steady::now();
  ScenarioResult result;
  result.ready_s = seconds(curtain - began);
  for (const Act& act : scenario.play) {
    while (Steady::now() < curtain + std::chrono::milliseconds(act.at_ms) && !interrupted()) {
      std::this_thread::sleep_for(timeline_step);
    }
    const auto start = Steady::now();
    auto found = stage.play(act);
    if (interrupted()) return fail(ErrorCode::cancelled, "interrupted");
    Played played{&act, seconds(start - curtain), seconds(Steady::now() - start), found.has_value(),
                  found ? *found : found.error().text};
    tell(played);
    result.acts.push_back(std::move(played));
    if (!found) break;
  }
  result.took_s = seconds(Steady::now() - began);
  return result;
}

}  // namespace skerry::sandbox
