#!/bin/bash
# Handshakes that resume an earlier one, between real programs: when they do, and all that ends it. Both ends' counters say so.
# timeout: 150
# packages: curl openssl
# shellcheck disable=SC2154 # common.bash assigns python
# What processes share to resume lies in memory alone.
[ "$(stat -f -c %T /dev/shm)" = tmpfs ] && TMPDIR=/dev/shm
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/apps/common.bash
. "$top/tests/apps/common.bash"
[ "$(stat -f -c %T "$work")" = tmpfs ] || skip "/dev/shm is not in memory"
connects=$top/tests/integration/connects.py

issue() {
    "$meshctl" ca issue --dir "$work/root" --workload "default/$1" --out "$work/$1" >/dev/null
}

ini() {
    cat >"$work/$1.ini" <<INI
[workload]
name         = $1
trust_domain = mesh.local
certificate  = $work/$1/cert.pem
private_key  = $work/$1/key.pem
trust_bundle = $work/$1/ca.pem
runtime_dir  = $work/run

[inbound]
allow = default/client

[service peer]
host     = 127.0.0.1
identity = default/server
INI
}

for ca in root other; do
    "$meshctl" ca init --dir "$work/$ca" --trust-domain mesh.local >/dev/null || fail "no $ca"
done
for name in client server; do
    issue "$name" && ini "$name" || fail "no certificate for $name"
done

# start WAY: a server whose port is in $port and whose process is in $server.
start() {
    port=$(free_port)
    spawn "server-$1" mesh server "$python" "$connects" "$1" "$port" me
    server=$spawned
    wait_port "$port"
}

dial() { # [TIMES]
    limit 20 mesh client "$python" "$connects" dial blocking 127.0.0.1 "$port" "${1:-1}" >"$work/saw" 2>&1
    cat "$work/saw"
    [ "$(grep -c '^OK' "$work/saw")" -eq "${1:-1}" ]
}

# resumed DIRECTION SERVICE: how many were, of those to this server.
resumed() {
    "$meshctl" stats -d "$work/run" -o json | "$python" -c '
import json, sys
print(sum(e["connections"]["resumed"] for e in json.load(sys.stdin)["entries"] if e["direction"] == sys.argv[1] and e["service"] == sys.argv[2]))' "$@"
}

# both COUNT: so many more were resumed than at the last look, at both ends.
clients_before=0
both() {
    local clients servers
    clients=$(resumed outbound peer)
    servers=$(resumed inbound "inbound:$port")
    echo "resumed: clients $clients, before $clients_before; this server $servers, before $servers_before; expected $1 more"
    [ $((clients - clients_before)) -eq "$1" ] && [ $((servers - $servers_before)) -eq "$1" ] || return 1
    clients_before=$clients servers_before=$servers
}

forget() {
    rm -f "$work"/run/sessions-*
}

fresh() { # WAY
    [ -z "${server:-}" ] || stop "$server"
    forget
    start "$1"
    clients_before=$(resumed outbound peer) servers_before=0
}

one_process() {
    fresh serve
    dial 5 && both 4
}

another_process() {
    dial && both 1 && dial && both 1
}

curl_after_curl() {
    fresh serve
    stop "$server"
    spawn web mesh server "$python" -m http.server "$port" --bind 127.0.0.1 --directory "$work/run"
    server=$spawned
    wait_port "$port"
    for _ in 1 2 3; do
        mesh client curl -sS --max-time 10 -o "$work/got" "http://127.0.0.1:$port/" || return 1
    done
    both 2
}

# Whichever process answers has what another has left.
workers() {
    fresh prefork
    dial 30 && both 29 && [ "$(awk '{ print $4 }' "$work/saw" | sort -u | wc -l)" -gt 1 ]
}

only_ours() {
    local file
    for file in "$work"/run/sessions-*; do
        stat -c '%n %a %U' "$file"
        [ "$(stat -c %a "$file")" = 400 ] || return 1
    done
    [ "$(find "$work/run" -name 'sessions-*' | wc -l)" -eq 2 ]
}

server_that_has_forgotten() {
    local file
    fresh serve
    dial 2 && both 1 || return 1
    file=$(grep -om 1 "$work/run/sessions-.*" "/proc/$server/maps")
    stop "$server"
    rm "$file" || return 1
    spawn again mesh server "$python" "$connects" serve "$port" me
    server=$spawned
    wait_port "$port"
    dial && both 0 && dial && both 1
}

reload() {
    "$meshctl" reload --socket "$work/run/$server.sock" >/dev/null
}

allow_changed() {
    fresh serve
    dial 2 && both 1 || return 1
    sed -i 's,^allow.*,allow = default/other,' "$work/server.ini" && reload || return 1
    ! dial && both 0 || return 1
    sed -i 's,^allow.*,allow = default/client,' "$work/server.ini" && reload && dial
}

# The client trusts another server now; what it has of this one is of no use.
identity_changed() {
    fresh serve
    dial 2 && both 1 || return 1
    sed -i 's,^identity.*,identity = default/somebody,' "$work/client.ini"
    ! dial && both 0 && grep -q 'EACCES' "$work/saw"
    local status=$?
    ini client
    return "$status"
}

root_removed() {
    fresh serve
    dial 2 && both 1 || return 1
    cp "$work/server/ca.pem" "$work/kept.pem"
    cp "$work/other/ca.pem" "$work/server/ca.pem" # nobody's: its own chain does not lead there either
    reload
    ! dial && both 0
    local status=$?
    cp "$work/kept.pem" "$work/server/ca.pem"
    return "$status"
}

# A root more is another bundle, too.
root_added() {
    fresh serve
    dial 2 && both 1 || return 1
    cat "$work/other/ca.pem" >>"$work/server/ca.pem" && reload
    dial && both 0 && dial && both 1
}

certificate_replaced() {
    fresh serve
    dial 2 && both 1 && issue client && dial && both 0 && dial && both 1
}

switched_off() { # WHERE
    fresh serve
    sed -i "/^\\[$2/a session_resumption = no" "$work/$1.ini" && reload
    dial 3 && both 0
    local status=$?
    ini "$1"
    return "$status"
}

# opt WHERE…: session_resumption = without_forward_secrecy there.
opt() {
    local where
    for where; do
        sed -i "s/^host.*/&\nsession_resumption = without_forward_secrecy/; s/^allow.*/&\nsession_resumption = without_forward_secrecy/" "$work/$where.ini"
    done
}

# exchanged COUNT: both ends' logs tell of so many handshakes without a key exchange.
exchanged() {
    [ "$(grep -c "an earlier handshake, without forward secrecy" "$work/mesh.log")" -eq "$1" ] ||
        { grep "proved to be" "$work/mesh.log" && return 1; }
}

# Both ends must want it; where the server does not, it is asked once, and shows its certificate again.
without_forward_secrecy() { # RESUMED WITHOUT WHERE…
    local count=$1 without=$2 status
    opt "${@:3}"
    MESHSHIM_LOG=debug fresh serve
    MESHSHIM_LOG=debug dial 5 && both "$count" && exchanged "$without"
    status=$?
    ini client && ini server
    return "$status"
}

# What the client has to resume by was agreed with somebody who is gone: the hello without a key share gets its second try.
another_kind_of_server() { # GROUP
    local status
    opt client server
    fresh serve
    dial 2 && both 1 || return 1
    stop "$server"
    spawn another openssl s_server -accept "127.0.0.1:$port" -cert "$work/server/cert.pem" -key "$work/server/key.pem" \
        -CAfile "$work/server/ca.pem" -Verify 3 -verify_return_error -tls1_3 -www -groups "$1"
    server=$spawned
    wait_port "$port"
    : >"$work/mesh.log"
    MESHSHIM_LOG=debug limit 20 mesh client curl -sS --max-time 10 "http://127.0.0.1:$port/" >"$work/got" &&
        grep -q "^New, TLSv1.3" "$work/got" && ! grep -q "trying again" "$work/mesh.log"
    status=$?
    ini client && ini server
    return "$status"
}

# Without the key in either file there is nothing to open.
nothing_kept() {
    sed -i 's/^allow.*/&\nsession_resumption = no/; s/^host.*/&\nsession_resumption = no/' "$work/client.ini" "$work/server.ini"
    fresh serve
    dial 2 && both 0 && ! ls "$work"/run/sessions-*
    local status=$?
    ini client && ini server
    return "$status"
}

# Forty processes, three connections each.
many_at_once() {
    local i pids_=()
    fresh prefork
    dial || return 1
    for i in $(seq 40); do
        limit 30 mesh client "$python" "$connects" dial blocking 127.0.0.1 "$port" 3 >"$work/saw.$i" 2>&1 &
        pids_+=($!)
    done
    wait "${pids_[@]}"
    cat "$work"/saw.*
    [ "$(cat "$work"/saw.* | grep -c '^OK')" -eq 120 ] || return 1
    [ "$(resumed outbound peer)" -eq $((clients_before + $(resumed inbound "inbound:$port"))) ] &&
        [ "$(resumed inbound "inbound:$port")" -ge 60 ]
}

try "resumption/one process" one_process
try "resumption/another process" another_process
try "resumption/curl after curl" curl_after_curl
try "resumption/workers that share a listener" workers
try "resumption/files for nobody else" only_ours
try "resumption/a server that has forgotten" server_that_has_forgotten
try "resumption/allow changed" allow_changed
try "resumption/identity changed" identity_changed
try "resumption/root removed" root_removed
try "resumption/root added" root_added
try "resumption/certificate replaced" certificate_replaced
try "resumption/switched off by the server" switched_off server inbound
try "resumption/switched off by the client" switched_off client service
try "resumption/without forward secrecy" without_forward_secrecy 4 8 client server
try "resumption/without forward secrecy, says the client alone" without_forward_secrecy 3 0 client
try "resumption/without forward secrecy, says the server alone" without_forward_secrecy 4 0 server
for group in X25519 P-256 P-384; do
    try "resumption/another kind of server, $group" another_kind_of_server "$group"
done
try "resumption/nothing kept" nothing_kept
try "resumption/many at once" many_at_once
[ "$failures" -eq 0 ]
