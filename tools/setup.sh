# Shared by run.sh and test.sh, which source it: packages, build folders, a progress line. Everything is said on stderr.
# REQUIRES: $root is the repository's folder.

packages=(g++ cmake ninja-build pkg-config ccache mold libboost1.81-dev libssl-dev libsqlite3-dev libsqlitecpp-dev
  nlohmann-json3-dev catch2 libexpected-dev libcli11-dev libspdlog-dev libfmt-dev libtomlplusplus-dev libc-ares-dev
  libsodium-dev libturbojpeg0-dev libpng-dev libwebp-dev libre2-dev libyaml-cpp-dev libncurses-dev libutf8proc-dev
  librapidcheck-dev)
# For ThreadSanitizer and the fuzzers: the compiler, its sanitizers' runtime, and what names the places of their reports.
clang_packages=(clang libclang-rt-14-dev llvm)

say() { printf '%s\n' "$*" >&2; }
fail() {
  say "$*"
  exit 1
}

# Of the packages named, those that are not installed.
missing_packages() {
  local installed
  # dpkg-query fails when it has never heard of one of them, and tells of the others all the same.
  installed=" $({ LC_ALL=C dpkg-query -W -f='${binary:Package}=${db:Status-Status}\n' -- "$@" 2>/dev/null || true; } |
    sed -n 's/\(:[a-z0-9-]*\)\{0,1\}=installed$//p' | tr '\n' ' ') "
  local name
  for name in "$@"; do
    case $installed in *" $name "*) ;; *) printf '%s\n' "$name" ;; esac
  done
}

# Installs what is missing of the packages named; says what is missing where it may not.
install_packages() {
  if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    say "No apt here: on systems other than Debian 12, see to it that there is: $*"
    return 0
  fi
  local missing
  mapfile -t missing < <(missing_packages "$@")
  [ ${#missing[@]} -gt 0 ] || return 0
  local become=()
  if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null; then
      fail "These packages are missing, and there is neither root nor sudo to install them with:" "${missing[@]}" \
        $'\n'"As root: apt-get install --no-install-recommends ${missing[*]}"
    fi
    become=(sudo)
    say "sudo may ask for your password, to install: ${missing[*]}"
    sudo -v || fail "Without sudo these packages cannot be installed: ${missing[*]}"
  fi
  if [[ " ${missing[*]} " == *" libboost1.81-dev "* ]] && [ -z "$(missing_packages libboost1.74-dev)" ]; then
    say "libboost1.81-dev takes the place of libboost1.74-dev: Debian has one of them at a time."
  fi
  mkdir -p "$root/build"
  local log=$root/build/packages.log
  : >"$log"
  show_progress "installing ${#missing[@]} packages" "$log" install_all || {
    tail -n 20 "$log" >&2
    fail "The packages could not be installed: ${missing[*]}"
  }
}

# REQUIRES: called by install_packages, whose variables it uses.
install_all() {
  local apt=("${become[@]}" env DEBIAN_FRONTEND=noninteractive LC_ALL=C apt-get -q -y -o DPkg::Lock::Timeout=120)
  "${apt[@]}" update && "${apt[@]}" install --no-install-recommends "${missing[@]}"
}

# As many compilers as there are processors, and no more than one for each GB of free memory.
compile_jobs() {
  local processors memory_kb limit
  processors=$(nproc)
  memory_kb=$(awk '$1 == "MemAvailable:" { print $2 }' /proc/meminfo)
  limit=$(cat /sys/fs/cgroup/memory.max 2>/dev/null || true)
  case $limit in
    '' | *[!0-9]*) ;;
    *) [ $((limit / 1024)) -ge "$memory_kb" ] || memory_kb=$((limit / 1024)) ;;
  esac
  local jobs=$((memory_kb / 1048576))
  [ "$jobs" -le "$processors" ] || jobs=$processors
  [ "$jobs" -ge 1 ] || jobs=1
  printf '%s\n' "$jobs"
}

# show_progress WHAT LOG COMMAND...: runs the command with its output in LOG, and tells how far it is: one line that
# renews itself on a terminal, one each ten seconds elsewhere. Nothing for what takes less than a second. The command's
# status.
show_progress() {
  local what=$1 log=$2
  shift 2
  "$@" >>"$log" 2>&1 </dev/null &
  local child=$! began=$SECONDS shown=0 tick=0 step=
  trap 'kill "$child" 2>/dev/null; wait "$child"; exit 130' INT TERM
  while kill -0 "$child" 2>/dev/null; do
    if [ "$tick" -lt 10 ] && [ $((SECONDS - began)) -lt 2 ]; then sleep 0.03; else sleep 0.1; fi
    tick=$((tick + 1))
    [ "$tick" -gt 10 ] && [ $((tick % 10)) -eq 0 ] || continue
    step=$(tail -n 1 "$log" 2>/dev/null | sed -n 's/^\[\([0-9]*\)\/\([0-9]*\)\].*/ \1 of \2/p') || step=
    if [ -t 2 ]; then
      printf '\r\033[K%s:%s %d s' "$what" "$step" $((SECONDS - began)) >&2
      shown=1
    elif [ $((tick % 100)) -eq 20 ]; then
      say "$what:$step $((SECONDS - began)) s"
    fi
  done
  trap - INT TERM
  [ "$shown" -eq 0 ] || printf '\r\033[K' >&2
  wait "$child"
}

# build PRESET [TARGET...]: configures where that is needed, and builds what is stale.
build() {
  local preset=$1
  shift
  local folder=$root/build/$preset log=$root/build/$preset.log
  mkdir -p "$root/build"
  exec 9>"$root/build/$preset.lock"
  if ! flock -n 9; then
    say "waiting for another build of $preset"
    flock 9
  fi
  : >"$log"
  # A build folder knows its place: one that was moved or copied cannot be used.
  if [ -f "$folder/CMakeCache.txt" ] && ! grep -qxF "CMAKE_HOME_DIRECTORY:INTERNAL=$root" "$folder/CMakeCache.txt"; then
    rm -rf -- "$folder"
  fi
  if [ -z "${CMAKE_CXX_COMPILER_LAUNCHER:-}" ] && command -v ccache >/dev/null; then
    export CMAKE_CXX_COMPILER_LAUNCHER=ccache
  fi
  if [ ! -f "$folder/build.ninja" ] || [ "$root/CMakePresets.json" -nt "$folder/build.ninja" ]; then
    (cd "$root" && show_progress "configuring $preset" "$log" env LC_ALL=C.UTF-8 cmake --preset "$preset") 9>&- ||
      build_failed "$log"
  fi
  show_progress "building $preset" "$log" env LC_ALL=C.UTF-8 ninja -C "$folder" -j "$(compile_jobs)" "$@" 9>&- ||
    build_failed "$log"
  exec 9>&-
}

build_failed() {
  grep -v '^\[[0-9]*/[0-9]*\]' "$1" | tail -n 60 >&2
  fail "The build failed; all of it is in $1"
}
