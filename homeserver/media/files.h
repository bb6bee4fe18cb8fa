// The bytes of media as files, named by their hash: FOLDER/files/ab/cdef... One file serves all media of the same
// bytes.
#pragma once

#include <functional>
#include <memory>
#include <shared_mutex>
#include <string>
#include <string_view>

#include "net/http.h"
#include "net/runtime.h"

namespace skerry::homeserver {

// Thread-safe. Writes return when durable: file synced, renamed, folder synced. Errors: storage.
class MediaFiles {
 public:
  // Removes what writes that were cut off left behind.
  MediaFiles(std::string folder, net::Random& random);

  // Writes a file, then lets `record` note who needs it; nobody removes it between the two.
  Result<void> write(std::string_view bytes, const std::function<Result<void>(const std::string& hash)>& record);
  Result<std::shared_ptr<const net::FileBody>> open(const std::string& hash) const;

  // Removes a file and its thumbnails, unless `is_used` says that somebody needs it. Nothing is recorded meanwhile.
  Result<void> remove_unless(const std::string& hash, const std::function<Result<bool>()>& is_used);

  // A thumbnail that was made before; null when it was not. `name` is of letters, digits, '-' and '.'.
  std::shared_ptr<const net::FileBody> open_thumbnail(const std::string& hash, const std::string& name) const;
  Result<void> write_thumbnail(const std::string& hash, const std::string& name, std::string_view bytes);

 private:
  std::string path(const std::string& kind, const std::string& hash) const;
  Result<void> write_file(const std::string& path, std::string_view bytes);

  const std::string folder_;
  net::Random& random_;
  std::shared_mutex removing_;  // shared by those who write and record
};

}  // namespace skerry::homeserver
