#!/bin/bash
# What languages bring along as TLS: node's, CPython's and Go's own mutual TLS, as clients of a meshed server and as servers of a meshed client:
# ciphers where they let one choose, their tickets, and HelloRetryRequest.
# timeout: 180
# packages: golang-go
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/apps/common.bash
. "$top/tests/apps/common.bash"
# shellcheck source=tests/integration/interop.bash
. "$(dirname "$0")/interop.bash"
here=$top/tests/integration
echo_server

# serves COMMAND…: theirs, on $theirs.
serves() {
    theirs=$(free_port)
    spawn server-of-theirs "${@//PORT/$theirs}"
    wait_port "$theirs" 30
}

# ---- node
node=(/usr/bin/node "$here/interop.js")
version "node $(/usr/bin/node --version)"
for cipher in TLS_AES_128_GCM_SHA256 TLS_AES_256_GCM_SHA384 TLS_CHACHA20_POLY1305_SHA256; do
    run "node, $cipher" "${node[@]}" client "$echoes" "$ids/client" "$cipher" auto 500
    try "interop: node, $cipher: that was it" told 1 "$work/client-of-theirs" "done with $cipher URI:spiffe://mesh.local/ns/default/sa/server"
    serves "${node[@]}" server PORT "$ids/server" "$cipher" auto
    ask "node's server, $cipher" "$theirs" blocking 500
    ask "node's server, $cipher, epoll" "$theirs" epoll
    try "interop: node's server, $cipher: it knew its clients" told 2 "$work/server-of-theirs.log" "client URI:spiffe://mesh.local/ns/default/sa/client"
    try "interop: node's server, $cipher: clean ends" wait_until 5 told 2 "$work/server-of-theirs.log" "closed cleanly"
    stop "$spawned"
done
run "node, P-521 first" "${node[@]}" client "$echoes" "$ids/client" TLS_AES_128_GCM_SHA256 P-521:P-256 2
serves "${node[@]}" server PORT "$ids/server" TLS_AES_128_GCM_SHA256 P-384
ask "node's server, P-384 alone" "$theirs"
stop "$spawned"

# ---- CPython
version "$("$python" --version)"
run "CPython" "$python" "$here/interop.py" client "$echoes" "$ids/client" "" 500
run "CPython, P-384 alone" "$python" "$here/interop.py" client "$echoes" "$ids/client" secp384r1 2
for group in "" secp384r1; do
    serves "$python" "$here/interop.py" server PORT "$ids/server" "$group"
    ask "CPython's server${group:+, P-384 alone}" "$theirs" blocking 500
    ask "CPython's server${group:+, P-384 alone}, epoll" "$theirs" epoll
    try "interop: CPython's server: clean ends" wait_until 5 told 2 "$work/server-of-theirs.log" "closed cleanly"
    stop "$spawned"
done

# ---- Go
if command -v go >/dev/null; then
    version "$(go version)"
    limit 120 env GOCACHE="$work/go" HOME="$work" GO111MODULE=off go build -o "$work/interop" "$here/interop.go" || fail "interop.go does not compile"
    for group in any "P-521 first"; do
        run "Go, groups: $group" "$work/interop" client "$echoes" "$ids/client" "$group" 500
    done
    for group in any P-384; do
        serves "$work/interop" server PORT "$ids/server" "$group"
        ask "Go's server, groups: $group" "$theirs" blocking 500
        ask "Go's server, groups: $group, epoll" "$theirs" epoll
        try "interop: Go's server: clean ends" wait_until 5 told 2 "$work/server-of-theirs.log" "ended: <nil>"
        stop "$spawned"
    done
else
    echo "skip interop: Go: it is not installed: make deps"
fi
try "interop: each was proved" both_proved "$echoes"
[ "$failures" -eq 0 ]
