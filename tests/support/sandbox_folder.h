// skerry in a folder of its own, as its users run it; whatever happened, it is down at the end.
#pragma once

#include <stdexcept>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "tests/support/homeserver_process.h"

namespace skerry::test {

class SandboxFolder {
 public:
  // `below`: where in root() the sandbox is; "": there.
  explicit SandboxFolder(const std::string& below = "") : path_(root_.path() + below) {}
  ~SandboxFolder() { skerry({"down"}); }

  Ran skerry(std::vector<std::string> words) const {
    words.insert(words.begin(), SKERRY_BIN_DIR "/skerry");
    words.insert(words.end(), {"--dir", path_});
    return run(words);
  }
  // What a command prints with --json. Throws, with its words, when it fails.
  Json json(std::vector<std::string> words) const {
    words.emplace_back("--json");
    const Ran ran = skerry(std::move(words));
    if (ran.status != 0) throw std::runtime_error(ran.output);
    return Json::parse(ran.output);
  }
  // Of one of its servers, in `skerry status`.
  std::string state(const std::string& server) const {
    const Json sandbox = json({"status"});
    for (const Json& each : sandbox.at("servers")) {
      if (each.at("name") == server) return each.at("state");
    }
    return "unknown";
  }
  const std::string& path() const { return path_; }
  const TemporaryFolder& root() const { return root_; }

 private:
  TemporaryFolder root_;
  const std::string path_;
};

}  // namespace skerry::test
