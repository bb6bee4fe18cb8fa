#include "net/router.h"

#include <map>

#include "net/http.h"

namespace skerry::net {

struct Router::Node {
  std::map<std::string, std::unique_ptr<Node>, std::less<>> literals;
  std::unique_ptr<Node> parameter;
  std::map<std::string, std::size_t, std::less<>> rows;  // by method
};

Router::Router() : root_(std::make_unique<Node>()) {}
Router::~Router() = default;
Router::Router(Router&&) noexcept = default;
Router& Router::operator=(Router&&) noexcept = default;

namespace {

std::vector<std::string_view> segments_of(std::string_view path) {
  std::vector<std::string_view> segments;
  if (path.empty() || path.front() != '/') return segments;
  path.remove_prefix(1);
  for (;;) {
    const auto slash = path.find('/');
    segments.push_back(path.substr(0, slash));
    if (slash == std::string_view::npos) return segments;
    path.remove_prefix(slash + 1);
  }
}

constexpr std::size_t max_segments = 32;

}  // namespace

void Router::add(std::string_view method, std::string_view pattern, std::size_t row) {
  Node* node = root_.get();
  for (const std::string_view segment : segments_of(pattern)) {
    const bool parameter = segment.size() > 2 && segment.front() == '{' && segment.back() == '}';
    auto& next = parameter ? node->parameter : node->literals[std::string(segment)];
    if (!next) next = std::make_unique<Node>();
    node = next.get();
  }
  node->rows.emplace(method, row);
}

Router::Match Router::find(std::string_view method, std::string_view raw_path) const {
  const auto segments = segments_of(raw_path);
  Match match;
  if (segments.empty() || segments.size() > max_segments) return match;
  // Walks the ways that fit, literals first. A way that ends in another method is remembered, one that fits is final.
  struct Step {
    const Node* node;
    std::size_t depth;
    std::vector<std::string_view> raw_parameters;
  };
  std::vector<Step> open{{root_.get(), 0, {}}};
  while (!open.empty()) {
    Step step = std::move(open.back());
    open.pop_back();
    if (step.depth == segments.size()) {
      if (step.node->rows.empty()) continue;
      const auto row = step.node->rows.find(method);
      if (row == step.node->rows.end()) {
        match.kind = Match::Kind::wrong_method;
        continue;
      }
      for (const std::string_view raw : step.raw_parameters) {
        auto decoded = percent_decode(raw);
        if (!decoded) return {Match::Kind::bad_escape, row->second, {}};
        match.parameters.push_back(std::move(*decoded));
      }
      match.kind = Match::Kind::found;
      match.row = row->second;
      return match;
    }
    const std::string_view segment = segments[step.depth];
    if (step.node->parameter && !segment.empty()) {
      auto parameters = step.raw_parameters;
      parameters.push_back(segment);
      open.push_back({step.node->parameter.get(), step.depth + 1, std::move(parameters)});
    }
    if (const auto literal = step.node->literals.find(segment); literal != step.node->literals.end()) {
      open.push_back({literal->second.get(), step.depth + 1, std::move(step.raw_parameters)});
    }
  }
  return match;
}

}  // namespace skerry::net
