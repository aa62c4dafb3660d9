# shellcheck shell=bash
# What the examples share: the build, a private directory that goes away, processes that end, identities. Sourced by each run script.
set -u -o pipefail
for variable in "${!MESHSHIM_@}"; do # they would override the configurations
    [ "$variable" = MESHSHIM_DISABLE ] || unset "$variable"
done
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=${B:-$top/build}
case $build in /*) ;; *) build=$top/$build ;; esac
library=$build/libmeshshim.so
meshctl=$build/meshctl
# shellcheck disable=SC2034 # for those who source this
python=/usr/bin/python3
started=()

give_up() {
    echo "$(basename "$(dirname "$0")"): $*" >&2
    exit 1
}

[ -e "$library" ] || give_up "build/libmeshshim.so is not built: run 'make' in $top"
work=$(mktemp -d "${TMPDIR:-/tmp}/meshshim-example.XXXXXX") || give_up "cannot make a private directory in ${TMPDIR:-/tmp}"
chmod 755 "$work"

clean_up() {
    local status=$? pid
    trap - EXIT
    for pid in "${started[@]}"; do
        kill "$pid" 2>/dev/null
    done
    for pid in "${started[@]}"; do
        wait_for 2 ended "$pid" || kill -9 "$pid" 2>/dev/null
    done
    rm -rf "$work"
    exit "$status"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# need PROGRAM…: or a sentence that says how to get them.
need() {
    local program
    for program in "$@"; do
        command -v "$program" >/dev/null || give_up "$program is not installed: run 'make deps' in $top"
    done
}

ended() {
    ! kill -0 "$1" 2>/dev/null || [ "$(awk '{ print $3 }' "/proc/$1/stat" 2>/dev/null)" = Z ]
}

# wait_for SECONDS COMMAND…: until it succeeds.
wait_for() {
    local end=$((SECONDS + $1))
    shift
    until "$@"; do
        [ "$SECONDS" -lt "$end" ] || return 1
        read -r -t 0.02 <> <(:) || :
    done
}

listens() {
    grep -qs ":$(printf '%04X' "$1") [0-9A-F]*:0000 0A" /proc/net/tcp /proc/net/tcp6
}

# free_port: one that nobody uses, below the range that the kernel takes its own from.
free_port() {
    local port
    while :; do
        port=$((10000 + (RANDOM * 32768 + RANDOM) % 20000))
        grep -qs ":$(printf '%04X' "$port") " /proc/net/tcp /proc/net/tcp6 || break
    done
    echo "$port"
}

# start NAME PORT COMMAND…: in the background, until it listens; what it says goes to $work/NAME.log.
start() {
    local name=$1 port=$2
    shift 2
    "$@" >"$work/$name.log" 2>&1 </dev/null &
    started+=($!)
    wait_for 10 listens "$port" || give_up "$name does not listen on port $port; it said: $(tail -n 3 "$work/$name.log")"
}

# identity DIRECTORY AUTHORITY NAMESPACE/NAME
identity() {
    "$meshctl" ca issue --dir "$work/$2" --workload "$3" --out "$work/$1" >/dev/null || give_up "cannot issue an identity to $3"
}

# configuration NAME DIRECTORY: [workload] of $work/NAME.ini; what is on standard input follows.
configuration() {
    {
        cat <<INI
[workload]
name         = $1
trust_domain = mesh.local
certificate  = $work/$2/cert.pem
private_key  = $work/$2/key.pem
trust_bundle = $work/$2/ca.pem
runtime_dir  = $work/run

INI
        cat
    } >"$work/${3:-$1}.ini"
}
