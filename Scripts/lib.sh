# shellcheck shell=bash
# What the scripts share; sourced, never run.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# Debian's names. To build: the C libraries of the wire, of Lua and of TLS, and what finds them. To
# test: what checks the generated code, Google's protobuf for the Python client, what makes
# certificates, and a terminal with programs for it.
build_packages=(libprotobuf-c-dev liblua5.4-dev libssl-dev pkg-config)
# shellcheck disable=SC2034 # for those who source this
test_packages=(
    "${build_packages[@]}" protobuf-c-compiler protobuf-compiler python3 python3-protobuf
    openssl tmux vim-tiny less
)
# To count what a chunk costs: the compiler of its tools, and what counts.
# shellcheck disable=SC2034
cost_packages=("${build_packages[@]}" gcc libc6-dev binutils python3 strace valgrind)
# To measure: the compiler of the limits, and what others use.
# shellcheck disable=SC2034
bench_packages=(
    "${build_packages[@]}" gcc libc6-dev binutils python3 socat openssh-server openssh-client
    python3-grpcio
)

# On stderr: stdout is for what a script is asked for.
say() {
    echo "${0##*/}: $*" >&2
}

fail() {
    say "$@"
    exit 1
}

require_swift() {
    command -v swift > /dev/null || fail "swift is not on PATH; install the Swift 6.3 toolchain"
}

# Lets programs in Python talk to a server as strangers do: made from Proto by Google's own protobuf.
prepare_python_client() {
    local generated=$root/.build/interop
    mkdir -p "$generated"
    protoc -I "$root/Proto" --python_out="$generated" exec.proto ttrpc.proto
    export PYTHONPATH=$generated:$root/Tests/Interop PYTHONDONTWRITEBYTECODE=1
}

# One test at a time: tests wait for real processes, with time limits, and side by side they starve
# each other on a small machine. None is of XCTest, which would report that it has run none.
swift_test() { # arguments of `swift test`
    swift test --package-path "$root" --disable-xctest --no-parallel "$@"
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    else
        sudo -n "$@" # never asks for a password: nobody may be there to type it
    fi
}

apt_get() {
    # A machine that has just started may be installing something of its own: wait for it.
    as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get -q -y -o DPkg::Lock::Timeout=300 "$@" < /dev/null
}

is_installed() { # package
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2> /dev/null)" = installed ]
}

# Installs those of the packages that are missing, and is silent where none is.
install_missing() { # package...
    local package log missing=()
    if ! command -v apt-get > /dev/null; then
        say "there is no apt-get here; going on as if these were installed: $*"
        return
    fi
    for package; do
        is_installed "$package" || missing+=("$package")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    say "installing with apt-get: ${missing[*]}"
    log=$(mktemp)
    # An update that fails is no reason to stop: the lists that are there may do.
    if ! { apt_get update || true; apt_get install --no-install-recommends "${missing[@]}"; } \
        > "$log" 2>&1; then
        cat "$log" >&2
        rm -f "$log"
        fail "that failed; as root: apt-get update && apt-get install ${missing[*]}"
    fi
    rm -f "$log"
}

# The C programs of the benchmarks.
bench_tools=$root/.build/bench

build_bench_tools() {
    local source
    mkdir -p "$bench_tools"
    for source in "$root"/Benchmarks/Limit/*.c "$root"/Benchmarks/Tools/*.c; do
        cc -std=gnu17 -O2 -Wall -Wextra -Werror -D_GNU_SOURCE -pthread \
            -o "$bench_tools/$(basename "$source" .c)" "$source"
    done
}
