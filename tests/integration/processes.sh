#!/bin/bash
# Programs of several processes: servers that fork, connections that parent and child share, children that die, commands run in between,
# daemons that close every descriptor; and processes in which the library is to do nothing.
# timeout: 180
# shellcheck disable=SC2154 # common.bash assigns python
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/apps/common.bash
. "$top/tests/apps/common.bash"
families=$top/tests/integration/families.py

# serves SERVER CONNECTIONS PROCESSES
serves() {
    local port server
    port=$(free_port)
    spawn "$1" mesh server "$python" "$families" "$1" "$port"
    server=$spawned
    wait_port "$port"
    limit 40 mesh client "$python" "$families" many "$port" "$2" "$3" && [ ! -s "$work/mesh.log" ] && both_proved "$port"
    local status=$?
    kill "$server"
    return $status
}

# shared CLIENT KIND LINES: what the client's processes wrote arrived, whole and in order, and then a clean end.
shared() {
    local name=$work/$1.heard port server status=1
    port=$(free_port)
    spawn "collect-$1" mesh server "$python" "$families" collector "$port" "$name"
    server=$spawned
    wait_port "$port"
    limit 40 mesh client "$python" "$families" "$1" "$port" && wait_until 10 test -e "$name.0" &&
        "$python" "$families" compare "$name.0" "$2" "$3" && [ ! -s "$work/mesh.log" ] && status=0
    kill "$server"
    return $status
}

shared_reading() {
    local port status
    port=$(free_port)
    spawn echo-reading mesh server "$python" "$families" forking_server "$port"
    wait_port "$port"
    limit 40 mesh client "$python" "$families" write_and_read "$port" && [ ! -s "$work/mesh.log" ]
    status=$?
    kill "$spawned"
    return $status
}

# Four connections end as they do when a program dies in the midst of a record; the fifth is as it should be.
killed_writers() {
    local name=$work/killed.heard port server status=1
    port=$(free_port)
    spawn collect-killed mesh server "$python" "$families" collector "$port" "$name"
    server=$spawned
    wait_port "$port"
    # The collector takes one after another: the first is the parent's own, and ends last.
    limit 40 mesh client "$python" "$families" killed_writers "$port" && wait_until 20 test -e "$name.4" &&
        "$python" "$families" compare "$name.0" order 100 && running "$server" && status=0
    kill "$server"
    return $status
}

# What comes is what was written, as far as it comes.
killed_midway() {
    local name=$work/midway.heard port server status=1 i
    port=$(free_port)
    spawn collect-midway mesh server "$python" "$families" collector "$port" "$name"
    server=$spawned
    wait_port "$port"
    if limit 60 mesh client "$python" "$families" killed_midway "$port" && wait_until 20 test -e "$name.19"; then
        status=0
        for i in {0..19}; do
            "$python" "$families" compare "$name.$i" midway 0 || status=1
        done
        cat "$name".*.end
    fi
    grep 'not a valid TLS record' "$work/mesh.log" && status=1
    kill "$server"
    return $status
}

daemon() {
    local port status pid
    port=$(free_port)
    limit 20 mesh server "$python" "$families" closing_daemon "$port" "$work/daemon.pid" </dev/null || return 1
    wait_until 10 test -s "$work/daemon.pid" || return 1
    pid=$(cat "$work/daemon.pid")
    pids+=("$pid")
    wait_port "$port"
    limit 20 mesh client "$python" "$families" many "$port" 5 1 && both_proved "$port" &&
        "$meshctl" identity --socket "$work/run/$pid.sock" >/dev/null
    status=$?
    kill "$pid"
    return $status
}

# A client that closes everything but its connection goes on with it.
client_closes() {
    local port status
    port=$(free_port)
    spawn echo-closing mesh server "$python" "$families" forking_server "$port"
    wait_port "$port"
    limit 20 mesh client "$python" - "$top/tests/integration" "$port" <<'PY'
import sys
sys.dont_write_bytecode = True
sys.path.insert(0, sys.argv[1])
import families, os
for _ in range(3):
    sock = families.dial(sys.argv[2])
    families.os_close_others(sock)
    families.talk(sock, 100)
PY
    status=$?
    kill "$spawned"
    return $status
}

# The first connections of a process are made by eight threads at once: each ends as it should.
first_at_once() {
    local port server status=0
    port=$(free_port)
    spawn echo-first mesh server "$python" "$families" prefork_server "$port"
    server=$spawned
    wait_port "$port"
    for _ in {1..15}; do
        mesh client "$python" "$families" many "$port" 8 1 >/dev/null &
        limit 40 mesh client "$python" "$families" many "$port" 8 1 >/dev/null || status=1
        wait $! || status=1
    done
    [ ! -s "$work/mesh.log" ] || status=1
    kill "$server"
    return $status
}

twins() {
    local port status
    port=$(free_port)
    spawn echo-twins mesh server "$python" "$families" forking_server "$port"
    wait_port "$port"
    limit 40 mesh client "$python" "$families" twins "$port" "$work/slow"
    status=$?
    kill "$spawned"
    return $status
}

# plain NAME COMMAND…: a server under these conditions talks plain text with plain curl, and has no admin socket.
plain() {
    local name=$1 port status
    shift
    random_file hello 1000
    port=$(free_port)
    mkdir -p "$work/run-$name"
    spawn "$name" env "$@" MESHSHIM_LOG=debug MESHSHIM_RUNTIME_DIR="$work/run-$name" LD_PRELOAD="$mesh_preload" \
        "$python" -m http.server "$port" --bind 127.0.0.1 --directory "$work/files"
    wait_port "$port"
    curl -sS --max-time 10 -o "$work/got" "http://127.0.0.1:$port/hello" && same "$work/files/hello" "$work/got" &&
        env "$@" LD_PRELOAD="$mesh_preload" curl -sS --max-time 10 -o "$work/got" "http://127.0.0.1:$port/hello" &&
        same "$work/files/hello" "$work/got"
    status=$?
    grep -s 'meshshim\[' "$work/mesh.log" "$work/$name.log" && status=1
    if [ -n "$(ls -A "$work/run-$name")" ] || grep -qs meshshim /proc/"$spawned"/task/*/comm; then
        echo "it has begun something: $(ls -A "$work/run-$name")"
        status=1
    fi
    kill "$spawned"
    return $status
}

try "processes/forking: socketserver.ForkingMixIn serves 8 connections, a process each" serves forking_server 8 8
try "processes/prefork: four processes accept on one listener" serves prefork_server 8 1
try "processes/handing: the parent accepts, children of multiprocessing serve" serves handing_server 8 8
try "processes/child_writes: the child writes, the parent closes" shared child_writes order 2000
try "processes/parent_writes: the parent writes, the child closes" shared parent_writes order 2000
try "processes/in_turn: parent and child write in turn" shared in_turn order 2000
try "processes/at_once: parent and child write at once" shared at_once mixed 2000
try "processes/write_and_read: the parent writes, the child reads" shared_reading
try "processes/killed_child: a child is killed, the parent writes on and closes" shared killed_child order 200
try "processes/killed_midway: a child is killed while it writes, then the parent writes" killed_midway
try "processes/crowd: eight children close it, then the parent" shared crowd order 200
try "processes/killed_crowd: eight children are killed, then the parent closes" shared killed_crowd order 200
try "processes/killed_writers: children are killed while they write" killed_writers
try "processes/commands: subprocess, popen, system, posix_spawn while a connection is open" shared commands commands 200
try "processes/daemon: a daemon that closes every descriptor" daemon
try "processes/client_closes: a client that closes every other descriptor" client_closes
try "processes/first_at_once: eight threads make a process' first connections" first_at_once
try "processes/twins: two programs of one number, each of a pid namespace of its own, begin at once" twins
try "processes/disabled: MESHSHIM_DISABLE=1 does nothing" plain disabled MESHSHIM_DISABLE=1 MESHSHIM_CONFIG="$work/server.ini"
if [ -e /etc/meshshim/mesh.ini ]; then
    echo "skip processes/unconfigured: this machine has /etc/meshshim/mesh.ini"
else
    try "processes/unconfigured: no configuration, nothing is done" plain unconfigured -u MESHSHIM_CONFIG
fi
[ "$failures" -eq 0 ]
