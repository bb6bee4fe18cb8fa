#include "homeserver/metrics.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sys/resource.h>
#include <unistd.h>

#include "homeserver/routes.h"
#include "homeserver/services.h"

namespace skerry::homeserver {

namespace {

// Upper bounds in seconds, the last bucket has none.
constexpr std::array<double, 11> bounds_s = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5, 30};
constexpr std::array<int, 13> statuses = {200, 302, 400, 401, 403, 404, 405, 409, 413, 429, 500, 502, 504};

std::string shown(double number) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.9g", number);
  return text.data();
}

void describe(std::string& out, const char* name, const char* type, const char* help) {
  out += std::string("# HELP ") + name + " " + help + "\n# TYPE " + name + " " + type + "\n";
}

// `labels` without braces; empty for none.
void sample(std::string& out, const std::string& name, const std::string& labels, const std::string& value) {
  out += name + (labels.empty() ? "" : "{" + labels + "}") + " " + value + "\n";
}

void single(std::string& out, const char* name, const char* type, const char* help, double value) {
  describe(out, name, type, help);
  sample(out, name, "", shown(value));
}

std::string labels_of(std::size_t row) {
  const auto& table = routes();
  if (row >= table.size()) return R"(method="",route="")";
  return "method=\"" + std::string(table[row].method) + "\",route=\"" + std::string(table[row].path) + "\"";
}

void write_commits(std::string& out, const storage::WriteStats& stats) {
  single(out, "skerry_commits_total", "counter", "Jobs written to the database.", static_cast<double>(stats.jobs));
  describe(out, "skerry_commit_group_size", "histogram", "Jobs that shared one transaction and one fsync.");
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < stats.groups_by_size.size(); ++i) {
    sum += stats.groups_by_size[i];
    const bool last = i + 1 == stats.groups_by_size.size();
    sample(out, "skerry_commit_group_size_bucket", "le=\"" + (last ? "+Inf" : std::to_string(1U << i)) + "\"",
           std::to_string(sum));
  }
  sample(out, "skerry_commit_group_size_sum", "", std::to_string(stats.jobs));
  sample(out, "skerry_commit_group_size_count", "", std::to_string(sum));
}

void write_federation(std::string& out, const federation::OutboxStats& sent, std::uint64_t pdus, std::uint64_t edus) {
  describe(out, "skerry_federation_pdus_total", "counter", "Room events exchanged with other servers.");
  sample(out, "skerry_federation_pdus_total", R"(direction="sent")", std::to_string(sent.pdus));
  sample(out, "skerry_federation_pdus_total", R"(direction="received")", std::to_string(pdus));
  describe(out, "skerry_federation_edus_total", "counter", "Ephemeral data units exchanged with other servers.");
  sample(out, "skerry_federation_edus_total", R"(direction="sent")", std::to_string(sent.edus));
  sample(out, "skerry_federation_edus_total", R"(direction="received")", std::to_string(edus));
  describe(out, "skerry_outbox_destinations", "gauge",
           "Servers that are owed something: being sent to, or left in peace after a failure.");
  sample(out, "skerry_outbox_destinations", R"(state="sending")", std::to_string(sent.sending));
  sample(out, "skerry_outbox_destinations", R"(state="resting")", std::to_string(sent.resting));
}

std::size_t open_files() {
  std::error_code error;
  const std::filesystem::directory_iterator files("/proc/self/fd", error);
  return error ? 0 : static_cast<std::size_t>(std::distance(begin(files), end(files)));
}

void write_process(std::string& out) {
  std::ifstream statm("/proc/self/statm");
  double size_pages = 0, resident_pages = 0;
  statm >> size_pages >> resident_pages;
  single(out, "process_resident_memory_bytes", "gauge", "Memory in use.",
         resident_pages * static_cast<double>(::sysconf(_SC_PAGESIZE)));
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  single(out, "process_cpu_seconds_total", "counter", "Processor time used.",
         seconds(usage.ru_utime) + seconds(usage.ru_stime));
  single(out, "process_open_fds", "gauge", "Open files.", static_cast<double>(open_files()));
}

}  // namespace

struct Metrics::Row {
  std::array<std::atomic<std::uint64_t>, statuses.size() + 1> by_status{};  // the last: any other
  std::array<std::atomic<std::uint64_t>, bounds_s.size() + 1> by_time{};
  std::atomic<std::int64_t> nanoseconds{0};

  void count(int status, std::chrono::steady_clock::duration time) {
    const auto known = std::find(statuses.begin(), statuses.end(), status) - statuses.begin();
    by_status.at(static_cast<std::size_t>(known)).fetch_add(1, std::memory_order_relaxed);
    const double seconds = std::chrono::duration<double>(time).count();
    const auto bucket = std::lower_bound(bounds_s.begin(), bounds_s.end(), seconds) - bounds_s.begin();
    by_time.at(static_cast<std::size_t>(bucket)).fetch_add(1, std::memory_order_relaxed);
    nanoseconds.fetch_add(std::chrono::nanoseconds(time).count(), std::memory_order_relaxed);
  }
};

Metrics::Metrics() {
  for (std::size_t row = 0; row <= routes().size(); ++row) rows_.push_back(std::make_shared<Row>());
}

Metrics::~Metrics() = default;

net::Responder Metrics::counted(net::Responder responder, std::size_t row) {
  const auto begin = std::chrono::steady_clock::now();
  auto inner = std::make_shared<net::Responder>(std::move(responder));
  return net::Responder([counts = rows_.at(row), begin, inner](net::HttpResponse response) {
    counts->count(response.status, std::chrono::steady_clock::now() - begin);
    inner->respond(std::move(response));
  });
}

void Metrics::write_requests(std::string& out) const {
  describe(out, "skerry_http_requests_total", "counter", "Requests answered, by row of the route table and status.");
  for (std::size_t row = 0; row < rows_.size(); ++row) {
    for (std::size_t i = 0; i <= statuses.size(); ++i) {
      const std::uint64_t count = rows_[row]->by_status.at(i);
      const std::string status = i < statuses.size() ? std::to_string(statuses.at(i)) : "other";
      if (count > 0)
        sample(out, "skerry_http_requests_total", labels_of(row) + ",status=\"" + status + "\"", std::to_string(count));
    }
  }
  describe(out, "skerry_http_request_seconds", "histogram",
           "Time from a request's last byte to its answer; /sync waits by design.");
  for (std::size_t row = 0; row < rows_.size(); ++row) {
    std::array<std::uint64_t, bounds_s.size() + 1> up_to{};
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < up_to.size(); ++i) up_to.at(i) = sum += rows_[row]->by_time.at(i);
    if (sum == 0) continue;
    const std::string labels = labels_of(row);
    for (std::size_t i = 0; i < up_to.size(); ++i) {
      const std::string bound = i < bounds_s.size() ? shown(bounds_s.at(i)) : "+Inf";
      sample(out, "skerry_http_request_seconds_bucket", labels + ",le=\"" + bound + "\"", std::to_string(up_to.at(i)));
    }
    sample(out, "skerry_http_request_seconds_sum", labels, shown(static_cast<double>(rows_[row]->nanoseconds) / 1e9));
    sample(out, "skerry_http_request_seconds_count", labels, std::to_string(sum));
  }
}

std::string Metrics::text(Services& services, std::size_t open_connections) const {
  std::string out;
  write_requests(out);
  write_commits(out, services.database.write_stats());
  write_federation(out, services.outbox.stats(), received_pdus, received_edus);
  single(out, "skerry_waiting_syncs", "gauge", "Requests to /sync that wait for something new.",
         static_cast<double>(services.notifier.subscriptions()));
  single(out, "skerry_open_connections", "gauge", "Connections of clients and servers to this server.",
         static_cast<double>(open_connections));
  write_process(out);
  return out;
}

}  // namespace skerry::homeserver
