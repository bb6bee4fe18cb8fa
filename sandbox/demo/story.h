// Tells the steps of a demo as they happen: as text for people, or as one JSON object a step.
#pragma once

#include <chrono>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "core/json.h"

namespace skerry::sandbox {

class Story {
 public:
  Story(std::ostream& out, bool json, std::size_t steps);
  ~Story();

  void begin(const std::string& title);
  // A line of the step that began.
  void say(const std::string& line);
  // A value of it, for programs: exact where the text rounds.
  void fact(const std::string& name, const Json& value);
  void held();
  void failed(const std::string& why);
  // "demo: 9 of 9 steps held"; whether all did.
  bool finish();

 private:
  void end(bool held, const std::string& why);

  std::ostream& out_;
  const bool json_;
  const std::size_t steps_;
  std::size_t step_ = 0;
  std::size_t held_ = 0;
  std::string title_;
  std::chrono::steady_clock::time_point began_;
  std::vector<std::string> lines_;
  std::unique_ptr<Json> facts_;
};

}  // namespace skerry::sandbox
