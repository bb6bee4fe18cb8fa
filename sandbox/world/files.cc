#include "sandbox/world/files.h"

#include <array>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <sys/stat.h>
#include <unistd.h>

#include "sandbox/world/sockets.h"

namespace skerry::sandbox {

namespace fs = std::filesystem;

namespace {

constexpr std::streamoff tail_bytes = 64 * 1'024;

}  // namespace

Result<std::string> read_file(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(stream), {}};
  if (!stream) return tl::make_unexpected(system_error(path));
  return text;
}

Result<void> write_file(const std::string& path, const std::string& text) {
  const std::string beside = path + ".new";
  {
    Descriptor file(::open(beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    if (!file.open()) return tl::make_unexpected(system_error(beside));
    std::size_t written = 0;
    while (written < text.size()) {
      const ssize_t size = ::write(file.get(), text.data() + written, text.size() - written);
      if (size < 0) return tl::make_unexpected(system_error(beside));
      written += static_cast<std::size_t>(size);
    }
  }
  if (::rename(beside.c_str(), path.c_str()) != 0) return tl::make_unexpected(system_error(path));
  return {};
}

Result<void> make_folder(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode)) return {};
  const std::string above = fs::path(path).parent_path().string();
  if (!above.empty() && above != path) {
    if (auto made = make_folder(above); !made) return made;
  }
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return tl::make_unexpected(system_error(path));
  return {};
}

Result<void> remove_contents(const Folder& folder) {
  std::error_code error;
  for (const std::string& path :
       {folder.servers(), folder.client_home(), folder.authority(), folder.sandbox_json(), folder.places_json(),
        folder.passwords_json(), folder.snapshots(), folder.path + "/snapshot.new", folder.path + "/restore.new",
        folder.path + "/restore", folder.supervisor_log(), folder.control_socket(), folder.lock_file()}) {
    fs::remove_all(path, error);
    if (error) return fail(ErrorCode::storage, path + ": " + error.message());
  }
  fs::remove(folder.path, error);  // other people's files keep it
  return {};
}

std::string last_lines(const std::string& path, std::size_t lines) {
  std::ifstream stream(path, std::ios::binary | std::ios::ate);
  if (!stream) return "";
  const std::streamoff size = stream.tellg();
  stream.seekg(std::max<std::streamoff>(0, size - tail_bytes));
  std::string text{std::istreambuf_iterator<char>(stream), {}};
  while (!text.empty() && text.back() == '\n') text.pop_back();
  std::size_t begin = text.size();
  for (; lines > 0 && begin != std::string::npos && begin > 0; --lines) begin = text.rfind('\n', begin - 1);
  if (begin != std::string::npos && begin < text.size() && text[begin] == '\n') ++begin;
  return without_controls(begin == std::string::npos ? text : text.substr(begin));
}

std::string without_controls(std::string text) {
  for (char& c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte < 0x20 && c != '\n' && c != '\t') || byte == 0x7f) c = '?';
  }
  return text;
}

std::string program_folder() {
  std::array<char, 4'096> path;
  const ssize_t size = ::readlink("/proc/self/exe", path.data(), path.size());
  return size <= 0 ? "." : fs::path(std::string(path.data(), static_cast<std::size_t>(size))).parent_path().string();
}

}  // namespace skerry::sandbox
