// Answers DNS queries over UDP and TCP, on a thread of its own.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>

#include "core/result.h"
#include "sandbox/world/dns_message.h"
#include "sandbox/world/sockets.h"

namespace skerry::sandbox {

class DnsServer {
 public:
  // `judge` is asked on the thread of the server. Port 53 where that is permitted and free, else 5353, else any.
  // Errors: storage.
  static Result<std::unique_ptr<DnsServer>> start(const std::string& address, Zone zone, NameJudge judge = {});
  ~DnsServer();

  // What it answers from now on. Thread-safe.
  void set_zone(Zone zone);

  std::uint16_t port() const { return sockets_.port; }

 private:
  struct Connection;
  DnsServer(UdpTcp sockets, Zone zone, NameJudge judge);
  void run();
  void answer_datagrams();
  void accept_connections();
  bool serve(Connection& connection) const;
  std::optional<std::string> answer(std::string_view query_untrusted) const;

  const NameJudge judge_;
  mutable std::mutex mutex_;
  Zone zone_;  // guarded by mutex_
  UdpTcp sockets_;
  Descriptor stop_;  // an eventfd
  std::vector<Connection> connections_;
  std::thread thread_;
};

}  // namespace skerry::sandbox
