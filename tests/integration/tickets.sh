#!/bin/bash
# A meshed client resumes with servers of other kinds by the tickets that they give: nginx, OpenSSL, GnuTLS. Both ends say when, and
# all that ends it does.
# timeout: 180
# packages: curl nginx gnutls-bin openssl
# shellcheck disable=SC2154 # common.bash assigns python
# What processes share to resume lies in memory alone.
[ "$(stat -f -c %T /dev/shm)" = tmpfs ] && TMPDIR=/dev/shm
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/apps/common.bash
. "$top/tests/apps/common.bash"
[ "$(stat -f -c %T "$work")" = tmpfs ] || skip "/dev/shm is not in memory"
command -v nginx >/dev/null && command -v gnutls-serv >/dev/null || skip "nginx or gnutls-serv is not installed: make deps"

issue() {
    "$meshctl" ca issue --dir "$work/root" --workload "default/$1" --out "$work/$1" >/dev/null
}

client_ini() {
    cat >"$work/client.ini" <<INI
[workload]
name         = client
trust_domain = mesh.local
certificate  = $work/client/cert.pem
private_key  = $work/client/key.pem
trust_bundle = $work/client/ca.pem
runtime_dir  = $work/run

[service peer]
host     = 127.0.0.1, localhost
identity = default/server
INI
}

for ca in root other; do
    "$meshctl" ca init --dir "$work/$ca" --trust-domain mesh.local >/dev/null || fail "no $ca"
done
issue client && issue server || fail "no certificates"
client_ini

# page NAME…: what the server says on a connection of its own for each name, all of one curl.
page() {
    local urls=() name
    for name; do
        urls+=("http://$name:$port/")
    done
    limit 20 mesh client curl -4 -sS --max-time 15 -H 'Connection: close' "${urls[@]}"
}

# saw WHAT: of three curls one after the other, each of two connections. What nginx says of each: "r" for resumed, "." for not.
saw() {
    local all=
    for _ in 1 2 3; do
        all+=$(page 127.0.0.1 127.0.0.1 | tr -d '\n') || return 1
    done
    echo "saw $all, expected $1"
    [ "$all" = "$1" ]
}

one() { # r or .
    local got
    got=$(page 127.0.0.1 | tr -d '\n')
    echo "saw $got, expected $1"
    [ "$got" = "$1" ]
}

resumed() {
    "$meshctl" stats -d "$work/run" -o json | "$python" -c '
import json, sys
print(sum(e["connections"]["resumed"] for e in json.load(sys.stdin)["entries"] if e["direction"] == "outbound"))'
}

forget() {
    rm -f "$work"/run/sessions-*
}

# serve_nginx [DIRECTIVE]: on $port; it says whether it has resumed.
serve_nginx() {
    [ -z "${server:-}" ] || stop "$server"
    port=$(free_port)
    mkdir -p "$work/nginx/logs"
    cat >"$work/nginx.conf" <<CONF
daemon off; master_process off; pid $work/nginx/pid; error_log $work/nginx.log warn;
events {}
http {
    access_log off;
    client_body_temp_path $work/nginx/b; proxy_temp_path $work/nginx/p; fastcgi_temp_path $work/nginx/f; uwsgi_temp_path $work/nginx/u;
    scgi_temp_path $work/nginx/s;
    server {
        listen 127.0.0.1:$port ssl;
        ssl_certificate $work/server/cert.pem; ssl_certificate_key $work/server/key.pem;
        ssl_client_certificate $work/server/ca.pem; ssl_verify_client on; ssl_protocols TLSv1.3; ${1:-}
        location / { return 200 "\$ssl_session_reused\n"; }
    }
}
CONF
    spawn nginx-server nginx -p "$work/nginx" -e "$work/nginx.log" -c "$work/nginx.conf"
    server=$spawned
    wait_port "$port"
    forget
}

by_tickets() {
    local before
    before=$(resumed)
    serve_nginx "$@"
    saw '.rrrrr' && [ "$(($(resumed) - before))" -eq 5 ]
}

# Every connection of one curl finds one, and so does the next curl, in any order.
at_once() {
    local i pids_=()
    serve_nginx
    one . || return 1
    for i in $(seq 20); do
        page 127.0.0.1 127.0.0.1 127.0.0.1 >"$work/got.$i" &
        pids_+=($!)
    done
    wait "${pids_[@]}"
    cat "$work"/got.* | sort | uniq -c
    [ "$(cat "$work"/got.* | wc -l)" -eq 60 ] && [ "$(cat "$work"/got.* | grep -c r)" -ge 30 ]
}

# Its keys are new: it takes none of those that are left, and asks for the certificate.
server_that_has_forgotten() {
    serve_nginx
    saw '.rrrrr' || return 1
    stop "$server"
    spawn nginx-server nginx -p "$work/nginx" -e "$work/nginx.log" -c "$work/nginx.conf"
    server=$spawned
    wait_port "$port"
    one . && wait_until 10 one r
}

# Nor does one that shows nobody's certificate instead get away with it.
another_in_its_place() {
    serve_nginx
    saw '.rrrrr' || return 1
    stop "$server"
    "$meshctl" ca issue --dir "$work/other" --workload default/server --out "$work/impostor" >/dev/null
    sed -i "s,$work/server/cert.pem,$work/impostor/cert.pem,; s,$work/server/key.pem,$work/impostor/key.pem," "$work/nginx.conf"
    spawn nginx-server nginx -p "$work/nginx" -e "$work/nginx.log" -c "$work/nginx.conf"
    server=$spawned
    wait_port "$port"
    ! page 127.0.0.1 && grep -q "which is not in" "$work/mesh.log"
}

identity_changed() {
    serve_nginx
    saw '.rrrrr' || return 1
    sed -i 's,^identity.*,identity = default/somebody,' "$work/client.ini"
    ! page 127.0.0.1
    local status=$?
    client_ini
    return "$status"
}

root_removed() {
    serve_nginx
    saw '.rrrrr' || return 1
    cp "$work/client/ca.pem" "$work/kept.pem"
    cp "$work/other/ca.pem" "$work/client/ca.pem"
    ! page 127.0.0.1
    local status=$?
    cp "$work/kept.pem" "$work/client/ca.pem"
    return "$status"
}

# The bundle is another one, though the server's root is still in it.
root_added() {
    serve_nginx
    saw '.rrrrr' || return 1
    cp "$work/client/ca.pem" "$work/kept.pem"
    cat "$work/other/ca.pem" >>"$work/client/ca.pem"
    one . && one r
    local status=$?
    cp "$work/kept.pem" "$work/client/ca.pem"
    return "$status"
}

# The server took down whom the old certificate proved.
certificate_replaced() {
    serve_nginx
    saw '.rrrrr' && issue client && one . && one r
}

# One address, two servers: what one gave is not shown to the other. (curl asks nobody for localhost's address.)
by_name() {
    local got
    serve_nginx
    got=$(limit 20 mesh client "$python" - "$port" <<'PY'
import http.client, sys
for name in ["127.0.0.1"] * 2 + ["localhost"] * 2:  # an address is known by its name from then on
    connection = http.client.HTTPConnection(name, int(sys.argv[1]), timeout=15)
    connection.request("GET", "/", headers={"Connection": "close"})
    print(connection.getresponse().read().decode().strip(), end="")
PY
    )
    echo "saw $got"
    [ "$got" = .r.r ]
}

# Its ticket ends before the hour does.
ticket_over() {
    serve_nginx "ssl_session_timeout 2s;"
    one . && one r || return 1
    wait_until 10 one .
}

switched_off() {
    serve_nginx
    sed -i 's/^host.*/&\nsession_resumption = no/; s/^\[service/[inbound]\nsession_resumption = no\n&/' "$work/client.ini"
    saw '......' && ! ls "$work"/run/sessions-*
    local status=$?
    client_ini
    return "$status"
}

# For meshed servers alone: here it is a new key exchange each time, and no hello too many.
without_forward_secrecy() {
    serve_nginx
    sed -i 's/^host.*/&\nsession_resumption = without_forward_secrecy/' "$work/client.ini"
    : >"$work/mesh.log"
    MESHSHIM_LOG=debug saw '.rrrrr' && ! grep -q "without forward secrecy" "$work/mesh.log"
    local status=$?
    client_ini
    return "$status"
}

no_tickets() {
    serve_nginx "ssl_session_tickets off; ssl_session_cache off;"
    saw '......'
}


# pages COUNT PATTERN: of so many curls, all but the first meet a server that says so of resuming.
pages() {
    local i before
    forget
    before=$(resumed)
    for ((i = 0; i < $1; i++)); do
        page 127.0.0.1 >"$work/page" 2>"$work/curl.err" || { cat "$work/curl.err" && return 1; }
        [ "$i" -eq 0 ] || grep -q "$2" "$work/page" || { cat "$work/page" && return 1; }
    done
    [ "$(($(resumed) - before))" -eq $(($1 - 1)) ]
}

s_server() {
    stop "$server"
    port=$(free_port)
    spawn s_server openssl s_server -accept "127.0.0.1:$port" -cert "$work/server/cert.pem" -key "$work/server/key.pem" \
        -CAfile "$work/server/ca.pem" -Verify 3 -verify_return_error -tls1_3 -www "$@"
    server=$spawned
    wait_port "$port"
    pages 4 '^Reused, TLSv1.3'
}

gnutls_serv() {
    stop "$server"
    port=$(free_port)
    spawn gnutls-serv gnutls-serv -p "$port" --http --require-client-cert --x509certfile "$work/server/cert.pem" \
        --x509keyfile "$work/server/key.pem" --x509cafile "$work/server/ca.pem" --priority "NORMAL:-VERS-ALL:+VERS-TLS1.3$1"
    server=$spawned
    wait_port "$port"
    pages 4 '.'
}

try "tickets/nginx" by_tickets
try "tickets/nginx, kept at its end" by_tickets "ssl_session_tickets off; ssl_session_cache shared:c:1m;"
try "tickets/nginx, AES-256-GCM" by_tickets "ssl_conf_command Ciphersuites TLS_AES_256_GCM_SHA384;"
try "tickets/nginx, HelloRetryRequest" by_tickets "ssl_ecdh_curve secp384r1;"
for cipher in TLS_AES_128_GCM_SHA256 TLS_AES_256_GCM_SHA384 TLS_CHACHA20_POLY1305_SHA256; do
    try "tickets/s_server, $cipher" s_server -ciphersuites "$cipher"
done
try "tickets/s_server, kept at its end" s_server -no_ticket
try "tickets/s_server, HelloRetryRequest" s_server -groups P-384
try "tickets/gnutls-serv" gnutls_serv ""
try "tickets/gnutls-serv, HelloRetryRequest" gnutls_serv ":-GROUP-ALL:+GROUP-SECP384R1"
try "tickets/many at once" at_once
try "tickets/a server that has forgotten" server_that_has_forgotten
try "tickets/another server in its place" another_in_its_place
try "tickets/identity changed" identity_changed
try "tickets/root removed" root_removed
try "tickets/root added" root_added
try "tickets/certificate replaced" certificate_replaced
try "tickets/by name" by_name
try "tickets/over" ticket_over
try "tickets/switched off" switched_off
try "tickets/without forward secrecy" without_forward_secrecy
try "tickets/none given" no_tickets
[ "$failures" -eq 0 ]
