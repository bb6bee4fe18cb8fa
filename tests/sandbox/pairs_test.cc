#include "sandbox/lab/pairs.h"

#include <catch2/catch.hpp>

using namespace skerry::sandbox;  // NOLINT(google-build-using-namespace)

namespace {

// The definition, counted out: who of n can still talk with whom.
template <class MayTalk>
Pairs count(std::uint64_t users, const MayTalk& may_talk) {
  Pairs pairs;
  for (std::uint64_t a = 0; a < users; ++a) {
    for (std::uint64_t b = 0; b < users; ++b) {
      if (a == b) continue;
      ++pairs.all;
      if (may_talk(a, b)) ++pairs.left;
    }
  }
  return pairs;
}

}  // namespace

TEST_CASE("one of three users removed leaves two of six pairs") {
  CHECK(pairs_after_takedown(3, 1) == Pairs{2, 6});
  CHECK(pairs_after_takedown(3, 1).share() == Approx(1.0 / 3));
}

TEST_CASE("pairs after a takedown are those among the rest") {
  for (std::uint64_t users = 0; users <= 12; ++users) {
    for (std::uint64_t cut = 0; cut <= users; ++cut) {
      const auto rest = [cut](std::uint64_t user) { return user >= cut; };
      CHECK(pairs_after_takedown(users, cut) ==
            count(users, [&](std::uint64_t a, std::uint64_t b) { return rest(a) && rest(b); }));
    }
  }
}

TEST_CASE("pairs after a partition are those within either side") {
  for (std::uint64_t users = 0; users <= 12; ++users) {
    for (std::uint64_t cut = 0; cut <= users; ++cut) {
      CHECK(pairs_after_partition(users, cut) ==
            count(users, [&](std::uint64_t a, std::uint64_t b) { return (a < cut) == (b < cut); }));
    }
  }
}

TEST_CASE("nobody has no pairs, and the share of none is none") {
  CHECK(pairs_after_takedown(1, 0) == Pairs{0, 0});
  CHECK(pairs_after_takedown(0, 0).share() == 0);
}

TEST_CASE("with many users the shares near the squares of the users' shares") {
  constexpr std::uint64_t users = 1'000'000;
  CHECK(pairs_after_takedown(users, users / 2).share() == Approx(0.25).epsilon(1e-5));
  CHECK(pairs_after_partition(users, users / 2).share() == Approx(0.5).epsilon(1e-5));
}
