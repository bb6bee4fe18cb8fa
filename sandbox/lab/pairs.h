// How many can still talk: ordered pairs of different users, after some of them were cut off. Exact, for any number of
// users.
#pragma once

#include <cstdint>

namespace skerry::sandbox {

struct Pairs {
  std::uint64_t left = 0;
  std::uint64_t all = 0;

  double share() const { return all == 0 ? 0 : static_cast<double>(left) / static_cast<double>(all); }
  friend bool operator==(const Pairs&, const Pairs&) = default;
};

// `users` in all, `cut_off` of them on the servers that are cut. REQUIRES: cut_off <= users, users < 2^32.

// The servers are gone for everybody: (n-m)(n-m-1) of n(n-1).
Pairs pairs_after_takedown(std::uint64_t users, std::uint64_t cut_off);
// Both sides live, and talk within themselves: m(m-1) + (n-m)(n-m-1) of n(n-1). Those cut off are one side.
Pairs pairs_after_partition(std::uint64_t users, std::uint64_t cut_off);

}  // namespace skerry::sandbox
