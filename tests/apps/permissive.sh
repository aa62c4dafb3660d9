#!/bin/bash
# A permissive port serves a meshed client, a plain one, and a program's own TLS, and counts which is which.
# timeout: 90
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/apps/common.bash
. "$(dirname "$0")/common.bash"

random_file 1m 1048576
sed 's/^mtls .*/mtls = permissive/' "$work/server.ini" >"$work/permissive.ini"
# `mtls = permissive` is for listening ports alone; the service keeps its own.
sed -i '/^\[service/,$s/^mtls .*/mtls = strict/' "$work/permissive.ini"
own=$(free_port) bare=$(free_port)
nginx_user
nginx_conf "server { listen 127.0.0.1:$bare; }" \
    "server { listen 127.0.0.1:$own ssl; ssl_certificate $work/ca/server.pem; ssl_certificate_key $work/ca/server.key; }"
spawn nginx mesh permissive nginx -c "$work/nginx.conf"
wait_port "$bare"

got() {
    limit 20 "$@" -sS --fail --max-time 15 -o "$work/got" && same "$work/files/1m" "$work/got"
}

# counted SECURITY PORT NUMBER: so many connections of that kind.
counted() {
    "$meshctl" stats -d "$work/run" -o json >"$work/stats.json" || return 1
    "$python" - "$work/stats.json" "$@" <<'PY'
import json, sys
path, security, port, number = sys.argv[1:]
entries = json.load(open(path))["entries"]
opened = sum(e["connections"]["opened"] for e in entries
             if e["security"] == security and e["direction"] == "inbound" and e["service"] == "inbound:" + port)
if opened != int(number):
    sys.exit(f"{opened} inbound connections of {security} on port {port}, expected {number}: {json.dumps(entries)}")
PY
}

# passed KIND PORT NUMBER: so many were let pass for that; the table and Prometheus' text say the same.
passed() {
    "$meshctl" stats -d "$work/run" -o prometheus >"$work/metrics" && "$meshctl" stats -d "$work/run" >"$work/table" &&
        grep -q "^meshshim_connections_passed_total{.*\"inbound:$2\",.*,passed=\"$1\"} $3\$" "$work/metrics" &&
        grep -A 1 " inbound:$2 .* none " "$work/table" | grep -q "not meshed: .*$3 $4" || { cat "$work/metrics" "$work/table"; return 1; }
}

# A probe of a load balancer: connects, and closes.
probe() {
    "$python" -c 'import socket, sys; socket.create_connection(("127.0.0.1", int(sys.argv[1]))).close()' "$1"
    wait_until 5 passed nothing "$1" 1 'that said nothing'
}

try "permissive: a plain client is served" got curl "http://127.0.0.1:$bare/1m"
try "permissive: a meshed client is served" got mesh client curl "http://127.0.0.1:$bare/1m"
try "permissive: the program's own TLS passes" got curl -k "https://127.0.0.1:$own/1m"
try "permissive: the meshed client is proved" proved inbound "inbound:$bare" client
try "permissive: one connection was mutual TLS" counted mutual_tls "$bare" 1
try "permissive: the plain one was not" counted none "$bare" 1
try "permissive: the program's own TLS was not" counted none "$own" 1
try "permissive: the plain one is named as that" passed plain_text "$bare" 1 'in plain text'
try "permissive: the program's own TLS is named as that" passed own_tls "$own" 1 'with TLS of their own'
try "permissive: a probe that says nothing is named as that" probe "$own"
try "permissive: wrk without an identity" limit 20 wrk -t 1 -c 8 -d 1s "http://127.0.0.1:$bare/1m"

# A program that speaks first, to one that waits: nothing comes from the client by which to tell.
greet=$(free_port)
cat >"$work/greet.py" <<'PY'
import socket, sys
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    client, _ = listener.accept()
    with client:
        client.sendall(b"220 good morning\r\n")
        client.recv(100)
PY
spawn greet mesh permissive "$python" "$work/greet.py" "$greet"
wait_port "$greet"
greeted() {
    limit 10 "$@" "$python" - "$greet" <<'PY'
import socket, sys
with socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=5) as sock:
    text = sock.recv(100)
    sock.sendall(b"QUIT\r\n")
sys.exit(0 if text == b"220 good morning\r\n" else f"got {text!r}")
PY
}
try "permissive: a server that speaks first greets a meshed client" greeted mesh client
try "permissive: a server that speaks first greets a plain client" greeted

# A thread a connection: while one reads what has just turned out to be plain, the next is accepted.
threaded=$(free_port)
spawn threaded mesh permissive "$python" -m http.server --bind 127.0.0.1 --directory "$work/files" "$threaded"
wait_port "$threaded"
one_after_another() {
    limit 30 ab -q -s 10 -c 4 -n 3000 "http://127.0.0.1:$threaded/none" >"$work/ab" 2>&1 || { cat "$work/ab"; return 1; }
    ! grep 'Errno' "$work/threaded.log" && grep -E 'Complete requests: *3000' "$work/ab"
}
try "permissive: 3000 plain connections to a threaded server" one_after_another
[ "$failures" -eq 0 ]
