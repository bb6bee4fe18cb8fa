// The command line, parsed. The one place that knows CLI11.
#pragma once

#include <cstdint>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "sandbox/world/fault.h"

namespace skerry::sandbox {

struct Arguments {
  std::string command;
  std::string dir;  // as typed; empty: the default
  bool json = false;

  std::optional<std::size_t> servers;  // up, supervise
  bool direct = false;                 // up, supervise
  std::string limits = "none";         // up, exec
  bool real_limits = false;            // supervise
  bool cheap_passwords = false;        // supervise

  // up, exec: as [SERVER=]FILE
  std::vector<std::string> appservices;

  std::vector<std::string> names;  // kill, start, block, unblock, freeze, thaw: servers; heal: kinds of faults
  std::string kind;                // add: of server
  std::string name;                // add: a new server; logs: a server or "supervisor"
  std::size_t lines = 40;          // logs
  bool follow = false;             // logs

  std::string user;      // chat, register
  std::string server;    // chat, register
  std::string room;      // chat; room graph, diff
  std::string password;  // register

  // doctor; the server is `server`
  bool outside = false;               // of any sandbox
  std::vector<std::string> dns;       // addresses of DNS servers
  std::vector<std::string> ca_files;  // authorities that are trusted beside the system's
  std::vector<std::string> allow;     // private ranges that other servers would call
  std::uint16_t https_port = 443;

  std::string snapshot;  // snapshot, restore; snapshots: the one to remove
  bool replace = false;  // snapshot

  std::string file;                   // seed, scenario
  std::optional<std::uint64_t> seed;  // seed, scenario run

  std::string from;                      // link
  std::string to;                        // link
  bool one_way = false;                  // link
  LinkSettings link;                     // link
  std::string duration;                  // clock, backoff
  std::string dns_answer;                // dns
  std::vector<std::string> group_words;  // partition, as the shell split them

  std::string target;  // bench; its groups are `names`
  bool quick = false;  // bench

  // room
  std::string subcommand;
  std::string room_version;              // resolve
  std::vector<std::string> event_files;  // resolve
  std::vector<std::string> state_files;  // resolve
  bool explain = false;                  // resolve
  std::string format = "text";           // graph
  std::string around;                    // graph: an event
  std::size_t most = 200;                // graph
  std::string event;                     // explain

  std::vector<std::string> client_words;  // client

  std::vector<std::string> users;          // exec: as typed
  bool with_room = false;                  // exec
  bool keep = false;                       // exec
  std::vector<std::string> foreign_words;  // exec: the program and its arguments

  std::string how_called = "skerry";  // welcome: what a user types to run this program

  bool ephemeral = false;  // supervise
  int starter = -1;        // supervise
};

// Fills `arguments`, and answers nothing; or answers the exit status when there is nothing left to do: help and version
// go to `out` (0), mistakes to `err` (2).
std::optional<int> parse_arguments(int argc, const char* const* argv, Arguments& arguments, std::ostream& out,
                                   std::ostream& err);

}  // namespace skerry::sandbox
