#include "homeserver/signing_key.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <sys/stat.h>
#include <unistd.h>

#include "net/log.h"

namespace skerry::homeserver {

namespace {

constexpr std::size_t seed_bytes = 32;

Result<SigningKey> parse_line(const std::string& file, const std::string& line) {
  std::istringstream words(line);
  std::string algorithm;
  std::string name;
  std::string seed_text;
  words >> algorithm >> name >> seed_text;
  const auto seed = base64_decode(seed_text);
  auto id = KeyId::parse(algorithm + ":" + name);
  if (algorithm != "ed25519" || !id || !seed || seed->size() != seed_bytes) {
    return fail(ErrorCode::storage, file + ": must be one line \"ed25519 NAME SEED\"");
  }
  return SigningKey::from_seed(*id, *seed);
}

std::string system_error(const std::string& file) { return file + ": " + std::strerror(errno); }

bool write_all(int descriptor, const std::string& text) {
  const ssize_t written = ::write(descriptor, text.data(), text.size());
  return written == static_cast<ssize_t>(text.size()) && ::fsync(descriptor) == 0;
}

// Written beside its place and renamed into it: a crash leaves a whole key or none.
Result<void> write_new(const std::string& file, const std::string& line) {
  const std::string temporary = file + ".new";
  const int descriptor = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (descriptor < 0) return fail(ErrorCode::storage, system_error(temporary));
  const bool written = write_all(descriptor, line);
  ::close(descriptor);
  if (!written || ::rename(temporary.c_str(), file.c_str()) != 0) return fail(ErrorCode::storage, system_error(file));
  auto folder_name = std::filesystem::path(file).parent_path().string();
  if (folder_name.empty()) folder_name = ".";
  const int folder = ::open(folder_name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const bool durable = folder >= 0 && ::fsync(folder) == 0;
  if (folder >= 0) ::close(folder);
  if (!durable) return fail(ErrorCode::storage, system_error(folder_name));
  return {};
}

}  // namespace

std::string generate_signing_key_line(net::Random& random) {
  constexpr std::string_view letters = "abcdefghijklmnopqrstuvwxyzABCDEF";  // 32: every letter is as likely
  std::string name = "a_";
  for (const char byte : random.bytes(4)) name += letters[static_cast<unsigned char>(byte) % letters.size()];
  return "ed25519 " + name + " " + base64_encode(random.bytes(seed_bytes));
}

Result<SigningKey> read_or_create_signing_key(const std::string& file, net::Random& random) {
  struct stat about {};
  if (::stat(file.c_str(), &about) != 0) {
    if (errno != ENOENT) return fail(ErrorCode::storage, system_error(file));
    const std::string line = generate_signing_key_line(random);
    if (auto written = write_new(file, line + "\n"); !written) return tl::make_unexpected(written.error());
    return parse_line(file, line);
  }
  if ((about.st_mode & 077) != 0) log::warn("main", file + " can be read by others: chmod 600 is advised");
  std::ifstream stream(file);
  std::string line;
  if (!std::getline(stream, line)) return fail(ErrorCode::storage, file + ": cannot be read, or is empty");
  return parse_line(file, line);
}

// First the old key's place among those that are published, then the new key: a crash in between leaves the old key in
// use, and one that is in use is not published as old.
Result<KeyId> rotate_signing_key(const std::string& file, const ServerName& us, storage::FederationStore& store,
                                 net::Clock& clock, net::Random& random) {
  const auto before = read_or_create_signing_key(file, random);
  if (!before) return tl::make_unexpected(before.error());
  const storage::StoredServerKey old{before->id(), before->public_key(), clock.now_ms(), true};
  if (auto saved = store.save_server_keys(us, {old}, {}); !saved) return tl::make_unexpected(saved.error());
  const std::string line = generate_signing_key_line(random);
  const auto key = parse_line(file, line);
  if (!key) return tl::make_unexpected(key.error());
  if (auto written = write_new(file, line + "\n"); !written) return tl::make_unexpected(written.error());
  return key->id();
}

}  // namespace skerry::homeserver
