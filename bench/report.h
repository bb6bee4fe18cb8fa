// The rows of a run: as a table while they come, or as JSON, an object a line.
#pragma once

#include <optional>
#include <ostream>
#include <string>

#include "bench/statistics.h"

namespace skerry::bench {

enum class Unit { per_second, seconds, bytes };

struct Row {
  std::string group;
  std::string name;
  Unit unit = Unit::per_second;
  double value = 0;  // the median, where there are percentiles
  std::optional<Percentiles> percentiles;
  // What the machine can do at best, in the same unit and run, and how it is called.
  std::optional<double> limit;
  std::string limit_name;
};

class Report {
 public:
  Report(std::ostream& out, bool json) : out_(out), json_(json) {}

  void add(const Row& row);
  // A sentence that is no figure.
  void note(const std::string& text);

 private:
  std::ostream& out_;
  const bool json_;
  std::string group_;
};

}  // namespace skerry::bench
