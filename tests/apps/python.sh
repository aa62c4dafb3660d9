#!/bin/bash
# Python's own servers and clients: blocking, selectors, asyncio.
# timeout: 120
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/apps/common.bash
. "$(dirname "$0")/common.bash"

random_file 1m 1048576
web=$(free_port)
spawn http mesh server "$python" -m http.server "$web" --bind 127.0.0.1 --directory "$work/files"
wait_port "$web"

fetch() {
    limit 20 mesh client "$python" - "http://127.0.0.1:$web/1m" "$work/got" <<'PY' && same "$work/files/1m" "$work/got"
import sys, urllib.request
with urllib.request.urlopen(sys.argv[1], timeout=10) as answer, open(sys.argv[2], "wb") as file:
    file.write(answer.read())
PY
}
try "python: urllib gets 1 MiB from http.server" fetch
try "python: http.server and urllib are proved" both_proved "$web"

# echo NAME SERVER CLIENT ARGUMENT…: a server that echoes, a client that compares; each a mode of echo.py.
echo_pair() {
    local port
    port=$(free_port)
    spawn "$1" mesh server "$python" "$top/tests/apps/echo.py" "$1" "$port"
    wait_port "$port"
    limit 40 mesh client "$python" "$top/tests/apps/echo.py" "$2" "$port" "${@:3}" && both_proved "$port"
}
try "python: asyncio echoes 8 MiB" echo_pair asyncio-server asyncio-client 8388608 1
try "python: asyncio echoes 256 KiB on each of 16 connections" echo_pair asyncio-server asyncio-client 262144 16
try "python: selectors echo 8 MiB" echo_pair selectors-server selectors-client 8388608 1
try "python: selectors echo 64 KiB on each of 16 connections" echo_pair selectors-server selectors-client 65536 16
try "python: threads echo 8 MiB" echo_pair threads-server threads-client 8388608 1
try "python: forks echo 1 MiB on each of 4 connections" echo_pair forks-server threads-client 1048576 4
try "python: an asyncio client to a server of threads" echo_pair threads-server asyncio-client 1048576 4
try "python: a socket with a time-out" echo_pair threads-server timeout-client
[ "$failures" -eq 0 ]
