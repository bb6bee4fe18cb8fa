// Identifiers: server names, users, rooms, events, aliases, keys; and base64.
#include "core/ids.h"

#include "core/crypto.h"
#include "core/limits.h"
#include "tests/fuzz/fuzz.h"

using namespace skerry;
using skerry::test::must_hold;

namespace {

template <class Id>
Id try_id(std::string_view text) {
  const auto id = Id::parse(text);
  if (!id) return {};
  must_hold(id->str() == text, "an identifier is kept as written");
  must_hold(!text.empty() && text.size() <= limits::id_bytes, "an identifier has at most 255 bytes");
  return *id;
}

void try_server(std::string_view text) {
  const ServerName server = try_id<ServerName>(text);
  if (server.empty()) return;
  const std::string host = server.host();
  must_hold(!host.empty() && text.find(host) != std::string_view::npos, "a server name has a host");
  if (server.port() != 0) must_hold(text.rfind(':') != std::string_view::npos, "a port is written after a colon");
  must_hold(text.size() <= limits::server_name_bytes, "a server name has at most 230 bytes");
  (void)server.is_ip_literal();
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = test::text_of(data, size);
  try_server(text);
  if (const UserId user = try_id<UserId>(text); !user.empty()) {
    must_hold("@" + std::string(user.localpart()) + ":" + user.server().str() == text, "a user id has two parts");
  }
  if (const RoomAlias alias = try_id<RoomAlias>(text); !alias.empty()) {
    must_hold(text.ends_with(":" + alias.server().str()), "an alias names its server");
  }
  if (const KeyId key = try_id<KeyId>(text); !key.empty()) {
    must_hold(text.starts_with(std::string(key.algorithm()) + ":"), "a key id names its algorithm");
  }
  (void)try_id<RoomId>(text);
  (void)try_id<EventId>(text);
  static const auto* home = new ServerName(*ServerName::parse("home.test"));
  if (const auto made = UserId::make_local(text, *home)) {
    must_hold(made->localpart() == text && made->server() == *home, "a new user id is made of its parts");
  }
  must_hold(base64_decode(base64_encode(text)) == text, "base64 decodes to what was encoded");
  must_hold(base64_decode(base64url_encode(text)) == text, "the URL-safe alphabet is read as well");
  if (const auto bytes = base64_decode(text)) must_hold(bytes->size() <= text.size(), "base64 does not grow");
  return 0;
}
