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
  ~SandboxFolder() { skerry({"down"}); }

  Ran skerry(std::vector<std::string> words) const {
    words.insert(words.begin(), SKERRY_BIN_DIR "/skerry");
    words.insert(words.end(), {"--dir", root_.path()});
    return run(words);
  }
  // What a command prints with --json. Throws, with its words, when it fails.
  Json json(std::vector<std::string> words) const {
    words.emplace_back("--json");
    const Ran ran = skerry(std::move(words));
    if (ran.status != 0) throw std::runtime_error(ran.output);
    return Json::parse(ran.output);
  }
  const std::string& path() const { return root_.path(); }

 private:
  TemporaryFolder root_;
};

}  // namespace skerry::test
