#!/usr/bin/env bash
# tools/setup.sh finds out what is missing, also where dpkg has never heard of it, as on a fresh system.
set -euo pipefail
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd -P)
. "$root/tools/setup.sh"
command -v dpkg-query >/dev/null || { say "no dpkg here" && exit 77; }

mapfile -t missing < <(missing_packages dpkg there-is-no-such-package bash)
[ "${missing[*]}" = there-is-no-such-package ] || fail "said to be missing: '${missing[*]}'"
mapfile -t missing < <(missing_packages dpkg bash)
[ ${#missing[@]} -eq 0 ] || fail "said to be missing, and installed: ${missing[*]}"
