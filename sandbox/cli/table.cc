#include "sandbox/cli/table.h"

#include <algorithm>
#include <array>
#include <cstdio>

namespace skerry::sandbox {

namespace {

using Row = std::array<std::string, 7>;
constexpr std::size_t gap = 2;

std::string number(const char* format, double value) {
  std::array<char, 64> text;
  std::snprintf(text.data(), text.size(), format, value);
  return text.data();
}

}  // namespace

std::string seconds_text(std::chrono::duration<double> time) { return number("%.2f s", time.count()); }
std::string milliseconds_text(std::chrono::duration<double> time) { return number("%.0f ms", time.count() * 1'000); }
std::string megabytes_text(std::uint64_t bytes) { return number("%.1f MB", static_cast<double>(bytes) / 1'000'000); }

std::string server_table(const SandboxStatus& status) {
  std::vector<Row> rows = {{"NAME", "KIND", "CLIENT URL", "FEDERATION", "PID", "MEMORY", "STATE"}};
  for (const ServerStatus& server : status.servers) {
    rows.push_back({server.name, to_text(server.kind), server.client_url, server.federation_address,
                    server.pid ? std::to_string(*server.pid) : "-",
                    server.pid ? megabytes_text(server.memory_bytes) : "-", to_text(server.state)});
  }
  std::array<std::size_t, std::tuple_size_v<Row>> widths{};
  for (const Row& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string text;
  for (const Row& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      text += row[i];
      if (i + 1 < row.size()) text.append(widths[i] + gap - row[i].size(), ' ');
    }
    text += '\n';
  }
  return text;
}

}  // namespace skerry::sandbox
