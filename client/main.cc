// skerry-client: Matrix in a terminal.
#include <iostream>

#include "client/cli/arguments.h"
#include "client/cli/command.h"
#include "client/tui/chat_app.h"
#include "net/io.h"
#include "net/log.h"

int main(int argc, char** argv) {
  skerry::client::Arguments arguments;
  if (const auto status = skerry::client::parse_arguments(argc, argv, arguments, std::cout, std::cerr)) return *status;
  skerry::log::set_level(skerry::log::Level::off);  // stderr is for errors, one line each
  skerry::net::Io io(1);
  if (arguments.command.empty()) return skerry::client::run_chat(arguments, io, std::cout, std::cerr);
  return skerry::client::run_command(arguments, io, std::cout, std::cerr);
}
