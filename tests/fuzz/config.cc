// The configuration file.
#include "homeserver/config.h"

#include "tests/fuzz/fuzz.h"

using namespace skerry;
using skerry::test::must_hold;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto config = homeserver::parse_config(test::text_of(data, size), "fuzz.toml");
  if (!config) {
    must_hold(config.error().text.starts_with("fuzz.toml:"), "a problem names its line");
    return 0;
  }
  must_hold(!config->server_name.empty() && !config->data_folder.empty() && !config->listeners.empty(),
            "a configuration that was read is complete");
  must_hold(config->federation.backoff_first <= config->federation.backoff_max, "backoff grows");
  return 0;
}
