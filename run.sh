#!/usr/bin/env bash
# ./run.sh           installs what is missing, builds, shows the demo, and ends in the chat screen (with a terminal)
# ./run.sh ARGS...   builds what is stale and runs `skerry ARGS...`
set -euo pipefail
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
. "$root/tools/setup.sh"

link_programs() {
  mkdir -p "$root/bin"
  local program
  for program in skerry skerry-homeserver skerry-client; do
    [ "$(readlink "$root/bin/$program" || true)" = "../build/release/bin/$program" ] ||
      ln -sfn "../build/release/bin/$program" "$root/bin/$program"
  done
}

install_packages "${packages[@]}"
build release
link_programs
skerry=$root/build/release/bin/skerry

if [ $# -gt 0 ]; then
  exec "$skerry" "$@"
fi
if ! [ -t 0 ] || ! [ -t 1 ]; then
  exec "$skerry" demo
fi
"$skerry" demo || exit $?
exec "$skerry" welcome --command "$(printf '%q' "$root/run.sh")"
