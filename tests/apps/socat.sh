#!/bin/bash
# socat: files through pipes, programs whose standard input and output are the connection, a relay, one that must not be in the clear.
# packages: bc socat
# program: socat
# timeout: 90
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/apps/common.bash
. "$(dirname "$0")/common.bash"
[ -x /usr/bin/socat ] || skip "socat is not installed"
version socat "$(/usr/bin/socat -V | sed -n 's/^socat version \([^ ]*\).*/\1/p')"
random_file 1m 1048576

serve() {
    port=$(free_port)
    spawn socat mesh "${middle:-server}" /usr/bin/socat "TCP-LISTEN:$port,bind=127.0.0.1,reuseaddr,fork" "$1"
    wait_port "$port"
}
# ask: its standard input there, the answer back until the end.
ask() {
    limit 20 mesh client /usr/bin/socat -t 15 - "TCP:127.0.0.1:$port"
}
echoes() {
    serve "$1" && ask <"$work/files/1m" >"$work/got" && same "$work/files/1m" "$work/got" && both_proved "$port"
}
# Lines go to a program, and its answers come while the connection is open.
calculates() {
    serve "EXEC:/usr/bin/bc,nofork" && [ "$(printf '6*7\n2^64\n' | ask)" = $'42\n18446744073709551616' ] && both_proved "$port"
}
# Standard error is the connection, too, and the shell starts further programs on it.
complains() {
    serve "SYSTEM:read line; echo \"got \$line\"; ls /nowhere-at-all; wc -c,stderr,nofork" || return 1
    printf 'a line\n12345' | ask >"$work/got"
    cat "$work/got"
    [ "$(head -n 1 "$work/got")" = "got a line" ] && grep -q 'nowhere-at-all' "$work/got" && [ "$(tail -n 1 "$work/got")" = 5 ]
}
# The client's program is on the connection.
client_program() {
    serve PIPE
    # shellcheck disable=SC2016 # the other shell's dollar
    printf '%s\n' 'echo hello' 'read -r answer' 'echo "$answer, it said" >&2' >"$work/talk"
    limit 20 mesh client /usr/bin/socat "TCP:127.0.0.1:$port" "EXEC:/bin/bash $work/talk,nofork" 2>"$work/heard" &&
        [ "$(cat "$work/heard")" = "hello, it said" ]
}
# Server of one and client of another, in one process for each connection.
relays() {
    local behind
    serve "EXEC:/bin/cat,nofork"
    behind=$port
    sed 's,^allow .*,allow = default/client,;s,^identity .*,identity = default/server,' "$work/server.ini" >"$work/middle.ini"
    sed -i 's,^allow .*,allow = default/client\, default/server,' "$work/server.ini"
    middle=middle serve "TCP:127.0.0.1:$behind"
    ask <"$work/files/1m" >"$work/got" && same "$work/files/1m" "$work/got"
}
works() {
    local port
    serve "EXEC:/bin/cat,nofork" && ask <"$work/files/1m" >"$work/got" && same "$work/files/1m" "$work/got"
}
# What the program gets and says must not be on the wire as it is.
wired() {
    serve "EXEC:/bin/cat,nofork"
    relay "$port"
    port=$relayed
    [ "$(echo "a secret in plain words" | ask)" = "a secret in plain words" ] && [ -n "$(cat "$work"/wire/*)" ] &&
        ! grep -rq "plain words" "$work/wire"
}

try "socat: PIPE echoes 1 MiB" echoes PIPE
try "socat: EXEC, cat behind a socket pair echoes 1 MiB" echoes "EXEC:/bin/cat"
try "socat: EXEC, cat behind pipes echoes 1 MiB" echoes "EXEC:/bin/cat,pipes"
try "socat: EXEC with nofork, cat is on the connection and echoes 1 MiB" echoes "EXEC:/bin/cat,nofork"
try "socat: bc on the connection calculates" calculates
try "socat: SYSTEM, a shell, its programs and their errors on the connection" complains
try "socat: the client's shell on the connection" client_program
try "socat: what a program on the connection says is not in the clear" wired
try "socat: a relay, client and server in one process" relays
try "socat: the same plain, loaded and meshed" alike works
[ "$failures" -eq 0 ]
