// The environment in which Synapse runs: made once, shared by all sandboxes, never half there.
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <iostream>
#include <sstream>
#include <sys/file.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

#include "sandbox/world/child.h"
#include "sandbox/world/files.h"
#include "sandbox/world/interrupt.h"
#include "sandbox/world/sockets.h"
#include "sandbox/world/synapse.h"

namespace skerry::sandbox {

namespace {

constexpr const char* version = "1.163.2";
constexpr const char* python_variable = "SKERRY_SYNAPSE_PYTHON";
constexpr std::chrono::milliseconds look_interval{50};
constexpr std::chrono::minutes install_time{15};
constexpr std::size_t shown_install_lines = 8;

using Steady = std::chrono::steady_clock;

std::string environment() { return cache_folder() + "/synapse-" + version; }
// There when the environment is whole.
std::string whole_marker() { return environment() + "/whole"; }
std::string install_log() { return environment() + ".log"; }

std::string own_python() { return environment() + "/bin/python"; }

// Whole, as another process that works elsewhere takes it, too.
std::string given_python() {
  const char* given = std::getenv(python_variable);
  return given != nullptr && *given != '\0' ? std::filesystem::absolute(given).string() : "";
}

bool can_be_run(const std::string& program) { return ::access(program.c_str(), X_OK) == 0; }

std::string find_program(const std::string& name) {
  const char* path = std::getenv("PATH");
  std::istringstream folders(path != nullptr ? path : "");
  std::string folder;
  while (std::getline(folders, folder, ':')) {
    std::string program = folder + "/" + name;
    if (!folder.empty() && can_be_run(program)) return program;
  }
  return "";
}

Result<void> run_to_end(const std::vector<std::string>& words, Steady::time_point deadline) {
  const auto child = spawn_child(words, install_log());
  if (!child) return tl::make_unexpected(child.error());
  int status = 0;
  while (true) {
    const pid_t ended = ::waitpid(*child, &status, WNOHANG);
    if (ended == *child) break;
    const bool late = Steady::now() > deadline;
    if (late || interrupted()) {
      ::kill(*child, SIGKILL);
      ::waitpid(*child, &status, 0);
      if (late) return fail(ErrorCode::timeout, "it took longer than a quarter of an hour");
      return fail(ErrorCode::cancelled, "interrupted");
    }
    std::this_thread::sleep_for(look_interval);
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  return fail(ErrorCode::unreachable,
              "the end of " + install_log() + ":\n" + last_lines(install_log(), shown_install_lines));
}

// Another that installs it, too, is waited for.
Result<Descriptor> take_turn() {
  if (auto made = make_folder(cache_folder()); !made) return tl::make_unexpected(made.error());
  const std::string file = environment() + ".lock";
  Descriptor lock(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!lock.open()) return tl::make_unexpected(system_error(file));
  while (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    if (interrupted()) return fail(ErrorCode::cancelled, "interrupted");
    std::this_thread::sleep_for(look_interval);
  }
  return lock;
}

}  // namespace

std::string synapse_python(const std::string& before) {
  if (auto given = given_python(); !given.empty()) return given;
  return !before.empty() && can_be_run(before) ? before : own_python();
}

Result<void> install_synapse(const std::string& before) {
  if (const std::string python = synapse_python(before); python != own_python()) {
    if (can_be_run(python)) return {};
    return tl::make_unexpected(system_error(std::string(python_variable) + ": " + python));
  }
  const auto whole = [] { return ::access(whole_marker().c_str(), F_OK) == 0; };
  if (whole()) return {};
  const std::string python = find_program("python3");
  if (python.empty()) return fail(ErrorCode::unreachable, "Synapse cannot be installed: there is no python3 in PATH");
  const auto turn = take_turn();
  if (!turn) return tl::make_unexpected(turn.error());
  if (whole()) return {};
  std::cerr << "Synapse " << version << " is installed into " << environment() << ", once; this takes a minute or two"
            << std::endl;
  ::unlink(install_log().c_str());
  const auto deadline = Steady::now() + install_time;
  const std::string package = std::string("matrix-synapse==") + version;
  for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{
           {python, "-m", "venv", "--clear", environment()},
           {own_python(), "-m", "pip", "install", "--disable-pip-version-check", "--no-input", package},
           {own_python(), "-c", "import synapse.app.homeserver"}}) {
    const auto done = run_to_end(words, deadline);
    if (!done && done.error().code == ErrorCode::cancelled) return done;
    if (!done) return fail(ErrorCode::unreachable, "Synapse cannot be installed: " + done.error().text);
  }
  return write_file(whole_marker(), "");
}

}  // namespace skerry::sandbox
