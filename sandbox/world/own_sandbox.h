// A sandbox in a fresh folder, which ends with this object, or with the process, and leaves nothing, unless it is kept.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "sandbox/world/bring_up.h"
#include "sandbox/world/web.h"

namespace skerry::sandbox {

class OwnSandbox {
 public:
  // Errors: as bring_up().
  static Result<std::unique_ptr<OwnSandbox>> start(std::size_t servers, const ServerTraits& traits = {},
                                                   const std::vector<std::string>& appservices = {});
  ~OwnSandbox();
  OwnSandbox(const OwnSandbox&) = delete;
  OwnSandbox& operator=(const OwnSandbox&) = delete;

  // As it is now: memory, processes.
  Result<SandboxStatus> status_now() const;
  // As it was when it came up; addresses stay.
  const SandboxStatus& status() const { return sandbox_.status; }
  const std::string& url(const std::string& server) const { return status().server(server).client_url; }
  const Folder& folder() const { return folder_; }
  Web& web() { return *web_; }
  Result<void> set_blocked(const std::string& server, bool blocked);
  // From now on it is one like any other, and stays. Errors: unreachable.
  Result<void> keep();
  // The last words of each server's log.
  std::string logs() const;

 private:
  explicit OwnSandbox(Folder folder) : folder_(std::move(folder)) {}

  const Folder folder_;
  bool kept_ = false;
  Sandbox sandbox_;
  std::unique_ptr<Web> web_;
};

}  // namespace skerry::sandbox
