#!/bin/bash
# ncat: a file through a pipe, and a program behind it.
# program: ncat
# packages: ncat
# timeout: 60
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/apps/common.bash
. "$(dirname "$0")/common.bash"

version ncat "$(ncat --version 2>&1 | awk '{ print $3 }')"
random_file 1m 1048576
# Input that never ends keeps the idle directions open.
exec {endless}<> <(:)

received() {
    same "$work/files/1m" "$work/received" 2>/dev/null
}
sends_file() {
    local port
    port=$(free_port)
    (spawning=1 && mesh server ncat -l 127.0.0.1 "$port") <&"$endless" >"$work/received" 2>"$work/ncat.log" &
    pids+=($!)
    wait_port "$port"
    limit 20 mesh client ncat --send-only 127.0.0.1 "$port" <"$work/files/1m" && wait_until 10 received && sums <"$work/received"
}
try "ncat: sends a file" sends_file

port=$(free_port)
spawn cat mesh server ncat -l -k 127.0.0.1 "$port" -e /bin/cat
wait_port "$port"
mkfifo "$work/words"
exec {words}<>"$work/words"
heard() {
    grep -q "hello there" "$work/heard"
}
echoes() {
    (spawning=1 && mesh client ncat 127.0.0.1 "$port") <&"$words" >"$work/heard" 2>"$work/hearing.log" &
    pids+=($!)
    echo "hello there" >&"$words"
    wait_until 10 heard
}
try "ncat: -e echoes" echoes
try "ncat: both sides are proved" both_proved "$port"
try "ncat: the same plain, loaded and meshed" alike sends_file
[ "$failures" -eq 0 ]
