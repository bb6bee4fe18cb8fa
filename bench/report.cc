#include "bench/report.h"

#include <cstdio>

#include <nlohmann/json.hpp>

#include "core/json.h"

namespace skerry::bench {

namespace {

std::string formatted(const char* format, double value) {
  char text[64];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

std::string text_of(Unit unit, double value) {
  switch (unit) {
    case Unit::per_second:
      return formatted("%.0f/s", value);
    case Unit::seconds:
      if (value >= 1) return formatted("%.2f s", value);
      return value >= 0.001 ? formatted("%.1f ms", value * 1e3) : formatted("%.0f us", value * 1e6);
    case Unit::bytes:
      return value >= 1e6 ? formatted("%.1f MB", value / 1e6) : formatted("%.1f kB", value / 1e3);
  }
  return "";
}

const char* unit_word(Unit unit) {
  switch (unit) {
    case Unit::per_second:
      return "per_second";
    case Unit::seconds:
      return "seconds";
    case Unit::bytes:
      return "bytes";
  }
  return "";
}

std::string padded(std::string text, std::size_t width) {
  if (text.size() < width) text.append(width - text.size(), ' ');
  return text;
}

Json json_of(const Row& row) {
  Json json = {{"group", row.group}, {"name", row.name}, {"unit", unit_word(row.unit)}, {"value", row.value}};
  if (row.percentiles) {
    json.update({{"p50", row.percentiles->p50}, {"p95", row.percentiles->p95}, {"p99", row.percentiles->p99}});
  }
  if (row.limit) {
    json.update({{"limit", *row.limit}, {"limit_name", row.limit_name}, {"ratio", row.value / *row.limit}});
  }
  return json;
}

}  // namespace

void Report::add(const Row& row) {
  if (json_) {
    out_ << dump(json_of(row)) << std::endl;
    return;
  }
  if (row.group != group_) out_ << "\n" << row.group << "\n";
  group_ = row.group;
  std::string line = "  " + padded(row.name, 52) + padded(text_of(row.unit, row.value), 11);
  if (row.percentiles) {
    line +=
        "p95 " + text_of(row.unit, row.percentiles->p95) + ", p99 " + text_of(row.unit, row.percentiles->p99) + "  ";
  }
  if (row.limit) {
    line += formatted("%.2f", row.value / *row.limit) + " of " + row.limit_name + ", " + text_of(row.unit, *row.limit);
  }
  out_ << line.substr(0, line.find_last_not_of(' ') + 1) << std::endl;
}

void Report::note(const std::string& text) {
  if (json_) {
    out_ << dump({{"note", text}}) << std::endl;
  } else {
    out_ << "  " << text << std::endl;
  }
}

}  // namespace skerry::bench
