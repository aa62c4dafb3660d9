#!/bin/bash
# Programs that nobody had in mind: lighttpd and ab, memcached, iperf3, ncat; kept and idle connections, time-outs.
# timeout: 150
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/apps/common.bash
. "$(dirname "$0")/common.bash"

random_file 1k 1024
random_file 1m 1048576

# at_least SECONDS MOST COMMAND…: it took that long, and not longer.
took_between() {
    local least=$1 most=$2 start end
    shift 2
    start=$(date +%s%N)
    "$@" || return 1
    end=$((($(date +%s%N) - start) / 1000000))
    echo "took $end ms"
    [ "$end" -ge "$least" ] && [ "$end" -le $((most * slow)) ]
}

# A connection that says PRELUDE and then nothing: the server's own time-out must end it, cleanly.
cat >"$work/idle.py" <<'PY'
import socket, sys
port, prelude, answer = int(sys.argv[1]), sys.argv[2].encode().decode("unicode_escape").encode(), sys.argv[3].encode()
with socket.create_connection(("127.0.0.1", port), timeout=20) as sock:
    sock.sendall(prelude)
    got = b""
    while piece := sock.recv(65536):
        got += piece
sys.exit(0 if answer in got else f"got {got[:200]!r}")
PY
idles() {
    limit 30 mesh client "$python" "$work/idle.py" "$@"
}

# --- lighttpd
web=$(free_port)
cat >"$work/lighttpd.conf" <<CONF
server.modules = ()
server.document-root = "$work/files"
server.port = $web
server.bind = "127.0.0.1"
server.errorlog = "$work/lighttpd.err"
server.max-keep-alive-idle = 1
server.max-keep-alive-requests = 1000
mimetype.assign = ("" => "application/octet-stream")
CONF
spawn lighttpd mesh server lighttpd -D -f "$work/lighttpd.conf"
wait_port "$web"
fetch() {
    limit 20 mesh client curl -sS --fail --max-time 15 -o "$work/got" "http://127.0.0.1:$web/$1" && same "$work/files/$1" "$work/got"
}
bench() {
    limit 30 mesh client ab -q -s 10 "$@" >"$work/ab" 2>&1 || { cat "$work/ab"; return 1; }
    grep -E 'Complete|Failed|Keep-Alive|Write errors' "$work/ab"
    grep -qE '^Failed requests: *0$' "$work/ab" && ! grep -qE 'Non-2xx|Write errors: *[1-9]' "$work/ab"
}
try "others: curl to lighttpd, 1 MiB" fetch 1m
try "others: ab -k to lighttpd" bench -k -c 16 -n 3000 "http://127.0.0.1:$web/1k"
try "others: ab to lighttpd, a connection a request" bench -c 8 -n 300 "http://127.0.0.1:$web/1k"
try "others: ab to lighttpd, 1 MiB" bench -k -c 4 -n 50 "http://127.0.0.1:$web/1m"
try "others: lighttpd ends an idle connection in its own time" \
    took_between 800 5000 idles "$web" 'HEAD /1k HTTP/1.1\r\nHost: x\r\n\r\n' '200 OK'
try "others: lighttpd and its clients are proved" both_proved "$web"

# --- memcached, with threads
cache=$(free_port)
user=()
[ "$(id -u)" -ne 0 ] || user=(-u root)
spawn memcached mesh server memcached -l 127.0.0.1 -p "$cache" -U 0 -t 4 "${user[@]}" -I 4m -o idle_timeout=1
wait_port "$cache"
cat >"$work/memcached.py" <<'PY'
import os, socket, sys, threading
def one(port, problems):
    with socket.create_connection(("127.0.0.1", port), timeout=20) as sock:
        file = sock.makefile("rb")
        for size in (1, 1000, 16385, 1 << 20):
            key, value = f"k{threading.get_ident()}-{size}", os.urandom(size)
            sock.sendall(f"set {key} 0 0 {size}\r\n".encode() + value + b"\r\n")
            if file.readline() != b"STORED\r\n":
                return problems.append(f"{size} bytes were not stored")
            sock.sendall(f"get {key}\r\n".encode())
            file.readline()
            if file.read(size + 2) != value + b"\r\n" or file.readline() != b"END\r\n":
                return problems.append(f"{size} bytes came back changed")
problems = []
workers = [threading.Thread(target=one, args=(int(sys.argv[1]), problems)) for _ in range(int(sys.argv[2]))]
[w.start() for w in workers]
[w.join() for w in workers]
sys.exit("; ".join(problems) if problems else 0)
PY
try "others: memcached keeps values of 1 byte to 1 MiB for 8 clients" limit 30 mesh client "$python" "$work/memcached.py" "$cache" 8
try "others: memcached ends an idle connection in its own time" took_between 800 9000 idles "$cache" 'version\r\n' VERSION
try "others: memcached and its clients are proved" both_proved "$cache"

# --- iperf3: both directions, several streams, both at once
speed=$(free_port)
spawn iperf3 mesh server iperf3 -s -B 127.0.0.1 -p "$speed"
wait_port "$speed"
measures() {
    limit 30 mesh client iperf3 -c 127.0.0.1 -p "$speed" -t 1 -J "$@" >"$work/iperf.json" || { tail -n 5 "$work/iperf.json"; return 1; }
    "$python" -c 'import json, sys; e = json.load(open(sys.argv[1])); sys.exit(e.get("error") or e["end"]["sum_received"]["bytes"] < 1 << 20)' \
        "$work/iperf.json"
}
try "others: iperf3 sends" measures
try "others: iperf3 receives" measures -R
try "others: iperf3 with 4 streams" measures -P 4
try "others: iperf3 in both directions at once" measures --bidir
try "others: iperf3 in pieces of 100 bytes" measures -l 100
try "others: iperf3 is proved" both_proved "$speed"

# --- ncat: a file through a pipe, and a program behind it. Input that never ends keeps the idle directions open.
exec {endless}<> <(:)
files=$(free_port)
received() {
    same "$work/files/1m" "$work/received" 2>/dev/null
}
sends_file() {
    (spawning=1 && mesh server ncat -l 127.0.0.1 "$files") <&"$endless" >"$work/received" 2>"$work/ncat.log" &
    pids+=($!)
    wait_port "$files"
    limit 20 mesh client ncat --send-only 127.0.0.1 "$files" <"$work/files/1m" && wait_until 10 received
}
try "others: ncat sends a file" sends_file
files=$(free_port)
spawn cat mesh server ncat -l -k 127.0.0.1 "$files" -e /bin/cat
wait_port "$files"
mkfifo "$work/words"
exec {words}<>"$work/words"
heard() {
    grep -q "hello there" "$work/heard"
}
echoes() {
    (spawning=1 && mesh client ncat 127.0.0.1 "$files") <&"$words" >"$work/heard" 2>"$work/hearing.log" &
    pids+=($!)
    echo "hello there" >&"$words"
    wait_until 10 heard
}
try "others: ncat -e echoes" echoes
[ "$failures" -eq 0 ]
