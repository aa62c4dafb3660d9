#!/bin/bash
# Counters after known traffic: exactly what the programs did, the same in every view, and true after a program has ended or died.
# timeout: 90
# shellcheck disable=SC2154 # common.bash assigns python
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/apps/common.bash
. "$top/tests/apps/common.bash"
counts=$top/tests/integration/counts.py
connects=$top/tests/integration/connects.py

# look: the three views, taken when nothing moves.
look() {
    "$meshctl" stats -d "$work/run" -o json >"$work/table.json" &&
        curl -sS --max-time 10 --unix-socket "$work/run/$server.sock" http://mesh/stats >"$work/page.json" &&
        curl -sS --max-time 10 --unix-socket "$work/run/$server.sock" http://mesh/metrics >"$work/metrics"
}

has() {
    "$meshctl" stats -d "$work/run" -o json >"$work/table.json" && "$python" "$counts" has "$work/table.json" "$@"
}

agree() {
    look && "$python" "$counts" agree "$work/table.json" "$work/page.json" "$work/metrics"
}

# What meshctl prints for Prometheus is what the process serves.
prometheus() {
    look && "$meshctl" stats -d "$work/run" -o prometheus | diff - "$work/metrics"
}

# A relay between two unmeshed ends counts what curl and the server say: the program's bytes, by another witness.
witness() {
    local relayed plain
    plain=$(free_port)
    relayed=$(free_port)
    mkdir "$work/witnessed"
    spawn plain "$python" -m http.server "$plain" --bind 127.0.0.1 --directory "$work/files"
    local first=$spawned
    spawn relay "$python" "$top/examples/demo/relay.py" "$relayed" "$plain" "$work/witnessed"
    wait_port "$plain"
    wait_port "$relayed"
    # The port is part of the request: both have five digits.
    curl -sS --max-time 10 -o "$work/got" "http://127.0.0.1:$relayed/4k" && same "$work/files/4k" "$work/got" || return 1
    wait_until 5 test -e "$work/witnessed/1.done"
    kill "$first" "$spawned"
    asked=$(wc -c <"$work/witnessed/1.up")
    answered=$(wc -c <"$work/witnessed/1.down")
    [ "$asked" -gt 50 ] && [ "$answered" -gt 4096 ]
}

get() {
    limit 20 mesh client curl -sS --max-time 10 -o "$work/got" "http://127.0.0.1:$port/4k" && same "$work/files/4k" "$work/got"
}

traffic() {
    get && get && get && wait_until 5 has inbound "inbound:$port" client server connections.active=0
}

outbound() {
    has outbound peer server client security=mutual_tls connections.opened=3 connections.active=0 "bytes.sent=$((3 * asked))" \
        "bytes.received=$((3 * answered))" latency_us.connect.count=3 latency_us.handshake.count=3 latency_us.turnaround.count=3 \
        latency_us.turnaround.p50 latency_us.handshake.p999
}

inbound() {
    has inbound "inbound:$port" client server security=mutual_tls connections.opened=3 connections.active=0 "bytes.sent=$((3 * answered))" \
        "bytes.received=$((3 * asked))" latency_us.handshake.count=3 latency_us.turnaround.count=3
}

killed() {
    spawn held mesh client "$python" -c "
import socket, select
sock = socket.create_connection(('127.0.0.1', $port))
sock.sendall(b'GET /4k HT')
print('holding', flush=True)
select.select([], [], [])"
    wait_until 10 grep -q holding "$work/held.log" && wait_until 5 has outbound peer server client connections.active=1 connections.opened=4 &&
        wait_until 5 has inbound "inbound:$port" client server connections.active=1 || return 1
    kill -9 "$spawned"
    gone "$spawned" 5
    wait_until 5 has outbound peer server client connections.active=0 connections.opened=4 "bytes.sent=$((3 * asked + 10))" &&
        wait_until 5 has inbound "inbound:$port" client server connections.active=0 connections.opened=4 "bytes.received=$((3 * asked + 10))"
}

killed_server() {
    local port
    port=$(free_port)
    spawn doomed mesh server "$python" "$connects" serve "$port" doomed
    wait_port "$port"
    spawn holder mesh client "$python" -c "
import socket, select
sock = socket.create_connection(('127.0.0.1', $port))
sock.sendall(b'hello')
select.select([], [], [])"
    wait_until 10 has inbound "inbound:$port" client server connections.active=1 bytes.received=5 || return 1
    local holder=$spawned
    kill -9 "${pids[-2]}"
    wait_until 5 has inbound "inbound:$port" client server connections.active=0 connections.opened=1 bytes.received=5
    local status=$?
    kill "$holder"
    return $status
}

# Children that end, become a program or close theirs leave the parent what it has.
forked() {
    spawn parent mesh client "$python" -c "
import os, select, socket
sock = socket.create_connection(('127.0.0.1', $port))
sock.sendall(b'GET /4k HT')
for end in (lambda: None, lambda: os.execv('/bin/true', ['true']), sock.close):
    if (child := os.fork()) == 0:
        end()
        os._exit(0)
    os.waitpid(child, 0)
print('alone', flush=True)
select.select([], [], [])"
    wait_until 10 grep -q alone "$work/parent.log" && has outbound peer server client connections.active=1 || return 1
    kill "$spawned"
    wait_until 5 has outbound peer server client connections.active=0
}

# certified NAME: a client's configuration with that certificate, whose name is the last word.
certified() {
    sed "s,$work/ca/client\.,$work/ca/$1.,; s,^name .*,name = $2," "$work/client.ini" >"$work/$1.ini"
}

refused() { # CERTIFICATE NAME REASON PEER
    certified "$1" "$2"
    ! limit 20 mesh "$1" curl -sS --max-time 10 "http://127.0.0.1:$port/4k" &&
        grep -q 'does not accept our certificate (alert certificate_unknown): see whom it wants (allow, identity)' "$work/mesh.log" &&
        wait_until 5 has inbound "inbound:$port" "$4" server "connections.failed.$3=1"
}

# The same reason is told in the words of whom it concerns. The client has finished when it is refused, and counts the connection.
in_words() {
    "$meshctl" stats -d "$work/run" >"$work/table"
    grep -A 1 "default/mallory .* outbound .* default/server " "$work/table" | grep -q 'identity (it does not accept our certificate: see its allow list' &&
        grep -A 1 "default/server .* inbound .* default/mallory " "$work/table" | grep -q 'identity (a valid certificate, of somebody whom allow does not name)' &&
        grep -A 1 "default/client .* outbound .* default/mallory " "$work/table" | grep -q "identity (a valid certificate, .* the service's identity does not name)" || { cat "$work/table"; return 1; }
}

# Of another authority; its own configuration believes both, or it would refuse itself.
foreigner() {
    "$meshctl" ca init --dir "$work/other" --trust-domain mesh.local && "$meshctl" ca issue --dir "$work/other" \
        --workload default/client --out "$work/foreigner" || return 1
    cat "$work/ca/ca.pem" >>"$work/foreigner/ca.pem"
    sed "s,^certificate .*,certificate = $work/foreigner/cert.pem,; s,^private_key .*,private_key = $work/foreigner/key.pem,
        s,^trust_bundle .*,trust_bundle = $work/foreigner/ca.pem," "$work/client.ini" >"$work/foreigner.ini"
    ! limit 20 mesh foreigner curl -sS --max-time 10 "http://127.0.0.1:$port/4k" &&
        grep -q 'does not accept our certificate (alert unknown_ca): its trust bundle lacks our root' "$work/mesh.log" &&
        wait_until 5 has inbound "inbound:$port" "" server connections.failed.certificate=1
}

in_plain() {
    ! curl -sS --max-time 10 "http://127.0.0.1:$port/4k" && wait_until 5 has inbound "inbound:$port" "" server connections.failed.plaintext=1
}

no_endpoint() {
    local dead
    dead=$(free_port)
    limit 20 mesh client "$python" "$connects" dial blocking 127.0.0.1 "$dead" | grep -q '^ECONNREFUSED' &&
        has outbound peer "" client connections.failed.connect=1
}

own() {
    sed "s,^certificate .*,certificate = $work/none.pem," "$work/client.ini" >"$work/own.ini"
    limit 20 mesh own "$python" "$connects" dial blocking 127.0.0.1 "$port" | grep -q '^EACCES' &&
        has outbound peer "" client connections.failed.own_identity=1
}

impostor() {
    local other
    other=$(free_port)
    spawn impostor "$B/tests/peers/badpeer" --role server --port "$other" --ca "$work/ca" --case wrong_name
    wait_port "$other"
    sed 's/^identity .*/&\nconnect_retries = 0/' "$work/client.ini" >"$work/impostor.ini"
    limit 20 mesh impostor "$python" "$connects" dial blocking 127.0.0.1 "$other" | grep -q '^EACCES' &&
        has outbound peer mallory client connections.failed.identity=1
}

# Somebody who has no right to be there cannot make series as he likes.
bounded() {
    local before after
    before=$("$meshctl" stats -d "$work/run" -o json | grep -o '"direction"' | wc -l)
    for _ in 1 2 3 4 5; do curl -s --max-time 10 "http://127.0.0.1:$port/$RANDOM"; done
    after=$("$meshctl" stats -d "$work/run" -o json | grep -o '"direction"' | wc -l)
    [ "$before" -eq "$after" ]
}

random_file 4k 4096
port=$(free_port)
spawn web mesh server "$python" -m http.server "$port" --bind 127.0.0.1 --directory "$work/files"
server=$spawned
wait_port "$port"
try "stats: a witness counts the bytes of one request and its answer" witness
try "stats: three requests" traffic
try "stats: the client's side is exactly that, although curl has ended" outbound
try "stats: the server's side is exactly that" inbound
try "stats: meshctl, /stats and /metrics agree" agree
try "stats: meshctl -o prometheus is what the process serves" prometheus
try "stats: a client that is killed does not stay active" killed
try "stats: a server that is killed does not stay active" killed_server
try "stats: what a child leaves its parent still has" forked
try "stats: another's certificate is a failure by that reason" foreigner
try "stats: a client without the right identity is a failure by that reason" refused wrong_name mallory identity mallory
try "stats: plain text is a failure by that reason" in_plain
try "stats: no endpoint is a failure by that reason" no_endpoint
try "stats: our own identity is a failure by that reason" own
try "stats: a server that is somebody else is a failure by that reason" impostor
try "stats: a refusal in the words of either side" in_words
try "stats: who is refused makes no series of his own" bounded
try "stats: the views agree at the end" agree
[ "$failures" -eq 0 ]
