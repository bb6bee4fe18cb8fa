#include "sandbox/world/own_sandbox.h"

#include <cstdlib>
#include <filesystem>

#include "sandbox/world/files.h"

namespace skerry::sandbox {

namespace {

constexpr std::size_t shown_server_lines = 5;

}  // namespace

Result<std::unique_ptr<OwnSandbox>> OwnSandbox::start(std::size_t servers, const ServerTraits& traits,
                                                      const std::vector<std::string>& appservices) {
  std::error_code error;
  const auto temporary = std::filesystem::temp_directory_path(error);
  std::string root = ((error ? std::filesystem::path("/tmp") : temporary) / "skerry-XXXXXX").string();
  if (::mkdtemp(root.data()) == nullptr) return tl::make_unexpected(system_error(root));
  std::unique_ptr<OwnSandbox> own(new OwnSandbox({root}));
  UpOptions options;
  options.folder = own->folder_;
  options.servers = servers;
  options.traits = traits;
  options.appservices = appservices;
  options.tied = true;
  auto sandbox = bring_up(options);
  if (!sandbox) return tl::make_unexpected(sandbox.error());
  own->sandbox_ = std::move(*sandbox);
  own->web_ = std::make_unique<Web>(own->status().ca_file);
  return own;
}

OwnSandbox::~OwnSandbox() {
  web_.reset();
  if (kept_) return;
  if (auto controller = Controller::connect(folder_)) (void)controller->down();
  std::error_code ignored;
  std::filesystem::remove_all(folder_.path, ignored);
}

Result<SandboxStatus> OwnSandbox::status_now() const {
  auto controller = Controller::connect(folder_);
  if (!controller) return tl::make_unexpected(controller.error());
  return controller->status();
}

Result<void> OwnSandbox::set_blocked(const std::string& server, bool blocked) {
  auto controller = Controller::connect(folder_);
  if (!controller) return tl::make_unexpected(controller.error());
  return controller->command(blocked ? "block" : "unblock", server);
}

Result<void> OwnSandbox::keep() {
  auto told = skerry::sandbox::keep(sandbox_);
  kept_ = told.has_value();
  return told;
}

std::string OwnSandbox::logs() const {
  std::string text;
  for (const ServerStatus& server : status().servers) {
    text += server.name + ":\n" + last_lines(folder_.server_log(server.name), shown_server_lines) + "\n";
  }
  return text;
}

}  // namespace skerry::sandbox
