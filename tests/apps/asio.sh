#!/bin/bash
# asio, and so Boost.Asio: C++ on an edge-triggered reactor in which sockets are before they connect; two threads drive it.
# packages: g++ libasio-dev
# program: asio
# timeout: 90
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/apps/common.bash
. "$(dirname "$0")/common.bash"
[ -e /usr/include/asio.hpp ] || skip "asio is not installed"
version asio "$(dpkg-query -W -f '${Version}' libasio-dev | sed 's/^1://')"
limit 80 g++ -std=c++17 -O1 -o "$work/asio" "$top/tests/apps/programs/asio.cpp" -lpthread >"$work/g++.log" 2>&1 || fail "asio.cpp does not compile"

serve() {
    port=$(free_port)
    spawn asio mesh server "$work/asio" server "$port"
    wait_port "$port"
}
client() {
    limit 40 mesh client "$work/asio" client "$port" "$@"
}
works() {
    serve && client 200000 20
}
serve
try "asio: 8 MB there and back" client 8000000 1
try "asio: 200 kB on each of 50 connections" client 200000 50
try "asio: both sides are proved" both_proved "$port"
try "asio: the same plain, loaded and meshed" alike works
[ "$failures" -eq 0 ]
