// A program that is run for a user, in the foreground, as if the user had started it.
#pragma once

#include <array>
#include <csignal>
#include <map>
#include <string>
#include <vector>

#include "core/result.h"
#include "sandbox/world/sockets.h"

namespace skerry::sandbox {

// What we were handed and hand on: descriptors beyond stderr (as of a shell's <(...)), what is ignored (as by nohup),
// and the process that called us. REQUIRES: made before anything is opened or caught.
class Inheritance {
 public:
  Inheritance();

  // In a child, before exec: from now on everything but this is closed at exec; signals are as they were.
  void hand_on() const;
  bool ignored(int signal) const;
  // Readable when the caller is gone; not open where nobody waits for us: ignoring SIGHUP or leading a session, as
  // under nohup and setsid, we are meant to outlive them.
  int caller() const { return caller_.get(); }

 private:
  std::vector<int> descriptors_;
  std::map<int, struct sigaction> actions_;
  Descriptor caller_;
};

// The exit status that tells of a signal is this and the signal's number, as shells have it.
inline constexpr int signal_status = 128;

// 0 when there is such a program that can be run, else the status by which shells say why not: 127 none, 126 not to be
// run. Words without a slash are looked for in $PATH.
int missing_program(const std::string& word);

// Runs it to its end: our stdin, stdout, stderr, terminal and process group are its own. Its exit status, or 128 and
// the number of the signal that ended it. Signals sent to us alone are passed on to it. SIGTERM, SIGHUP and the end of
// the caller end it and what it started, within seconds; so does, with SIGKILL and for it alone, our own sudden end.
// `environment` is added to ours. To be called once, from the main thread. Errors: storage.
Result<int> run_in_foreground(const std::vector<std::string>& words,
                              const std::map<std::string, std::string>& environment, const Inheritance& inheritance);

}  // namespace skerry::sandbox
