// The only file that knows the YAML library. Aliases in a file are the same node twice, not copies, and only members
// named here are looked at: nothing multiplies.
#include "homeserver/appservices/registration.h"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <yaml-cpp/yaml.h>

#include "net/http_client.h"

namespace skerry::homeserver {

namespace {

constexpr std::size_t file_bytes = 262'144;
constexpr std::size_t list_entries = 1'000;
constexpr std::size_t text_bytes = 4'096;

class Reader {
 public:
  explicit Reader(std::string file) : file_(std::move(file)) {}

  void problem(const YAML::Mark& where, const std::string& text) {
    problems_ += (problems_.empty() ? "" : "\n") + file_ + ":" + std::to_string(where.line + 1) + ": " + text;
  }
  const std::string& problems() const { return problems_; }

  // Null when it is absent or of another kind, which is then said.
  YAML::Node member(const YAML::Node& map, const char* key, YAML::NodeType::value type, const char* kind) {
    YAML::Node node = map[key];
    if (!node || node.IsNull()) return YAML::Node(YAML::NodeType::Undefined);
    if (node.Type() == type) return node;
    problem(node.Mark(), std::string(key) + ": must be " + kind);
    return YAML::Node(YAML::NodeType::Undefined);
  }

  void text(const YAML::Node& map, const char* key, std::string& target) {
    const YAML::Node node = member(map, key, YAML::NodeType::Scalar, "a text");
    if (!node.IsDefined()) return;
    if (node.Scalar().size() > text_bytes) return problem(node.Mark(), std::string(key) + ": is too long");
    target = node.Scalar();
  }

  void required_text(const YAML::Node& map, const char* key, std::string& target) {
    text(map, key, target);
    if (target.empty()) problem(map.Mark(), std::string(key) + ": is required");
  }

  void flag(const YAML::Node& map, const char* key, bool& target) {
    const YAML::Node node = member(map, key, YAML::NodeType::Scalar, "true or false");
    if (node.IsDefined() && !YAML::convert<bool>::decode(node, target))
      problem(node.Mark(), std::string(key) + ": must be true or false");
  }

  template <class Read>
  void list(const YAML::Node& map, const char* key, const Read& read) {
    const YAML::Node node = member(map, key, YAML::NodeType::Sequence, "a list");
    if (!node.IsDefined()) return;
    if (node.size() > list_entries) return problem(node.Mark(), std::string(key) + ": is too long a list");
    for (const YAML::Node& entry : node) read(entry);
  }

  void namespaces(const YAML::Node& map, const char* key, std::vector<AppserviceNamespace>& target) {
    list(map, key, [&](const YAML::Node& entry) {
      if (!entry.IsMap()) return problem(entry.Mark(), std::string(key) + ": must be a list of regex and exclusive");
      AppserviceNamespace one;
      required_text(entry, "regex", one.regex);
      flag(entry, "exclusive", one.exclusive);
      target.push_back(std::move(one));
    });
  }

 private:
  const std::string file_;
  std::string problems_;
};

void read_members(Reader& reader, const YAML::Node& root, AppserviceRegistration& registration) {
  reader.required_text(root, "id", registration.id);
  reader.required_text(root, "as_token", registration.as_token);
  reader.required_text(root, "hs_token", registration.hs_token);
  reader.required_text(root, "sender_localpart", registration.sender_localpart);
  // Not in every file that is out there, though the specification demands it: then nothing is sent, as with null.
  reader.text(root, "url", registration.url);
  if (!registration.url.empty() && !net::parse_url(registration.url))
    reader.problem(root["url"].Mark(), "url: is no http or https URL");
  reader.flag(root, "receive_ephemeral", registration.receive_ephemeral);
  reader.flag(root, "de.sorunome.msc2409.push_ephemeral", registration.receive_ephemeral_by_old_name);
  reader.flag(root, "rate_limited", registration.rate_limited);
  reader.list(root, "protocols", [&](const YAML::Node& entry) {
    if (!entry.IsScalar()) return reader.problem(entry.Mark(), "protocols: must be a list of texts");
    registration.protocols.push_back(entry.Scalar());
  });
  const YAML::Node namespaces = reader.member(root, "namespaces", YAML::NodeType::Map, "users, aliases and rooms");
  if (!namespaces.IsDefined()) return;
  reader.namespaces(namespaces, "users", registration.users);
  reader.namespaces(namespaces, "aliases", registration.aliases);
  reader.namespaces(namespaces, "rooms", registration.rooms);
}

}  // namespace

Result<AppserviceRegistration> read_appservice_registration(const std::string& file) {
  std::error_code error;
  const auto size = std::filesystem::file_size(file, error);
  std::ifstream stream(file, std::ios::binary);
  if (error || !stream) return fail(ErrorCode::storage, file + ": cannot be read");
  if (size > file_bytes) return fail(ErrorCode::invalid_param, file + ": is too large for a registration");
  const std::string text{std::istreambuf_iterator<char>(stream), {}};
  Reader reader(file);
  AppserviceRegistration registration;
  try {
    const YAML::Node root = YAML::Load(text);
    if (!root.IsMap()) return fail(ErrorCode::invalid_param, file + ":1: is no YAML object");
    read_members(reader, root, registration);
  } catch (const YAML::Exception& failed) {
    reader.problem(failed.mark, failed.msg);
  }
  if (!reader.problems().empty()) return fail(ErrorCode::invalid_param, reader.problems());
  return registration;
}

}  // namespace skerry::homeserver
