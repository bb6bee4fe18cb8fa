// A real skerry-homeserver process in a folder of its own, on free ports, for tests.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <sys/types.h>
#include <vector>

namespace skerry::test {

// A folder that is removed at the end.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// A program with its output in files. Killed by pid at the end; also ends when this process does.
class ChildProcess {
 public:
  ChildProcess(const std::vector<std::string>& arguments, const std::string& output_file);
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  pid_t pid() const { return pid_; }
  bool running();
  void signal(int number);
  // The exit status, or 128 and the signal's number. Fails the test after 60 seconds.
  int wait();

 private:
  pid_t pid_ = -1;
  int status_ = -1;
};

struct HomeserverOptions {
  std::string server_name = "alpha.test";
  bool registration_open = true;
  bool rate_limits = false;
  std::string log_level = "info";
  std::string top;  // further top-level keys
  std::string
      tables;  // further tables: "[federation]\n...", "[[listeners]]\n..." (the first listener is plain, for both APIs)
  std::string steering_file;  // made by Steering::create(); empty: none
};

class HomeserverProcess {
 public:
  // Starts it, and returns when it answers; throws when it does not within 30 seconds.
  explicit HomeserverProcess(HomeserverOptions options = {});

  const std::string& folder() const { return folder_.path(); }
  std::string config_file() const { return folder_.path() + "/homeserver.toml"; }
  std::string log_file() const { return folder_.path() + "/log"; }
  std::string log() const;  // all it wrote, of all starts
  std::uint16_t port(std::size_t listener = 0) const { return ports_.at(listener); }
  std::string url(std::size_t listener = 0) const;  // http://127.0.0.1:PORT
  pid_t pid() const { return process_->pid(); }

  void start();  // after stop() or kill(): with the same folder; ports may change
  int stop();    // SIGTERM; the exit status
  void kill();   // SIGKILL

 private:
  TemporaryFolder folder_;
  const std::string steering_file_;
  std::vector<std::uint16_t> ports_;
  std::unique_ptr<ChildProcess> process_;
};

std::string homeserver_program();  // path of skerry-homeserver
std::string read_file(const std::string& file);
void write_file(const std::string& file, const std::string& text);
// Runs a program to its end: exit status and everything it wrote.
struct Ran {
  int status = -1;
  std::string output;
};
Ran run(const std::vector<std::string>& arguments);

}  // namespace skerry::test
