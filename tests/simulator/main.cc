// simulate: plays any number of seeds, or one script again. See README.md.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <sstream>
#include <string>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

#include <CLI/CLI.hpp>

#include "net/log.h"
#include "tests/simulator/play.h"

namespace skerry::simulator {

namespace {

constexpr int shrinking_tries = 400;
constexpr int failures_shrunk = 3;  // of one process; the others are named

struct Options {
  std::uint64_t seeds = 100;
  std::uint64_t from = 0;
  std::int64_t seed = -1;
  std::string replay;
  int jobs = 1;
  bool keep_size = false;
  bool verbose = false;
  bool graph = false;
};

void tell(const Outcome& outcome) {
  for (const auto& complaint : outcome.complaints) std::cout << "  " << complaint << "\n";
}

// The script, and how to play it again.
void explain(const Script& script, const Options& options) {
  const Script smallest = options.keep_size ? script : shrink(script, shrinking_tries);
  std::cout << "the smallest script found that fails (" << smallest.actions.size() << " actions):\n";
  tell(play(smallest));
  std::cout << to_text(smallest) << "again: tools/simulate --seed " << script.seed
            << ", or the lines above from 'seed' on in a file: tools/simulate --replay FILE" << std::endl;
}

int play_one(const Script& script, const Options& options) {
  const Outcome outcome = play(script, options.graph);
  std::cout << outcome.graph << outcome.tally.summary() << "\n";
  if (!outcome.failed()) {
    std::cout << "all is well\n";
    return 0;
  }
  tell(outcome);
  explain(script, options);
  return 1;
}

int replay(const Options& options) {
  std::ifstream file(options.replay);
  std::stringstream text;
  text << file.rdbuf();
  const auto script = parse_script(text.str());
  if (!file || !script) {
    std::cerr << options.replay << ": " << (file ? script.error().text : "cannot be read") << "\n";
    return 2;
  }
  return play_one(*script, options);
}

struct Total {
  Tally tally;
  std::uint64_t failures = 0;
};

// Every jobs-th seed, beginning with the job's own.
Total play_share(const Options& options, std::uint64_t job) {
  Total total;
  for (std::uint64_t i = job; i < options.seeds; i += static_cast<std::uint64_t>(options.jobs)) {
    const Script script = script_of(options.from + i);
    const Outcome outcome = play(script);
    total.tally.add(outcome.tally);
    if (!outcome.failed()) continue;
    ++total.failures;
    std::cout << "seed " << script.seed << " (version " << script.version << ") fails:\n";
    tell(outcome);
    if (total.failures <= failures_shrunk) explain(script, options);
    std::cout << std::flush;
  }
  return total;
}

// A process each: a simulation has one thread and its own disk.
int play_all(const Options& options) {
  const auto begin = std::chrono::steady_clock::now();
  std::vector<int> pipes;
  for (int job = 0; job < options.jobs; ++job) {
    int ends[2];
    if (pipe(ends) != 0) return 2;
    const pid_t child = fork();
    if (child < 0) return 2;
    if (child == 0) {
      const Total total = play_share(options, static_cast<std::uint64_t>(job));
      const bool told = write(ends[1], &total, sizeof total) == static_cast<ssize_t>(sizeof total);
      std::cout << std::flush;
      std::_Exit(told ? 0 : 2);
    }
    close(ends[1]);
    pipes.push_back(ends[0]);
  }
  Total all;
  bool complete = true;
  for (const int end : pipes) {
    Total total;
    complete = read(end, &total, sizeof total) == static_cast<ssize_t>(sizeof total) && complete;
    close(end);
    all.tally.add(total.tally);
    all.failures += total.failures;
  }
  while (wait(nullptr) > 0) {
  }
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  std::cout << options.seeds << " seeds from " << options.from << " in " << static_cast<int>(seconds) << " s ("
            << static_cast<int>(static_cast<double>(options.seeds) / seconds) << " a second): " << all.failures
            << " failed\n"
            << all.tally.summary() << "\n";
  if (!complete) std::cout << "a process ended before its seeds did\n";
  return all.failures == 0 && complete ? 0 : 1;
}

}  // namespace

}  // namespace skerry::simulator

int main(int argc, char** argv) {
  using namespace skerry;
  simulator::Options options;
  CLI::App app("Plays histories of a room on several servers, each decided by its seed, and looks whether they agree.");
  app.add_option("--seeds", options.seeds, "how many")->capture_default_str();
  app.add_option("--from", options.from, "the first of them")->capture_default_str();
  app.add_option("--jobs", options.jobs, "processes at a time")->capture_default_str()->check(CLI::Range(1, 256));
  app.add_option("--seed", options.seed, "plays this one only")->check(CLI::NonNegativeNumber);
  app.add_option("--replay", options.replay, "plays a script from a file");
  app.add_flag("--keep-size", options.keep_size, "prints failing scripts as they are");
  app.add_flag("--graph", options.graph, "with --seed or --replay: prints every event, and what became of it where");
  app.add_flag("--verbose", options.verbose, "lets the servers log");
  CLI11_PARSE(app, argc, argv);
  log::set_level(options.verbose ? log::Level::debug : log::Level::off);
  if (!options.replay.empty()) return simulator::replay(options);
  if (options.seed >= 0) {
    return simulator::play_one(simulator::script_of(static_cast<std::uint64_t>(options.seed)), options);
  }
  return simulator::play_all(options);
}
