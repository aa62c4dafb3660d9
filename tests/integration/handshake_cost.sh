#!/bin/bash
# What a handshake costs, in instructions of the client's whole process a connection (curl, its request and its answer included): a
# regression shows here that no clock on a busy machine would show.
# timeout: 180
# packages: curl valgrind
# shellcheck disable=SC2154 # common.bash assigns python
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/apps/common.bash
. "$top/tests/apps/common.bash"
command -v valgrind >/dev/null || skip "valgrind is not installed"
grep -qw avx2 /proc/cpuinfo || skip "the figures are of processors with AVX2"

# In thousands. Measured were 3,280, 2,070 and 940; without what takes the place of OpenSSL's own (SSL_WRAPS in the Makefile) 5,400 and 2,500.
most_full=3500 most_resumed=2250 most_bare=1050

mkdir "$work/files"
echo hello >"$work/files/page"
port=$(free_port)
spawn server mesh server "$python" -m http.server "$port" --bind 127.0.0.1 --directory "$work/files"
wait_port "$port"

# thousands COUNT: of one curl that makes so many connections.
thousands() {
    local urls=() i
    for ((i = 0; i < $1; i++)); do
        urls+=(-o /dev/null "http://127.0.0.1:$port/page")
    done
    limit 60 mesh client valgrind --tool=callgrind --callgrind-out-file=/dev/null \
        curl -sS -0 -H 'Connection: close' "${urls[@]}" >"$work/curl.log" 2>&1 || return 1
    awk '/Collected/ { printf "%d\n", $NF / 1000 }' "$work/curl.log"
}

# a_connection: the difference of many and few, so that starting does not count.
a_connection() {
    local few many
    few=$(thousands 5) && many=$(thousands 35) || return 1
    echo $(((many - few) / 30))
}

at_most() { # MOST
    local each
    each=$(a_connection) || { cat "$work/curl.log" && return 1; }
    echo "# $each thousand instructions a connection; at most $1" >&"$said"
    [ "$each" -le "$1" ]
}

try "handshake_cost/resumed" at_most "$most_resumed"
sed -i 's/^host.*/&\nsession_resumption = without_forward_secrecy/' "$work/client.ini"
sed -i 's/^allow.*/&\nsession_resumption = without_forward_secrecy/' "$work/server.ini"
"$meshctl" reload --socket "$work/run/$spawned.sock" >/dev/null
try "handshake_cost/without forward secrecy" at_most "$most_bare"
sed -i 's/^session_resumption.*/session_resumption = no/' "$work/client.ini"
try "handshake_cost/full" at_most "$most_full"
[ "$failures" -eq 0 ]
