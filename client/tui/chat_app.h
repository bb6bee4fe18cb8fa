// The chat screen as a program: terminal, threads, signals, storage.
#pragma once

#include <ostream>

#include "client/cli/arguments.h"
#include "net/io.h"

namespace skerry::client {

// Runs until the person quits. The exit status: 0; 1 with one line on `err` when something failed; 2 without a
// terminal.
int run_chat(const Arguments& args, net::Io& io, std::ostream& out, std::ostream& err);

}  // namespace skerry::client
