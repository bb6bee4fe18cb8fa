// The command line, parsed. The one place that knows CLI11.
#pragma once

#include <optional>
#include <ostream>
#include <string>
#include <vector>

namespace skerry::client {

struct Arguments {
  // For every command.
  std::string server;   // base URL or server name
  std::string account;  // which stored session
  std::vector<std::string> ca_files;
  std::string state_dir;
  bool json = false;

  std::string command;  // empty: the chat screen

  // register, login
  std::string user;  // also: whom to invite
  std::optional<std::string> password;
  std::string password_file;
  bool password_stdin = false;
  std::string token;

  // logout
  bool forget = false;

  // Rooms and messages.
  std::string room;
  std::vector<std::string> via;
  std::string reason;
  std::string name;
  std::string topic;
  std::string alias;
  std::vector<std::string> invite;
  bool is_public = false;
  std::vector<std::string> words;  // of the message; none: it is read from stdin
  std::string kind = "m.text";
  int limit = 30;
  double timeout_s = 0;  // tail: 0 is for ever
  int count = 0;         // tail: 0 is no end

  // The chat screen.
  std::string status_note;
};

// Fills `arguments`, and answers nothing; or answers the exit status when there is nothing left to do: help and version
// go to `out` (0), mistakes as one line to `err` (2). $SKERRY_CLIENT_HOME and the XDG variables are read.
std::optional<int> parse_arguments(int argc, const char* const* argv, Arguments& arguments, std::ostream& out,
                                   std::ostream& err);

}  // namespace skerry::client
