# shellcheck shell=bash
# Helpers for the tests in bash: source it first. It gives a private directory that is removed at the end with every
# process that was started, free ports, waiting on conditions, and a ready mesh of a client and a server workload.
#
#   . "$(dirname "$0")/../lib.sh"
#   make_mesh                                    # $work/client.ini, $work/server.ini, certificates in $work/ca
#   port=$(free_port)
#   spawn server mesh server python3 -m http.server "$port"      # log in $work/server.log
#   wait_port "$port"
#   mesh client curl -s "http://127.0.0.1:$port/" || fail "curl got nothing"
#
# A test that holds several results prints lines `ok NAME`, `not ok NAME` and `skip NAME why`; otherwise its exit status is
# its one result (77: skipped).

set -u -o pipefail
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
B=${B:-build}
case $B in /*) ;; *) B=$top/$B ;; esac
# shellcheck disable=SC2034 # for those who source this
meshctl=$B/meshctl
test_name=$(basename "$0" .sh)
work=$(mktemp -d "${TMPDIR:-/tmp}/meshshim-$test_name.XXXXXX")
pids=()

# What LD_PRELOAD must hold: a sanitizer's run-time library comes before everything else.
mesh_preload=$B/libmeshshim.so
slow=${TEST_SLOW:-1} # how much longer than a plain build on this machine it may take
reports=$work/sanitizer # what the thread sanitizer says, whatever becomes of a program's own output: it fails the test at its end
cannot=
case $(basename "$B") in
asan)
    mesh_preload="$(gcc -print-file-name=libasan.so) $(gcc -print-file-name=libubsan.so) $mesh_preload"
    export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=0:handle_segv=0:allocator_may_return_null=1:exitcode=99}
    export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1}
    slow=4
    # curl hangs in main() without demangle.so, and programs with an allocator of their own do not start.
    if [[ $0 == */apps/* ]] || grep -qw curl "$0"; then
        cannot="whole programs are run by the plain build"
    fi
    ;;
tsan)
    mesh_preload="$(gcc -print-file-name=libtsan.so) $B/tests/demangle.so $mesh_preload"
    tsan_options=report_thread_leaks=0:ignore_noninstrumented_modules=1:exitcode=99:die_after_fork=0
    export TSAN_OPTIONS=${TSAN_OPTIONS:-$tsan_options:suppressions=$top/tests/tsan.supp:log_path=$reports}
    slow=8
    # Whole programs are run, too, for their threads, but where the sanitizer does not bear them: then the file says why.
    cannot=$(sed -n 's/^# tsan: //p' "$0")
    ;;
esac
if [ -n "$cannot" ]; then
    echo "skipped: $cannot"
    rm -rf "$work"
    exit 77
fi

# alone ARGUMENT…: the test of these arguments begins again in a network of its own, where it may have one. Elsewhere a port that the kernel
# gives to a listener here may be one that somebody else's client still tries: it is accepted, and its own mesh is another.
alone() {
    [ -z "${MESH_ALONE:-}" ] && unshare -n ip link set lo up 2>/dev/null || return 0
    rm -rf "$work"
    # shellcheck disable=SC2016 # the inner shell's
    exec env MESH_ALONE=yes unshare -n sh -c 'ip link set lo up && exec bash "$0" "$@"' "$0" "$@"
}

# stop PID…: asked to end, and made to.
stop() {
    local pid
    for pid in "$@"; do
        kill "$pid" 2>/dev/null
    done
    for pid in "$@"; do
        gone "$pid" 2 || kill -9 "$pid" 2>/dev/null
    done
}

# What has survived those (workers, daemons) was started with the private directory in its environment or its arguments.
left() {
    grep -lsF "$work" /proc/[0-9]*/environ /proc/[0-9]*/cmdline | cut -d/ -f3 | sort -u
}

# Fails where a sanitizer said something.
reported() {
    compgen -G "$reports.*" >/dev/null || return 0
    cat "$reports".* | sed 's/^/# /'
    echo "FAILED: a sanitizer has something to say"
    return 1
} >&"$said"

clean_up() {
    local status=$?
    trap - EXIT
    stop "${pids[@]}"
    # shellcheck disable=SC2046 # numbers
    stop $(left)
    reported || status=1
    rm -rf "$work"
    exit "$status"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# The end of every log of this test, then the reason; said where the test speaks, not where the output of a step happens to go.
exec {said}>&1
fail() {
    local log
    for log in "$work"/*.log; do
        [ -s "$log" ] && { echo "# --- $(basename "$log")"; tail -n 40 "$log" | sed 's/^/# /'; }
    done >&"$said"
    echo "FAILED: $*" >&"$said"
    exit 1
}

skip() {
    echo "skipped: $*"
    exit 77
}

# wait_until SECONDS COMMAND…: until it succeeds; fails when the time is up.
wait_until() {
    local end=$((SECONDS + $1 * slow))
    shift
    until "$@"; do
        [ "$SECONDS" -lt "$end" ] || return 1
        read -r -t 0.02 <> <(:) || :
    done
}

running() {
    kill -0 "$1" 2>/dev/null && [ "$(awk '{print $3}' "/proc/$1/stat" 2>/dev/null)" != Z ]
}

not_running() {
    ! running "$1"
}

# gone PID SECONDS: until the process has ended.
gone() {
    wait_until "$2" not_running "$1"
}

# In the kernel's tables: no connection is made, so a strict listener has nothing to complain about.
listens() {
    local hex
    hex=$(printf '%04X' "$1")
    grep -qs ":$hex [0-9A-F]*:0000 0A" /proc/net/tcp /proc/net/tcp6
}

wait_port() {
    wait_until "${2:-10}" listens "$1" || fail "nothing listens on port $1"
}

# A port that nobody uses, below the ephemeral range.
free_port() {
    local port hex
    while :; do
        port=$((10000 + (RANDOM * 32768 + RANDOM) % 20000))
        hex=$(printf '%04X' "$port")
        grep -qs ":$hex " /proc/net/tcp /proc/net/tcp6 || break
    done
    echo "$port"
}

# spawn NAME COMMAND…: in the background, output in $work/NAME.log; its process id is in $spawned and killed at the end.
spawn() {
    local name=$1
    shift
    (
        exec {said}>&- # a process that outlives the test does not hold its output open
        spawning=1 # so that what is killed is the command, not a shell that waits for it
        [ "$1" = mesh ] || exec "$@"
        "$@"
    ) >"$work/$name.log" 2>&1 </dev/null &
    spawned=$!
    pids+=("$spawned")
}

# loading WORKLOAD: how the library is loaded, in $load. A test may set $loaded to run the same job in another way (see
# `alike` of the tests of whole programs): elsewhere, unconfigured, plain.
loading() {
    case ${loaded:-meshed} in
    meshed) load=(env LD_PRELOAD="$mesh_preload" MESHSHIM_CONFIG="$work/$1.ini") ;;
    elsewhere) load=(env LD_PRELOAD="$mesh_preload" MESHSHIM_CONFIG="$work/elsewhere.ini") ;;
    unconfigured) load=(env LD_PRELOAD="$mesh_preload") ;;
    plain) load=(env) ;;
    esac
}

# mesh WORKLOAD COMMAND…: the command, preloaded, with that workload's configuration.
mesh() {
    local load
    loading "$1"
    shift
    set -- "${load[@]}" "$@"
    [ -z "${spawning:-}" ] || exec "$@"
    "$@"
}

# A root, certificates for default/client and default/server (and bad ones, see tests/peers), and a mesh.ini each.
make_mesh() {
    [ -e "$B/libmeshshim.so" ] || fail "$B/libmeshshim.so is not built: make"
    mkdir -p "$work/ca" "$work/run" || fail "cannot make $work/ca"
    "$B/tests/peers/badpeer" --identities "$work/ca" || fail "cannot make identities"
    mesh_ini client >"$work/client.ini"
    mesh_ini server >"$work/server.ini"
}

# mesh_ini WORKLOAD: a strict configuration on standard output; tests append keys or write their own. MESH_WORKLOAD_KEYS, that of one
# workload (MESH_CLIENT_KEYS, MESH_SERVER_KEYS) and MESH_SERVICE_KEYS are lines more, to run any test with them.
mesh_ini() {
    local own=MESH_${1^^}_KEYS
    cat <<INI
[workload]
name         = $1
namespace    = default
trust_domain = mesh.local
certificate  = $work/ca/$1.pem
private_key  = $work/ca/$1.key
trust_bundle = $work/ca/ca.pem
runtime_dir  = $work/run
${MESH_WORKLOAD_KEYS:-}
${!own:-}

[inbound]
mtls  = strict
allow = default/client, default/server

[service peer]
host     = 127.0.0.1, ::1
mtls     = strict
identity = default/server, default/client
${MESH_SERVICE_KEYS:-}
INI
}

# Results of a test that holds several.
failures=0
ok() {
    echo "ok $*"
}
not_ok() {
    echo "not ok $*"
    failures=$((failures + 1))
}
