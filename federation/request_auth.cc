#include "federation/request_auth.h"

#include <map>

#include <nlohmann/json.hpp>

namespace skerry::federation {

namespace {

constexpr std::size_t max_header_bytes = 4'096;

bool is_space(char c) { return c == ' ' || c == '\t'; }

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

// Reads `name=value` pairs; values are tokens (colons and more allowed, for older servers) or quoted strings with
// escapes.
class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  bool scheme() {
    constexpr std::string_view wanted = "x-matrix";
    if (text_.size() <= wanted.size()) return false;
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      if (lower(text_[i]) != wanted[i]) return false;
    }
    at_ = wanted.size();
    return is_space(text_[at_]);
  }

  // All pairs by lower-case name; false when malformed or a name comes twice.
  bool pairs(std::map<std::string, std::string>& into) {
    for (;;) {
      skip_separators();
      if (at_ == text_.size()) return true;
      std::string name, value;
      if (!read_name(name) || !read_value(value)) return false;
      if (!into.emplace(std::move(name), std::move(value)).second) return false;
      skip_spaces();
      if (at_ < text_.size() && text_[at_] != ',') return false;
    }
  }

 private:
  void skip_spaces() {
    while (at_ < text_.size() && is_space(text_[at_])) ++at_;
  }
  void skip_separators() {
    while (at_ < text_.size() && (is_space(text_[at_]) || text_[at_] == ',')) ++at_;
  }
  bool read_name(std::string& name) {
    while (at_ < text_.size() && text_[at_] != '=' && text_[at_] != ',' && !is_space(text_[at_]))
      name += lower(text_[at_++]);
    if (name.empty() || at_ == text_.size() || text_[at_] != '=') return false;
    ++at_;
    return true;
  }
  bool read_value(std::string& value) {
    if (at_ < text_.size() && text_[at_] == '"') return read_quoted(value);
    while (at_ < text_.size() && text_[at_] != ',' && !is_space(text_[at_])) {
      if (text_[at_] == '"') return false;
      value += text_[at_++];
    }
    return !value.empty();
  }
  bool read_quoted(std::string& value) {
    for (++at_; at_ < text_.size(); ++at_) {
      if (text_[at_] == '"') {
        ++at_;
        return true;
      }
      if (text_[at_] == '\\' && ++at_ == text_.size()) return false;
      value += text_[at_];
    }
    return false;
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

// Events of old rooms may carry numbers that canonical JSON has not: requests with them are signed all the same.
Json signed_object(std::string_view method, std::string_view target, const ServerName& origin,
                   const ServerName& destination, const Json* content) {
  Json object = {{"method", method}, {"uri", target}, {"origin", origin.str()}, {"destination", destination.str()}};
  if (content != nullptr) object["content"] = *content;
  return object;
}

}  // namespace

Result<RequestAuth> parse_request_auth(std::string_view header_value) {
  const auto malformed = [](const char* what) {
    return fail(ErrorCode::unauthorized, std::string("the Authorization header ") + what);
  };
  if (header_value.size() > max_header_bytes) return malformed("is too long");
  Parser parser(header_value);
  if (!parser.scheme()) return malformed("is not of the scheme X-Matrix");
  std::map<std::string, std::string> values;
  if (!parser.pairs(values)) return malformed("is malformed");
  RequestAuth auth;
  auto origin = ServerName::parse(values["origin"]);
  auto key = KeyId::parse(values["key"]);
  if (!origin) return malformed("names no origin");
  if (!key || key->algorithm() != "ed25519") return malformed("names no ed25519 key");
  auth.origin = std::move(*origin);
  auth.key = std::move(*key);
  // The example and every server call it `sig`, the list of parameters `signature`.
  auth.signature = values.contains("sig") ? values["sig"] : values["signature"];
  if (auth.signature.empty()) return malformed("carries no signature");
  if (const auto found = values.find("destination"); found != values.end()) {
    auto destination = ServerName::parse(found->second);
    if (!destination) return malformed("names a destination that is no server");
    auth.destination = std::move(*destination);
  }
  return auth;
}

Result<std::string> make_request_auth(std::string_view method, std::string_view target, const ServerName& origin,
                                      const ServerName& destination, const Json* content, const SigningKey& key) {
  Json object = signed_object(method, target, origin, destination, content);
  if (auto signed_ok = sign_json(object, origin.str(), key, JsonNumbers::any); !signed_ok)
    return tl::make_unexpected(signed_ok.error());
  const std::string signature = object["signatures"][origin.str()][key.id().str()].get<std::string>();
  return "X-Matrix origin=\"" + origin.str() + "\",destination=\"" + destination.str() + "\",key=\"" + key.id().str() +
         "\",sig=\"" + signature + "\"";
}

bool verify_request_auth(const RequestAuth& auth, std::string_view method, std::string_view target,
                         const ServerName& us, const Json* content, const Ed25519PublicKey& key) {
  if (auth.destination && *auth.destination != us) return false;
  // What was signed names us as the destination: a request made for another server does not verify here.
  Json object = signed_object(method, target, auth.origin, us, content);
  object["signatures"] = {{auth.origin.str(), {{auth.key.str(), auth.signature}}}};
  return verify_json(object, auth.origin.str(), auth.key, key, JsonNumbers::any);
}

}  // namespace skerry::federation
