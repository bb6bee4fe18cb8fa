// Finds the row of a route table for a method and a raw path.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace skerry::net {

// Templates like "/_matrix/client/v3/rooms/{roomId}/send/{eventType}/{txnId}". A segment is literal or one parameter; a
// literal beats a parameter. Paths are matched raw, then each parameter is percent-decoded. Immutable once built;
// thread-safe to read.
class Router {
 public:
  Router();
  ~Router();
  Router(Router&&) noexcept;
  Router& operator=(Router&&) noexcept;

  // REQUIRES: (method, pattern) not added before.
  void add(std::string_view method, std::string_view pattern, std::size_t row);

  struct Match {
    enum class Kind { found, unknown_path, wrong_method, bad_escape } kind = Kind::unknown_path;
    std::size_t row = 0;
    std::vector<std::string> parameters;  // in the template's order, decoded
  };
  Match find(std::string_view method, std::string_view raw_path) const;

 private:
  struct Node;
  std::unique_ptr<Node> root_;
};

}  // namespace skerry::net
