#include <algorithm>
#include <sys/resource.h>
#include <utility>

#include "net/http_sessions_impl.h"

namespace skerry::net {

namespace {

// What the limit of open files leaves.
std::size_t connections_for_process() {
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur == RLIM_INFINITY) return std::size_t(-1);
  const auto most = static_cast<std::size_t>(files.rlim_cur);
  return std::max(most - std::min(most, limits::files_not_for_connections), most / 2);
}

}  // namespace

Sessions::Sessions(HttpServerOptions server_options, HttpServer::Handler request_handler)
    : options(std::move(server_options)),
      handler(std::move(request_handler)),
      most_connections_(connections_for_process()),
      listeners_(options.listeners.size()) {}

bool Sessions::add(const SessionPtr& session, std::size_t listener, const std::string& address) {
  SessionPtr leaves;
  {
    std::scoped_lock lock(mutex_);
    if (stopping_ || is_full(address)) return false;
    const bool listener_full = listeners_[listener].connections >= options.connections_per_listener;
    if (listener_full || sessions_.size() >= most_connections_) {
      leaves = longest_idle(listener_full ? listeners_[listener] : fullest());
      if (!leaves) return false;
    }
    ++listeners_[listener].connections;
    if (!address.empty()) ++addresses_[address].connections;
    auto& idle = listeners_[listener].idle;
    sessions_.emplace(session.get(), Entry{session, listener, address, 0, idle.insert(idle.end(), session.get())});
  }
  if (leaves) leaves->close(true);
  return true;
}

void Sessions::remove(const SessionBase* session) {
  std::scoped_lock lock(mutex_);
  const auto found = sessions_.find(session);
  if (found == sessions_.end()) return;
  Entry& entry = found->second;
  no_longer_idle(entry);
  release_body(entry);
  --listeners_[entry.listener].connections;
  if (const auto address = addresses_.find(entry.address); address != addresses_.end()) {
    if (--address->second.connections == 0) addresses_.erase(address);
  }
  sessions_.erase(found);
}

std::vector<SessionPtr> Sessions::all() const {
  std::scoped_lock lock(mutex_);
  std::vector<SessionPtr> listed;
  for (const auto& [key, entry] : sessions_) listed.push_back(entry.session);
  return listed;
}

std::size_t Sessions::count() const {
  std::scoped_lock lock(mutex_);
  return sessions_.size();
}

std::size_t Sessions::body_bytes() const {
  std::scoped_lock lock(mutex_);
  return bodies_bytes_;
}

bool Sessions::hold_body(const SessionBase* session, std::size_t bytes) {
  std::scoped_lock lock(mutex_);
  const auto found = sessions_.find(session);
  if (found == sessions_.end()) return false;
  Entry& entry = found->second;
  const std::size_t more = bytes - std::min(bytes, entry.body_bytes);
  Address* address = entry.address.empty() ? nullptr : &addresses_[entry.address];
  if (bodies_bytes_ + more > options.bodies_bytes) return false;
  if (address != nullptr && address->bodies_bytes + more > options.bodies_bytes_per_address) return false;
  bodies_bytes_ += more;
  entry.body_bytes += more;
  if (address != nullptr) address->bodies_bytes += more;
  return true;
}

bool Sessions::begin_request(const SessionBase* session) {
  std::scoped_lock lock(mutex_);
  if (stopping_) return false;
  ++requests_;
  ++in_handler_;
  if (const auto found = sessions_.find(session); found != sessions_.end()) no_longer_idle(found->second);
  return true;
}

void Sessions::handler_returned() {
  std::scoped_lock lock(mutex_);
  --in_handler_;
  if (stopping_) changed_.notify_all();
}

bool Sessions::end_request(const SessionBase* session) {
  std::scoped_lock lock(mutex_);
  --requests_;
  if (const auto found = sessions_.find(session); found != sessions_.end()) {
    release_body(found->second);
    auto& idle = listeners_[found->second.listener].idle;
    found->second.idle = idle.insert(idle.end(), session);
  }
  if (stopping_) changed_.notify_all();
  return !stopping_;
}

void Sessions::begin_to_stop() {
  std::scoped_lock lock(mutex_);
  stopping_ = true;
}

std::vector<SessionPtr> Sessions::stop(std::chrono::milliseconds grace) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, grace, [&] { return requests_ == 0; });
  changed_.wait(lock, [&] { return in_handler_ == 0; });
  std::vector<SessionPtr> left;
  for (const auto& [key, entry] : sessions_) left.push_back(entry.session);
  sessions_.clear();
  return left;
}

bool Sessions::is_full(const std::string& address) const {
  if (address.empty() || options.connections_per_address == 0) return false;
  const auto found = addresses_.find(address);
  return found != addresses_.end() && found->second.connections >= options.connections_per_address;
}

Sessions::OfListener& Sessions::fullest() {
  return *std::max_element(listeners_.begin(), listeners_.end(),
                           [](const auto& a, const auto& b) { return a.connections < b.connections; });
}

SessionPtr Sessions::longest_idle(OfListener& of) {
  if (of.idle.empty()) return nullptr;
  Entry& entry = sessions_.at(of.idle.front());
  no_longer_idle(entry);  // it leaves once only
  return entry.session;
}

void Sessions::no_longer_idle(Entry& entry) {
  if (entry.idle) listeners_[entry.listener].idle.erase(*std::exchange(entry.idle, std::nullopt));
}

void Sessions::release_body(Entry& entry) {
  const std::size_t bytes = std::exchange(entry.body_bytes, 0);
  bodies_bytes_ -= bytes;
  if (!entry.address.empty() && bytes > 0) addresses_[entry.address].bodies_bytes -= bytes;
}

}  // namespace skerry::net
