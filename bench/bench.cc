#include "bench/bench.h"

#include <algorithm>
#include <filesystem>
#include <map>

#include "bench/measurements.h"

namespace skerry::bench {

namespace {

using OfTarget = Result<void> (*)(Run&, Load&, const Target&);
using OfWorlds = Result<void> (*)(Run&);

const std::vector<std::pair<std::string, OfTarget>> of_target = {
    {"sends", measure_sends}, {"sync", measure_sync}, {"growth", measure_growth}};
const std::vector<std::pair<std::string, OfWorlds>> of_worlds = {
    {"start", measure_start},           {"memory", measure_memory}, {"waiting", measure_waiting},
    {"federation", measure_federation}, {"joins", measure_joins},   {"rooms", measure_rooms},
    {"floods", measure_floods}};

bool wanted(const BenchOptions& options, const std::string& name) {
  return options.groups.empty() ||
         std::find(options.groups.begin(), options.groups.end(), name) != options.groups.end();
}

Result<void> check_groups(const BenchOptions& options) {
  const auto known = group_names();
  for (const std::string& name : options.groups) {
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    std::string list;
    for (const std::string& each : known) list += " " + each;
    return fail(ErrorCode::invalid_param, "there is no measurement " + name + "; there are:" + list);
  }
  return {};
}

void report_machine(Run& run) {
  const auto rate = [&](const char* name, double value) {
    run.report.add({"this machine", name, Unit::per_second, value, std::nullopt, std::nullopt, {}});
  };
  rate("SQLite commits of one row, on the disk", run.machine.disk.single_commits_per_s);
  rate("SQLite rows in commits of a hundred", run.machine.disk.batched_rows_per_s);
  rate("Ed25519 signatures, one thread", run.machine.signatures_per_s);
  rate("Ed25519 verifications, one thread", run.machine.verifications_per_s);
  run.report.add({"this machine",
                  "round trip by TCP on loopback",
                  Unit::seconds,
                  run.machine.round_trip_s,
                  std::nullopt,
                  std::nullopt,
                  {}});
}

// In a sandbox with one server, or wherever it is wanted.
Result<void> run_of_target(const BenchOptions& options, Run& run) {
  const bool any =
      std::any_of(of_target.begin(), of_target.end(), [&](const auto& group) { return wanted(options, group.first); });
  if (!any) return {};
  std::unique_ptr<sandbox::OwnSandbox> own;
  std::string url = options.target;
  if (url.empty()) {
    auto started = sandbox::OwnSandbox::start(1, {true, true});
    if (!started) return tl::make_unexpected(started.error());
    own = std::move(*started);
    url = own->status().servers.front().client_url;
  }
  const auto target = Target::at(url);
  if (!target) return tl::make_unexpected(target.error());
  Load load({});
  for (const auto& [name, measure] : of_target) {
    if (!wanted(options, name)) continue;
    if (auto done = measure(run, load, *target); !done) return fail(done.error().code, name + ": " + done.error().text);
  }
  return {};
}

}  // namespace

std::vector<std::string> group_names() {
  std::vector<std::string> names;
  for (const auto& [name, measure] : of_target) names.push_back(name);
  for (const auto& [name, measure] : of_worlds) names.push_back(name);
  return names;
}

Result<void> run(const BenchOptions& options, std::ostream& out) {
  if (auto known = check_groups(options); !known) return known;
  if (!options.target.empty()) {
    if (const auto target = Target::at(options.target); !target) return tl::make_unexpected(target.error());
  }
  Report report(out, options.json);
  std::error_code error;
  const auto folder = std::filesystem::temp_directory_path(error);
  const auto machine =
      measure_machine(error ? "/tmp" : folder.string(), std::chrono::milliseconds(options.quick ? 50 : 1'000));
  if (!machine) return tl::make_unexpected(machine.error());
  Run run{report, *machine, std::chrono::milliseconds(options.quick ? 200 : 3'000), options.quick};
  report_machine(run);
  if (auto done = run_of_target(options, run); !done) return done;
  if (!options.target.empty()) return {};
  for (const auto& [name, measure] : of_worlds) {
    if (!wanted(options, name)) continue;
    if (auto done = measure(run); !done) return fail(done.error().code, name + ": " + done.error().text);
  }
  return {};
}

}  // namespace skerry::bench
