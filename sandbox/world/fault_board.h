// The faults in force, and what follows from them for each connection and each DNS question.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "net/relay.h"
#include "sandbox/world/dns_message.h"
#include "sandbox/world/fault.h"

namespace skerry::sandbox {

// What the gateway has to do with a connection. `stand_in`: another answers in the server's place, as this mode says.
struct LinkVerdict {
  net::ConnectionRules rules;
  std::optional<LinkSettings> stand_in;
};

// Thread-safe.
class FaultBoard {
 public:
  // Puts a fault into force, in the place of one with the same key. One that is there already stays, with its counts. A
  // link that is up, a clock without an offset and a right answer are no faults: they end the one that is there.
  void put(Fault fault);
  // False when there is none.
  bool remove(const std::string& key);
  void clear();

  // In the order in which they came into force, with their counts.
  std::vector<Fault> list() const;
  std::optional<Fault> find(const std::string& key) const;

  // How a connection that `from` opens to `to` fares: names of servers, or clients_party.
  LinkVerdict judge_connection(const std::string& from, const std::string& to) const;
  // Whether requests of `from` can be expected to be answered by `to`, as far as faults go.
  bool reaches(const std::string& from, const std::string& to) const;
  // What is answered about a server's name; counted as a hit.
  NameVerdict judge_question(const std::string& server);

 private:
  struct Entry {
    Fault fault;
    std::shared_ptr<net::Tally> tally;
  };
  static Fault counted(const Entry& entry);
  const Entry* find_entry(const std::string& key) const;

  mutable std::mutex mutex_;
  std::vector<Entry> entries_;
};

}  // namespace skerry::sandbox
