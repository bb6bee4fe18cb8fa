#!/usr/bin/env bash
# ./test.sh           installs what is missing, builds everything with ASan and UBSan, and runs the tests
# ./test.sh --full    the same, then what has threads under ThreadSanitizer, half a minute of each fuzzer, and foreign
#                     Matrix software against our servers (tools/interop)
# Further arguments go to ctest: ./test.sh -R 'core:'
set -euo pipefail
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
. "$root/tools/setup.sh"

full=no
arguments=()
for argument in "$@"; do
  if [ "$argument" = --full ]; then full=yes; else arguments+=("$argument"); fi
done

export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_stack_use_after_return=1:strict_string_checks=1}
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1}
export TSAN_OPTIONS=${TSAN_OPTIONS:-halt_on_error=1:second_deadlock_stack=1}

# run_tests PRESET ARGUMENTS...
run_tests() {
  local preset=$1
  shift
  say "testing $preset"
  ctest --test-dir "$root/build/$preset" --output-on-failure --no-tests=error -j "$(nproc)" "$@"
}

status=0
if [ $full = yes ]; then packages+=("${clang_packages[@]}"); fi
install_packages "${packages[@]}"
build test
run_tests test "${arguments[@]}" || status=$?
if [ $full = no ]; then exit $status; fi

tsan_folders=(core storage net homeserver)
build tsan "${tsan_folders[@]/#/test_}"
run_tests tsan -L "^($(IFS='|' && printf '%s' "${tsan_folders[*]}"))\$" "${arguments[@]}" || status=$?

"$root/tools/fuzz" || status=$?
"$root/tools/interop" --preset test || status=$?
exit $status
