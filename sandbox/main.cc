// skerry: a small internet of homeservers on one machine.
#include <iostream>

#include "bench/bench.h"
#include "net/log.h"
#include "sandbox/cli/commands.h"
#include "sandbox/world/supervisor.h"

int main(int argc, char** argv) {
  using namespace skerry::sandbox;  // NOLINT(google-build-using-namespace)
  Arguments arguments;
  if (const auto status = parse_arguments(argc, argv, arguments, std::cout, std::cerr)) return *status;
  if (arguments.command == "supervise") {
    SupervisorOptions options;
    options.folder = choose_folder(arguments.dir);
    options.servers = arguments.servers.value_or(1);
    options.traits = {arguments.direct, arguments.cheap_passwords, arguments.real_limits};
    options.ephemeral = arguments.ephemeral;
    options.starter = arguments.starter;
    return run_supervisor(options);
  }
  skerry::log::set_level(skerry::log::Level::off);  // stderr is for this program's own words
  if (arguments.command == "bench") {
    const auto done =
        skerry::bench::run({arguments.target, arguments.names, arguments.quick, arguments.json}, std::cout);
    if (done) return 0;
    std::cerr << "skerry: " << done.error().text << "\n";
    return 1;
  }
  return run_command(arguments);
}
