#include "homeserver/media/files.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <mutex>
#include <unistd.h>

#include "core/crypto.h"

namespace skerry::homeserver {

namespace {

namespace fs = std::filesystem;

tl::unexpected<Error> failed(const std::string& path, int error) {
  return fail(ErrorCode::storage, path + ": " + std::strerror(error));
}

// Write errors of any kind leave no file behind.
Result<void> write_synced(const std::string& path, std::string_view bytes) {
  const int descriptor = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (descriptor < 0) return failed(path, errno);
  int error = 0;
  while (!bytes.empty() && error == 0) {
    const ssize_t written = ::write(descriptor, bytes.data(), bytes.size());
    if (written < 0 && errno != EINTR) error = errno;
    if (written > 0) bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  if (error == 0 && ::fsync(descriptor) != 0) error = errno;
  if (::close(descriptor) != 0 && error == 0) error = errno;
  if (error == 0) return {};
  ::unlink(path.c_str());
  return failed(path, error);
}

Result<void> sync_folder(const fs::path& folder) {
  const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const bool synced = descriptor >= 0 && ::fsync(descriptor) == 0;
  const int error = errno;
  if (descriptor >= 0) ::close(descriptor);
  if (!synced) return failed(folder.string(), error);
  return {};
}

// Makes a folder and those above it; each new name is synced into the folder that holds it.
Result<void> make_folder(const fs::path& folder) {
  std::error_code error;
  if (fs::is_directory(folder, error)) return {};
  if (auto made = make_folder(folder.parent_path()); !made) return made;
  if (!fs::create_directory(folder, error) && error) return failed(folder.string(), error.value());
  return sync_folder(folder.parent_path());
}

}  // namespace

MediaFiles::MediaFiles(std::string folder, net::Random& random) : folder_(std::move(folder)), random_(random) {
  std::error_code ignored;
  fs::remove_all(folder_ + "/incoming", ignored);
}

std::string MediaFiles::path(const std::string& kind, const std::string& hash) const {
  return folder_ + "/" + kind + "/" + hash.substr(0, 2) + "/" + hash.substr(2);
}

Result<void> MediaFiles::write_file(const std::string& path, std::string_view bytes) {
  const std::string incoming = folder_ + "/incoming";
  if (auto made = make_folder(incoming); !made) return made;
  const fs::path folder = fs::path(path).parent_path();
  if (auto made = make_folder(folder); !made) return made;
  std::error_code error;
  if (!fs::exists(path, error)) {
    const std::string unfinished = incoming + "/" + base64url_encode(random_.bytes(12));
    if (auto written = write_synced(unfinished, bytes); !written) return written;
    fs::rename(unfinished, path, error);
    if (error) return failed(path, error.value());
  }
  return sync_folder(folder);
}

Result<void> MediaFiles::write(std::string_view bytes,
                               const std::function<Result<void>(const std::string& hash)>& record) {
  const Sha256 digest = sha256(bytes);
  const std::string hash = base64url_encode({reinterpret_cast<const char*>(digest.data()), digest.size()});
  std::shared_lock lock(removing_);
  if (auto written = write_file(path("files", hash), bytes); !written) return written;
  return record(hash);
}

Result<std::shared_ptr<const net::FileBody>> MediaFiles::open(const std::string& hash) const {
  return net::FileBody::open(path("files", hash));
}

Result<void> MediaFiles::remove_unless(const std::string& hash, const std::function<Result<bool>()>& is_used) {
  std::unique_lock lock(removing_);
  const auto used = is_used();
  if (!used) return tl::make_unexpected(used.error());
  if (*used) return {};
  std::error_code error;
  fs::remove(path("files", hash), error);
  if (error) return failed(path("files", hash), error.value());
  fs::remove_all(path("thumbnails", hash), error);
  return {};
}

std::shared_ptr<const net::FileBody> MediaFiles::open_thumbnail(const std::string& hash,
                                                                const std::string& name) const {
  auto opened = net::FileBody::open(path("thumbnails", hash) + "/" + name);
  return opened ? *opened : nullptr;
}

Result<void> MediaFiles::write_thumbnail(const std::string& hash, const std::string& name, std::string_view bytes) {
  std::shared_lock lock(removing_);
  return write_file(path("thumbnails", hash) + "/" + name, bytes);
}

}  // namespace skerry::homeserver
