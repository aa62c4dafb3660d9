#!/bin/bash
# Rust's std::net: a thread a connection, clones, peek, time-outs, shutdown under a reader.
# packages: rustc
# program: Rust std
# timeout: 90
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/apps/common.bash
. "$(dirname "$0")/common.bash"
[ -x /usr/bin/rustc ] || skip "rustc is not installed"
echo "version Rust std $(/usr/bin/rustc --version | cut -d ' ' -f 2)"
limit 60 /usr/bin/rustc --edition 2021 -O -o "$work/sockets" "$top/tests/apps/programs/sockets.rs" >"$work/rustc.log" 2>&1 ||
    fail "sockets.rs does not compile"

server() {
    port=$(free_port)
    spawn rust mesh server "$work/sockets" server "$port"
    wait_port "$port"
}
client() {
    limit 30 mesh client "$work/sockets" "$1" "$port" "${@:2}"
}
refused() {
    local port
    port=$(free_port)
    client refused
}
works() {
    server && client echoes 1000000 5 && client details && refused
}

server
try "rust: 8 MB there and back" client echoes 8000000 1
try "rust: 100 kB on each of 40 connections" client echoes 100000 40
try "rust: peek, time-outs, clones, shutdown under a reader" client details
try "rust: nobody listens" refused
try "rust: both sides are proved" both_proved "$port"
try "rust: the same plain, loaded and meshed" alike works
[ "$failures" -eq 0 ]
