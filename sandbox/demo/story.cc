#include "sandbox/demo/story.h"

#include <algorithm>
#include <string_view>

#include <nlohmann/json.hpp>

#include "sandbox/cli/table.h"

namespace skerry::sandbox {

namespace {

constexpr std::size_t columns = 110;
constexpr std::size_t indent = 3;
constexpr std::size_t hanging = 2;  // what a line's continuations are indented more

// A line in several where it is too long, broken at spaces; its own indentation is kept.
std::string wrapped(const std::string& line) {
  const std::size_t own = std::min(line.find_first_not_of(' '), line.size());
  std::string out;
  std::string_view rest = std::string_view(line).substr(own);
  for (std::size_t margin = indent + own;; margin = indent + own + hanging) {
    std::size_t end = rest.size();
    if (margin + rest.size() > columns) {
      end = rest.rfind(' ', columns - margin);
      if (end == std::string_view::npos) end = std::min(rest.find(' '), rest.size());
    }
    out.append(margin, ' ').append(rest.substr(0, end)) += '\n';
    if (end == rest.size()) return out;
    rest.remove_prefix(end + 1);
  }
}

}  // namespace

Story::Story(std::ostream& out, bool json, std::size_t steps) : out_(out), json_(json), steps_(steps) {}

Story::~Story() = default;

void Story::begin(const std::string& title) {
  ++step_;
  title_ = title;
  began_ = std::chrono::steady_clock::now();
  lines_.clear();
  facts_ = std::make_unique<Json>(Json::object());
  if (!json_) out_ << "\n" << step_ << ". " << title << std::endl;
}

void Story::say(const std::string& line) {
  lines_.push_back(line);
  if (!json_) out_ << wrapped(line) << std::flush;
}

void Story::fact(const std::string& name, const Json& value) { (*facts_)[name] = value; }

void Story::held() {
  ++held_;
  end(true, {});
}

void Story::failed(const std::string& why) { end(false, why); }

void Story::end(bool held, const std::string& why) {
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began_;
  if (!json_) {
    out_ << wrapped(held ? "held, after " + seconds_text(took) : "DID NOT HOLD: " + why) << std::flush;
    return;
  }
  Json step = {{"step", step_},           {"title", title_}, {"held", held},
               {"seconds", took.count()}, {"told", lines_},  {"facts", *facts_}};
  if (!held) step["why"] = why;
  out_ << dump(step) << std::endl;
}

bool Story::finish() {
  const std::string summary = "demo: " + std::to_string(held_) + " of " + std::to_string(steps_) + " steps held";
  if (json_) {
    out_ << dump({{"summary", summary}, {"held", held_}, {"steps", steps_}}) << std::endl;
  } else {
    out_ << "\n" << summary << std::endl;
  }
  return held_ == steps_;
}

}  // namespace skerry::sandbox
