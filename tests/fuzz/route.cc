// A request's first line, "METHOD target": the router, percent-decoding, the query; and URLs.
#include <array>
#include <string>
#include <vector>

#include "net/http.h"
#include "net/http_client.h"
#include "net/router.h"
#include "tests/fuzz/fuzz.h"

using namespace skerry;
using skerry::test::must_hold;

namespace {

struct Row {
  std::string_view method;
  std::string_view path;
};
// Rows of every shape that the homeserver's table has: it stands for them, so that not all of it has to be built.
constexpr std::array<Row, 14> rows = {{
    {"GET", "/_matrix/client/versions"},
    {"GET", "/.well-known/matrix/server"},
    {"GET", "/_matrix/client/v3/sync"},
    {"GET", "/_matrix/client/v3/profile/{userId}"},
    {"GET", "/_matrix/client/v3/profile/{userId}/{keyName}"},
    {"GET", "/_matrix/client/v3/rooms/{roomId}/state"},
    {"PUT", "/_matrix/client/v3/rooms/{roomId}/state/{eventType}"},
    {"PUT", "/_matrix/client/v3/rooms/{roomId}/state/{eventType}/"},
    {"PUT", "/_matrix/client/v3/rooms/{roomId}/state/{eventType}/{stateKey}"},
    {"PUT", "/_matrix/client/v3/rooms/{roomId}/send/{eventType}/{txnId}"},
    {"PUT", "/_matrix/client/v3/pushrules/global/{kind}/{ruleId}/enabled"},
    {"PUT", "/_matrix/federation/v1/send/{txnId}"},
    {"PUT", "/_matrix/federation/v2/send_join/{roomId}/{eventId}"},
    {"GET", "/_matrix/key/v2/query/{serverName}"},
}};

const net::Router& router() {
  static const auto* made = [] {
    auto* router = new net::Router;
    for (std::size_t row = 0; row < rows.size(); ++row) router->add(rows.at(row).method, rows.at(row).path, row);
    return router;
  }();
  return *made;
}

// The template of the row, filled with the parameters.
std::string filled(std::string_view pattern, const std::vector<std::string>& parameters) {
  std::string path;
  std::size_t next = 0;
  for (std::size_t at = 0; at < pattern.size(); ++at) {
    if (pattern[at] != '{') {
      path += pattern[at];
      continue;
    }
    path += net::percent_encode(parameters.at(next++));
    at = pattern.find('}', at);
  }
  return path;
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = test::text_of(data, size);
  const std::size_t space = text.find(' ');
  const std::string_view method = text.substr(0, space);
  const std::string_view target = space == std::string_view::npos ? text : text.substr(space + 1);
  const auto parts = net::split_target(target);
  must_hold(parts.path.size() + parts.query.size() <= target.size(), "a target is cut, not copied");
  const auto match = router().find(method, parts.path);
  if (match.kind == net::Router::Match::Kind::found) {
    const Row& route = rows.at(match.row);
    must_hold(route.method == method, "a row is found by its method");
    const auto again = router().find(method, filled(route.path, match.parameters));
    must_hold(again.row == match.row && again.parameters == match.parameters, "what was decoded encodes to the same");
  }
  if (const auto query = net::parse_query(parts.query)) {
    std::string written;
    for (const auto& [name, value] : *query) {
      written += (written.empty() ? "" : "&") + net::percent_encode(name) + "=" + net::percent_encode(value);
    }
    must_hold(net::parse_query(written) == *query, "a query that was written is read");
  }
  for (const bool plus_is_space : {false, true}) {
    const auto decoded = net::percent_decode(text, plus_is_space);
    if (decoded) must_hold(net::percent_decode(net::percent_encode(*decoded)) == *decoded, "encoding is undone");
  }
  (void)net::parse_url(text);
  return 0;
}
