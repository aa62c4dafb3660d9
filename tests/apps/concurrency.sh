#!/bin/bash
# 64 connections at once, in one process and in many, to servers of several kinds.
# timeout: 120
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/apps/common.bash
. "$(dirname "$0")/common.bash"

random_file 100k 102400
web=$(free_port)
nginx_user
nginx_workers=2
nginx_conf "server { listen 127.0.0.1:$web reuseport; }"
spawn nginx mesh server nginx -c "$work/nginx.conf"
wait_port "$web"

many_processes() {
    local pid pids_here=() bad=0 i
    for i in $(seq 64); do
        limit 40 mesh client curl -sS --fail --max-time 30 -o "$work/got.$i" "http://127.0.0.1:$web/100k" &
        pids_here+=($!)
    done
    for pid in "${pids_here[@]}"; do
        wait "$pid" || bad=$((bad + 1))
    done
    for i in $(seq 64); do
        same "$work/files/100k" "$work/got.$i" || bad=$((bad + 1))
    done
    [ "$bad" -eq 0 ]
}
one_process() {
    local url=()
    for i in $(seq 64); do
        url+=(-o "$work/got.$i" "http://127.0.0.1:$web/100k")
    done
    rm -f "$work"/got.*
    limit 40 mesh client curl -sS --fail --max-time 30 -Z --parallel-immediate --parallel-max 64 "${url[@]}" || return 1
    for i in $(seq 64); do
        same "$work/files/100k" "$work/got.$i" || return 1
    done
}
load() {
    limit 20 mesh client wrk -t 2 -c 64 -d 1s --timeout 10s "http://127.0.0.1:$web/100k" >"$work/wrk" || return 1
    cat "$work/wrk"
    ! grep -qE 'Socket errors|Non-2xx' "$work/wrk"
}
echoes() {
    local port
    port=$(free_port)
    spawn "$1" mesh server "$python" "$top/tests/apps/echo.py" "$1" "$port"
    wait_port "$port"
    limit 60 mesh client "$python" "$top/tests/apps/echo.py" "$2" "$port" 65536 64
}
greetings() {
    local port
    port=$(free_port)
    spawn greetings mesh server "$python" "$top/tests/apps/greetings.py" "$port" serve
    wait_port "$port"
    limit 60 mesh client "$python" "$top/tests/apps/greetings.py" "$port" greeted 16 10 $((3 * slow))
}
# Nobody is left behind: the gauges come back to nothing.
all_ended() {
    "$meshctl" stats -d "$work/run" -o json >"$work/stats.json" &&
        "$python" -c 'import json, sys; sys.exit(any(e["connections"]["active"] for e in json.load(open(sys.argv[1]))["entries"]))' "$work/stats.json"
}

try "concurrency: 64 processes of curl to 2 workers of nginx" many_processes
try "concurrency: 64 transfers in one curl" one_process
try "concurrency: wrk with 64 connections on 2 threads" load
# The grace is over before any handshake is: what a program is told then must still be true. wrk takes a readable socket at its word.
sed -i 's,^identity .*,&\nhandshake_grace = 1ms,' "$work/client.ini"
try "concurrency: wrk with 64 connections whose proof comes late" load
sed -i '/^handshake_grace/d' "$work/client.ini"
try "concurrency: 64 echoes, threads to threads" echoes threads-server threads-client
try "concurrency: 64 echoes, asyncio to asyncio" echoes asyncio-server asyncio-client
try "concurrency: 64 echoes, selectors to forks" echoes forks-server selectors-client
try "concurrency: 160 greetings of a server of threads, none late" greetings
try "concurrency: nobody counts as active afterwards" wait_until 10 all_ended
[ "$failures" -eq 0 ]
