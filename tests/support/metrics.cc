#include "tests/support/metrics.h"

#include <nlohmann/json.hpp>

#include "core/json.h"

namespace skerry::test {

std::string metrics_url(const HomeserverProcess& server) {
  const Json written = Json::parse(read_file(server.folder() + "/data/listeners.json"));
  if (!written.contains("metrics")) return {};
  return "http://127.0.0.1:" + std::to_string(written.at("metrics").at("port").get<int>());
}

std::string sample(const std::string& text, const std::string& name) {
  const auto at = ("\n" + text).find("\n" + name + " ");
  if (at == std::string::npos) return {};
  const auto begin = at + name.size() + 1;
  return text.substr(begin, text.find('\n', begin) - begin);
}

}  // namespace skerry::test
