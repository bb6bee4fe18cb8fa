#include "sandbox/demo/demo.h"

#include <array>
#include <iostream>

#include "sandbox/demo/stage.h"
#include "sandbox/world/interrupt.h"

namespace skerry::sandbox {

namespace {

struct Step {
  const char* title;
  Result<void> (*run)(Stage&);
};

constexpr std::array<Step, 9> steps = {{
    {"Three servers start", start_servers},
    {"Three people register, each on another server", register_people},
    {"alice makes a public room, invites bob, and carol finds it by its name", make_room},
    {"All three talk", talk},
    {"All three servers hold the same room", compare_servers},
    {"alpha.test is blocked", block_a_server},
    {"alice begins again on bravo.test", begin_again_elsewhere},
    {"alpha.test is unblocked", heal},
    {"The price", count_the_price},
}};

}  // namespace

Result<void> demo_command(const Arguments& args) {
  catch_interrupts();
  Story story(std::cout, args.json, steps.size());
  if (!args.json) {
    std::cout
        << "Three homeservers, three people, one room. All of this happens now, on this machine, in a folder that\n"
           "is removed at the end: real processes, real TLS, real databases. Every number is measured.\n";
  }
  Stage stage(story);
  Result<void> done;
  for (const Step& step : steps) {
    story.begin(step.title);
    done = interrupted() ? Result<void>(fail(ErrorCode::cancelled, "interrupted")) : step.run(stage);
    if (!done) {
      story.failed(done.error().text);
      if (stage.servers && !interrupted()) std::cerr << stage.servers->logs();
      break;
    }
    story.held();
  }
  story.finish();
  if (!done) return fail(done.error().code, "the demo did not hold: " + done.error().text);
  return {};
}

}  // namespace skerry::sandbox
