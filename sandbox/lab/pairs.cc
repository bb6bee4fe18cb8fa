#include "sandbox/lab/pairs.h"

namespace skerry::sandbox {

namespace {

// Ordered pairs of different ones among n.
std::uint64_t ordered(std::uint64_t n) { return n == 0 ? 0 : n * (n - 1); }

}  // namespace

Pairs pairs_after_takedown(std::uint64_t users, std::uint64_t cut_off) {
  return {ordered(users - cut_off), ordered(users)};
}

Pairs pairs_after_partition(std::uint64_t users, std::uint64_t cut_off) {
  return {ordered(cut_off) + ordered(users - cut_off), ordered(users)};
}

}  // namespace skerry::sandbox
