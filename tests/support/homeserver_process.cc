#include "tests/support/homeserver_process.h"

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "tests/support/api.h"

namespace skerry::test {

namespace {

using Steady = std::chrono::steady_clock;
constexpr std::chrono::seconds start_time{30};
constexpr std::chrono::seconds end_time{60};
constexpr std::chrono::milliseconds step{5};

std::string config_text(const HomeserverOptions& options) {
  std::ostringstream text;
  text << "server_name = \"" << options.server_name << "\"\n"
       << "data_folder = \"data\"\n"
       << "log_level = \"" << options.log_level << "\"\n"
       << options.top << "\n"
       << "[[listeners]]\naddress = \"127.0.0.1\"\nport = 0\nclient_api = true\nfederation_api = true\n"
       << "[registration]\nopen = " << (options.registration_open ? "true" : "false") << "\n"
       << "shared_secret = \"the shared secret\"\n"
       << "[passwords]\nmemory_mib = 1\npasses = 1\n"
       << "[rate_limits]\nenabled = " << (options.rate_limits ? "true" : "false") << "\n"
       << options.tables;
  return text.str();
}

}  // namespace

TemporaryFolder::TemporaryFolder() {
  std::string name = (std::filesystem::temp_directory_path() / "skerry-test-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary folder");
  path_ = name;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

ChildProcess::ChildProcess(const std::vector<std::string>& arguments, const std::string& output_file) {
  std::vector<char*> words;
  for (const std::string& argument : arguments) words.push_back(const_cast<char*>(argument.c_str()));
  words.push_back(nullptr);
  const int output = ::open(output_file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (output < 0) throw std::runtime_error("cannot write " + output_file);
  pid_ = ::fork();
  if (pid_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::dup2(output, STDOUT_FILENO);
    ::dup2(output, STDERR_FILENO);
    ::close_range(3, ~0U, 0);  // sockets of servers in this process are not the child's
    ::execv(words[0], words.data());
    ::_exit(127);
  }
  ::close(output);
  if (pid_ < 0) throw std::runtime_error("cannot fork");
}

ChildProcess::~ChildProcess() {
  if (!running()) return;
  signal(SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

bool ChildProcess::running() {
  if (status_ >= 0) return false;
  int status = 0;
  if (::waitpid(pid_, &status, WNOHANG) != pid_) return true;
  status_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return false;
}

void ChildProcess::signal(int number) {
  if (status_ < 0) ::kill(pid_, number);
}

int ChildProcess::wait() {
  const auto deadline = Steady::now() + end_time;
  while (running()) {
    if (Steady::now() > deadline) throw std::runtime_error("a process did not end in time");
    std::this_thread::sleep_for(step);
  }
  return status_;
}

HomeserverProcess::HomeserverProcess(HomeserverOptions options) : steering_file_(options.steering_file) {
  write_file(config_file(), config_text(options));
  start();
}

void HomeserverProcess::start() {
  const std::string listeners = folder() + "/data/listeners.json";
  std::error_code ignored;
  std::filesystem::remove(listeners, ignored);
  std::vector<std::string> arguments{homeserver_program(), "--config", config_file()};
  if (!steering_file_.empty()) arguments.insert(arguments.end(), {"--steering", steering_file_});
  process_ = std::make_unique<ChildProcess>(arguments, log_file());
  const auto deadline = Steady::now() + start_time;
  while (!std::filesystem::exists(listeners)) {
    if (!process_->running() || Steady::now() > deadline) {
      throw std::runtime_error("skerry-homeserver did not start:\n" + log());
    }
    std::this_thread::sleep_for(step);
  }
  ports_.clear();
  const Json written = Json::parse(read_file(listeners));
  for (const Json& listener : written.at("listeners")) {
    ports_.push_back(listener.at("port").get<std::uint16_t>());
  }
  if (Api(url()).get("/_matrix/client/versions").status != 200) {
    throw std::runtime_error("skerry-homeserver does not answer:\n" + log());
  }
}

std::string HomeserverProcess::log() const { return read_file(log_file()); }

std::string HomeserverProcess::url(std::size_t listener) const {
  return "http://127.0.0.1:" + std::to_string(port(listener));
}

int HomeserverProcess::stop() {
  process_->signal(SIGTERM);
  return process_->wait();
}

void HomeserverProcess::kill() {
  process_->signal(SIGKILL);
  process_->wait();
}

std::string homeserver_program() { return SKERRY_BIN_DIR "/skerry-homeserver"; }

std::string read_file(const std::string& file) {
  std::ifstream stream(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

void write_file(const std::string& file, const std::string& text) {
  std::ofstream stream(file, std::ios::binary);
  stream << text;
  if (!stream.flush()) throw std::runtime_error("cannot write " + file);
}

Ran run(const std::vector<std::string>& arguments) {
  const TemporaryFolder folder;
  ChildProcess process(arguments, folder.path() + "/output");
  Ran ran;
  ran.status = process.wait();
  ran.output = read_file(folder.path() + "/output");
  return ran;
}

}  // namespace skerry::test
