#!/bin/bash
# Python's own servers and clients: blocking, selectors, asyncio and uvloop; HTTP, objects, files by sendfile, TLS of its own inside.
# packages: python3 python3-uvloop
# program: Python
# timeout: 120
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/apps/common.bash
. "$(dirname "$0")/common.bash"
echo "version Python $("$python" -c 'import platform; print(platform.python_version())')"

random_file 1m 1048576
web=$(free_port)
spawn http mesh server "$python" -m http.server "$web" --bind 127.0.0.1 --directory "$work/files" --protocol HTTP/1.1
wait_port "$web"

fetch() {
    limit 20 mesh client "$python" - "http://127.0.0.1:$web/1m" "$work/got" <<'PY' && same "$work/files/1m" "$work/got"
import sys, urllib.request
with urllib.request.urlopen(sys.argv[1], timeout=10) as answer, open(sys.argv[2], "wb") as file:
    file.write(answer.read())
PY
}
more=$top/tests/apps/programs/more.py
try "python: urllib gets 1 MiB from http.server" fetch
try "python: http.client asks 60 times on one connection" limit 20 mesh client "$python" "$more" kept-client "$web" "$work/files/1m"
try "python: http.server and its clients are proved" both_proved "$web"

# pair PROGRAM SERVER CLIENT ARGUMENT…: a server, and a client that compares; each a mode of the program.
pair() {
    port=$(free_port)
    spawn "$2" mesh server "$python" "$1" "$2" "$port" "${server_arguments[@]}"
    wait_port "$port"
    limit 40 mesh client "$python" "$1" "$3" "$port" "${@:4}"
}
echo_pair() {
    server_arguments=()
    pair "$top/tests/apps/echo.py" "$@" && both_proved "$port"
}
# more_pair SERVER CLIENT ARGUMENT…: both get the arguments.
more_pair() {
    server_arguments=("${@:3}")
    pair "$more" "$@" && both_proved "$port"
}
try "python: asyncio echoes 8 MiB" echo_pair asyncio-server asyncio-client 8388608 1
try "python: asyncio echoes 256 KiB on each of 16 connections" echo_pair asyncio-server asyncio-client 262144 16
try "python: selectors echo 8 MiB" echo_pair selectors-server selectors-client 8388608 1
try "python: selectors echo 64 KiB on each of 16 connections" echo_pair selectors-server selectors-client 65536 16
try "python: poll echoes 64 KiB on each of 16 connections" echo_pair selectors-server poll-client 65536 16
try "python: select echoes 64 KiB on each of 16 connections" echo_pair selectors-server select-client 65536 16
try "python: threads echo 8 MiB" echo_pair threads-server threads-client 8388608 1
try "python: forks echo 1 MiB on each of 4 connections" echo_pair forks-server threads-client 1048576 4
try "python: an asyncio client to a server of threads" echo_pair threads-server asyncio-client 1048576 4
try "python: a socket with a time-out" echo_pair threads-server timeout-client
if "$python" -c 'import uvloop' 2>/dev/null; then
    try "python: uvloop echoes 8 MiB" echo_pair uvloop-server uvloop-client 8388608 1
    try "python: uvloop echoes 64 KiB on each of 50 connections" echo_pair uvloop-server uvloop-client 65536 50
else
    echo "skip python: uvloop is not installed"
fi
try "python: multiprocessing.connection carries objects" more_pair objects-server objects-client
try "python: files by sendfile" more_pair sendfile-server sendfile-client "$work/files/1m"
try "python: TLS of its own inside the mesh's" more_pair tls-server tls-client "$work/ca"
try "python: asyncio's TLS of its own inside the mesh's" more_pair tls-server tls-asyncio "$work/ca"

works() {
    server_arguments=("$work/ca")
    pair "$more" tls-server tls-client "$work/ca" && server_arguments=() &&
        pair "$top/tests/apps/echo.py" asyncio-server selectors-client 65536 20
}
try "python: the same plain, loaded and meshed" alike works
[ "$failures" -eq 0 ]
