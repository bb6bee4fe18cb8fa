// skerry-homeserver: one Matrix homeserver.
#include <atomic>
#include <cstdio>
#include <future>
#include <iostream>
#include <malloc.h>
#include <sys/resource.h>
#include <unistd.h>

#include <CLI/CLI.hpp>

#include "homeserver/server.h"
#include "homeserver/signing_key.h"
#include "net/log.h"
#include "storage/database.h"
#include "storage/maintenance.h"

namespace {

using namespace skerry;              // NOLINT(google-build-using-namespace)
using namespace skerry::homeserver;  // NOLINT(google-build-using-namespace)

constexpr std::chrono::seconds stop_grace{10};

int complain(const Error& error) {
  std::cerr << "skerry-homeserver: " << error.text << "\n";
  return 1;
}

// A connection takes a descriptor: as many as the system lets this process have.
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  (void)::setrlimit(RLIMIT_NOFILE, &limit);
}

// Many small servers run on one machine in a sandbox: fewer arenas, and freed memory goes back soon.
void save_memory() {
  (void)::mallopt(M_ARENA_MAX, 2);
  (void)::mallopt(M_TRIM_THRESHOLD, 256 * 1'024);
  (void)::mallopt(M_MMAP_THRESHOLD, 256 * 1'024);
}

int serve(Config config, const std::string& steering_file) {
  (void)log::set_level(config.log_level);
  log::set_json(config.log_format == "json");
  raise_descriptor_limit();
  auto server = Server::start(std::move(config), steering_file);
  if (!server) return complain(server.error());
  std::promise<int> signalled;
  std::atomic<int> signals{0};
  (*server)->on_termination([&](int signal) {
    if (++signals > 1) ::_exit(128 + signal);
    signalled.set_value(signal);
  });
  ::malloc_trim(0);
  signalled.get_future().wait();
  log::info("main", "stopping");
  (*server)->stop(stop_grace);
  log::info("main", "stopped");
  return 0;
}

int check_database(const Config& config) {
  const auto report = storage::check_sqlite(config.data_folder);
  if (!report) return complain(report.error());
  const std::string file = config.data_folder + "/homeserver.db";
  for (const std::string& finding : report->findings) std::cout << file << ": " << finding << "\n";
  if (!report->findings.empty()) return 1;
  std::cout << file << ": good (" << report->rooms << " rooms, " << report->events << " events)\n";
  return 0;
}

int back_up(const Config& config, const std::string& file) {
  if (auto written = storage::backup_sqlite(config.data_folder, file); !written) return complain(written.error());
  // The files beside the database are as they were when they were made: a copy that is made later lacks none.
  std::cout << file
            << ": written. It holds the database alone; keep these as well, copied after it: " << config.data_folder
            << "/media, " << config.signing_key_file << "\n";
  return 0;
}

int rotate_key(const Config& config) {
  const auto database = storage::open_sqlite(config.data_folder, config.server_name);
  if (!database) return complain(database.error());
  const auto key = rotate_signing_key(config.signing_key_file, config.server_name, (*database)->federation(),
                                      net::system_clock(), net::system_random());
  if (!key) return complain(key.error());
  std::cout << config.signing_key_file << ": " << key->str() << " signs from the next start on\n";
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  save_memory();
  CLI::App app("A Matrix homeserver.");
  std::string config_file;
  bool check = false;
  bool print_sample = false;
  bool check_data = false;
  std::string backup_file;
  bool generate_key = false;
  std::string steering_file;
  bool rotate = false;
  auto* config_option = app.add_option("--config", config_file, "the configuration, a TOML file")->type_name("FILE");
  app.add_flag("--check-config", check, "read the configuration, say what is wrong with it, and end")
      ->needs(config_option);
  app.add_flag("--check-database", check_data,
               "look through the database, say what is wrong with it, and end; the server may be running")
      ->needs(config_option);
  app.add_option(
         "--backup", backup_file,
         "write the database as it is now, without media and signing key, to a new file, and end; the server may be "
         "running")
      ->type_name("FILE")
      ->needs(config_option);
  app.add_option("--steering", steering_file,
                 "for experiments: let whoever may write this file set the clock wrong and bound the backoff; `skerry` "
                 "makes one")
      ->type_name("FILE")
      ->needs(config_option);
  app.add_flag("--print-sample-config", print_sample, "print a commented configuration, and end");
  app.add_flag("--generate-key", generate_key, "print a new signing key as signing_key_file wants it, and end");
  app.add_flag(
         "--rotate-key", rotate,
         "put a new signing key in the old one's place, which is published as old, and end; the server must be down")
      ->needs(config_option);
  app.set_version_flag("--version", std::string("skerry-homeserver ") + SKERRY_VERSION);
  CLI11_PARSE(app, argc, argv);
  if (print_sample) {
    std::cout << sample_config();
    return 0;
  }
  if (generate_key) {
    std::cout << generate_signing_key_line(net::system_random()) << "\n";
    return 0;
  }
  if (config_file.empty()) {
    std::cerr << "skerry-homeserver: --config FILE is required; --print-sample-config prints one to begin with\n";
    return 2;
  }
  auto config = read_config(config_file);
  if (!config) {
    std::cerr << config.error().text << "\n";
    return 1;
  }
  if (check) {
    if (auto files = check_files(*config); !files) return complain(files.error());
    std::cout << config_file << ": good\n";
    return 0;
  }
  if (check_data) return check_database(*config);
  if (!backup_file.empty()) return back_up(*config, backup_file);
  if (rotate) return rotate_key(*config);
  return serve(std::move(*config), steering_file);
}
