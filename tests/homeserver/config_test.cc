// The configuration file, and the program's other ways to be called.
#include "homeserver/config.h"

#include <catch2/catch.hpp>

#include "tests/support/homeserver_process.h"

using namespace skerry;
using namespace skerry::homeserver;
using namespace skerry::test;

namespace {

const std::string good =
    "server_name = \"a.test\"\ndata_folder = \"data\"\n[[listeners]]\naddress = \"127.0.0.1\"\nport = 0\n";

Result<Config> read(const TemporaryFolder& folder, const std::string& text) {
  const std::string file = folder.path() + "/c.toml";
  write_file(file, text);
  return read_config(file);
}

// The sample with every commented key as a key.
std::string uncommented(std::string text) {
  for (std::size_t at = 0; at < text.size(); ++at) {
    const bool line_starts = at == 0 || text[at - 1] == '\n';
    if (line_starts && text[at] == '#' && at + 1 < text.size() && text[at + 1] != ' ') text[at] = ' ';
  }
  return text;
}

}  // namespace

TEST_CASE("the sample is the file of the sources and a good configuration of all defaults") {
  CHECK(sample_config() == read_file(SKERRY_SOURCE_DIR "/configs/homeserver.toml"));
  const TemporaryFolder folder;
  auto sample = read(folder, sample_config());
  REQUIRE(sample);
  auto plain = read(folder, good);
  REQUIRE(plain);
  CHECK(sample->registration.open == plain->registration.open);
  CHECK(sample->sessions.access_token_lifetime == plain->sessions.access_token_lifetime);
  CHECK(sample->log_level == plain->log_level);
  CHECK(sample->passwords.memory_bytes == plain->passwords.memory_bytes);
  CHECK(sample->passwords.passes == plain->passwords.passes);
  CHECK(sample->passwords.at_once == plain->passwords.at_once);
  CHECK(sample->rate_limits.enabled == plain->rate_limits.enabled);
  CHECK(sample->rate_limits.login.per_second == plain->rate_limits.login.per_second);
  CHECK(sample->rate_limits.join.burst == plain->rate_limits.join.burst);
  CHECK(sample->rate_limits.message.burst == plain->rate_limits.message.burst);
  CHECK(sample->rate_limits.media.burst == plain->rate_limits.media.burst);
  CHECK(sample->media.max_bytes == plain->media.max_bytes);
  CHECK(sample->media.user_bytes == plain->media.user_bytes);
  CHECK(sample->media.remote_cache_bytes == plain->media.remote_cache_bytes);
  CHECK(sample->media.unauthenticated_downloads == plain->media.unauthenticated_downloads);
  CHECK(sample->federation.backoff_first == plain->federation.backoff_first);
  CHECK(sample->federation.backoff_max == plain->federation.backoff_max);
  CHECK(sample->federation.https_port == plain->federation.https_port);
  CHECK(sample->federation.allowed_private_ranges.empty());
}

TEST_CASE("every key of the sample is taken") {
  const TemporaryFolder folder;
  auto config = read(folder, uncommented(sample_config()));
  if (!config) FAIL(config.error().text);
  CHECK(config->signing_key_file == folder.path() + "/signing.key");
  CHECK(config->listeners.size() == 2);
  CHECK(config->listeners[1].tls);
  CHECK(config->listeners[1].certificate_file == folder.path() + "/certificate.pem");
  CHECK(config->public_client_url == "https://matrix.example.org");
  CHECK(config->well_known_server == "matrix.example.org:8448");
  CHECK(config->support.contacts.at(0).email_address == "admin@example.org");
  CHECK(config->registration.shared_secret == "a long random text");
}

TEST_CASE("values are taken with their units") {
  const TemporaryFolder folder;
  auto config = read(
      folder,
      good +
          "[passwords]\nmemory_mib = 7\n[sessions]\naccess_token_seconds = 60\n[federation]\nbackoff_first_ms = 20\n"
          "backoff_max_ms = 500\nallowed_private_ranges = [\"127.0.0.0/8\"]\n"
          "ca_files = [\"ca.pem\"]\nnotaries = [\"n.test\"]\n"
          "[discovery]\nresolver = [\"127.0.0.53:53\", \"[::1]:5353\"]\nhttps_port = 8443\n");
  REQUIRE(config);
  CHECK(config->passwords.memory_bytes == 7 * 1'048'576);
  CHECK(config->sessions.access_token_lifetime.count() == 60'000);
  CHECK(config->federation.backoff_first.count() == 20);
  CHECK(config->federation.backoff_max.count() == 500);
  CHECK(config->federation.ca_files.at(0) == folder.path() + "/ca.pem");
  CHECK(config->federation.notaries.at(0).str() == "n.test");
  CHECK(config->federation.resolver.size() == 2);
  CHECK(config->federation.https_port == 8443);
  CHECK(config->data_folder == folder.path() + "/data");
  CHECK(config->signing_key_file == folder.path() + "/data/signing.key");
}

TEST_CASE("what is wrong in the configuration is named by line and key") {
  const TemporaryFolder folder;
  const auto problem_of = [&](const std::string& text) {
    auto config = read(folder, text);
    return config ? std::string("none") : config.error().text;
  };
  const std::string file = folder.path() + "/c.toml";
  CHECK(problem_of(good + "[registration]\nopened = true\n") == file + ":7: registration.opened: there is no such key");
  CHECK(problem_of("nonsense = 1\n" + good) == file + ":1: nonsense: there is no such key");
  CHECK(problem_of(good + "[registration]\nopen = \"yes\"\n") == file + ":7: registration.open: must be true or false");
  CHECK(problem_of(good + "[passwords]\nmemory_mib = 0\n") == file + ":7: passwords.memory_mib: must be 1 to 4096");
  CHECK(problem_of(good + "[passwords]\npasses = 1.5\n") ==
        file + ":7: passwords.passes: must be a whole number, 1 to 100");
  CHECK(problem_of("log_level = \"loud\"\n" + good) == file + ":1: log_level: must be debug, info, warn, error or off");
  CHECK_THAT(problem_of(good + "[federation]\nallowed_private_ranges = [\n\"127.0.0.0/8\",\n\"x\"]\n"),
             Catch::StartsWith(file + ":9: federation.allowed_private_ranges:"));
  CHECK_THAT(problem_of(good + "[discovery]\nresolver = [\"127.0.0.1\"]\n"),
             Catch::StartsWith(file + ":7: discovery.resolver:"));
  CHECK_THAT(problem_of(good + "[rate_limits]\nlogin = { per_second = 0, burst = 5 }\n"),
             Catch::StartsWith(file + ":7: rate_limits.login.per_second:"));
  CHECK_THAT(problem_of(good + "tls = true\n"), Catch::Contains(":3: listeners.certificate_file: is required"));
  CHECK_THAT(problem_of("server_name = \"a b\"\n"), Catch::Contains(":1: server_name:") &&
                                                        Catch::Contains("data_folder: is required") &&
                                                        Catch::Contains("listeners: there must be"));
  CHECK_THAT(problem_of(good + "port = 70000\n"), Catch::Contains(file + ":6:"));
  CHECK_THAT(problem_of("server_name = \n"), Catch::StartsWith(file + ":1: "));
  CHECK_THAT(read_config(folder.path() + "/none.toml").error().text, Catch::Contains("none.toml"));
}

TEST_CASE("the program checks a configuration and prints a sample and a key") {
  const TemporaryFolder folder;
  const std::string file = folder.path() + "/c.toml";
  write_file(file, good);
  CHECK(run({homeserver_program(), "--config", file, "--check-config"}).status == 0);
  write_file(file, good + "[federation]\nca_files = [\"none.pem\"]\n");
  const Ran no_file = run({homeserver_program(), "--config", file, "--check-config"});
  CHECK(no_file.status == 1);
  CHECK_THAT(no_file.output, Catch::Contains("none.pem"));
  write_file(file, good + "x = 1\n");
  const Ran broken = run({homeserver_program(), "--config", file});
  CHECK(broken.status == 1);
  CHECK_THAT(broken.output, Catch::Contains(file + ":6: listeners.x: there is no such key"));
  const Ran sample = run({homeserver_program(), "--print-sample-config"});
  CHECK(sample.status == 0);
  CHECK(sample.output == sample_config());
  const Ran key = run({homeserver_program(), "--generate-key"});
  CHECK(key.status == 0);
  CHECK_THAT(key.output, Catch::Matches("ed25519 a_[A-Za-z]{4} [A-Za-z0-9+/]{43}\n"));
  CHECK(run({homeserver_program(), "--generate-key"}).output != key.output);
  CHECK(run({homeserver_program()}).status != 0);
  CHECK(run({homeserver_program(), "--nonsense"}).status != 0);
}
