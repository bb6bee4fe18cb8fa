// Identifiers as distinct types, made only by parse(). Appendices, 'Identifier Grammar'.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "core/result.h"

namespace skerry {

// What all identifiers share: an immutable text. Default construction gives an empty id that equals no parsed one, so
// that ids can stand in containers and aggregates; nothing else makes an id without parse().
template <class Self>
class Id {
 public:
  const std::string& str() const { return text_; }
  bool empty() const { return text_.empty(); }
  friend bool operator==(const Self& a, const Self& b) { return a.text_ == b.text_; }
  friend std::strong_ordering operator<=>(const Self& a, const Self& b) { return a.text_.compare(b.text_) <=> 0; }

 protected:
  Id() = default;
  explicit Id(std::string text) : text_(std::move(text)) {}
  std::string text_;
};

// `example.org`, `example.org:8448`, `1.2.3.4`, `[::1]:1234`. At most 230 bytes; kept as written.
class ServerName : public Id<ServerName> {
 public:
  static Result<ServerName> parse(std::string_view text);
  ServerName() = default;
  std::string host() const;    // without port; IPv6 without brackets
  std::uint16_t port() const;  // 0 when none is written
  bool is_ip_literal() const;  // IPv4 or bracketed IPv6
 private:
  using Id::Id;
};

// `@local:server`, at most 255 bytes.
class UserId : public Id<UserId> {
 public:
  // Accepts historical user ids as well (any localpart of valid UTF-8 without ':' and NUL), as receiving servers must.
  static Result<UserId> parse(std::string_view text);
  // For new users of this server: lower-case a-z 0-9 . _ = - / + only. Errors: invalid_username.
  static Result<UserId> make_local(std::string_view localpart, const ServerName& server);
  UserId() = default;
  std::string_view localpart() const;
  ServerName server() const;

 private:
  using Id::Id;
};

// `!opaque:server` (versions 1 to 11) or `!` and URL-safe base64 (version 12; check_format knows how long). At most 255
// bytes.
class RoomId : public Id<RoomId> {
 public:
  static Result<RoomId> parse(std::string_view text);
  RoomId() = default;

 private:
  using Id::Id;
};

// `$opaque:server` (versions 1, 2) or `$` and a hash. At most 255 bytes.
class EventId : public Id<EventId> {
 public:
  static Result<EventId> parse(std::string_view text);
  EventId() = default;
  ServerName server() const;  // empty when the id is a hash

 private:
  using Id::Id;
};

// `#name:server`, at most 255 bytes.
class RoomAlias : public Id<RoomAlias> {
 public:
  static Result<RoomAlias> parse(std::string_view text);
  RoomAlias() = default;
  ServerName server() const;

 private:
  using Id::Id;
};

// `ed25519:name`, algorithm and name.
class KeyId : public Id<KeyId> {
 public:
  static Result<KeyId> parse(std::string_view text);
  KeyId() = default;
  std::string_view algorithm() const;

 private:
  using Id::Id;
};

}  // namespace skerry

#define SKERRY_HASH_ID(Type)                                                                                     \
  template <>                                                                                                    \
  struct std::hash<skerry::Type> {                                                                               \
    std::size_t operator()(const skerry::Type& id) const noexcept { return std::hash<std::string>{}(id.str()); } \
  };
SKERRY_HASH_ID(ServerName)
SKERRY_HASH_ID(UserId)
SKERRY_HASH_ID(RoomId)
SKERRY_HASH_ID(EventId)
SKERRY_HASH_ID(RoomAlias)
SKERRY_HASH_ID(KeyId)
#undef SKERRY_HASH_ID
