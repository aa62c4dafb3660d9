#!/bin/bash
# TLS of a program's own inside ours: stunnel (a thread a connection) as a server and as a client, hitch (libev, a process each), curl.
# packages: apache2-utils curl hitch nginx-light openssl stunnel4
# program: stunnel
# program: hitch
# timeout: 60
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/apps/common.bash
. "$(dirname "$0")/common.bash"
# shellcheck source=tests/apps/web.bash
. "$(dirname "$0")/web.bash"

command -v stunnel4 >/dev/null && command -v hitch >/dev/null || skip "stunnel or hitch is not installed"
version stunnel "$(stunnel4 -version 2>&1 | sed -n 's/^stunnel \([0-9.]*\).*/\1/p' | head -n 1)"
version hitch "$(hitch --version | awk 'NR == 1 { print $2 }')"
random_file 1k 1024
random_file 1m 1048576
random_file 20m 20971520
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$work/own.key" -out "$work/own.crt" -subj /CN=localhost \
    -addext subjectAltName=IP:127.0.0.1 -days 2 2>/dev/null || fail "no certificate"
cat "$work/own.key" "$work/own.crt" >"$work/own.pem"
middle_mesh
# One of them is the other's client.
sed -i 's,^allow .*,allow = default/client\, default/server,' "$work/middle.ini"
export CURL_CA_BUNDLE=$work/own.crt

# stunnels_at TLS-PORT PLAIN-PORT BACKEND-PORT: ends TLS for the backend; and begins it, to the first.
stunnels_at() {
    cat >"$work/stunnel.conf" <<CONF
foreground = yes
pid =
[ends]
accept = 127.0.0.1:$1
connect = 127.0.0.1:$3
cert = $work/own.pem
CONF
    cat >"$work/stunnel.client" <<CONF
foreground = yes
pid =
[begins]
client = yes
accept = 127.0.0.1:$2
connect = 127.0.0.1:$1
CAfile = $work/own.crt
verifyChain = yes
CONF
    spawn stunnel mesh middle stunnel4 "$work/stunnel.conf"
    wait_port "$1"
    spawn begins mesh middle stunnel4 "$work/stunnel.client"
    wait_port "$2"
}
hitch_at() {
    local user=()
    [ "$(id -u)" -ne 0 ] || user=(--user=root --group=root)
    spawn hitch mesh middle hitch "${user[@]}" -n 2 -f "[127.0.0.1]:$1" -b "[127.0.0.1]:$2" "$work/own.pem"
    wait_port "$1"
}

backend
tls=$(free_port) plain=$(free_port)
stunnels_at "$tls" "$plain" "$backend"
try "stunnel: curl's TLS ends there, 20 MiB" fetch "https://127.0.0.1:$tls/20m" 20m
try "stunnel: its own TLS between two, 20 MiB" fetch "http://127.0.0.1:$plain/20m" 20m
try "stunnel: curl puts 20 MiB" put "http://127.0.0.1:$plain/put/20m" 20m "$work/files/put/20m"
try "stunnel: ab, TLS on each connection" bench -c 4 -n 60 "https://127.0.0.1:$tls/1k"
try "stunnel: both connections are proved" passed_through "$tls" "$backend"
tls=$(free_port)
hitch_at "$tls" "$backend"
try "hitch: curl's TLS ends there, 20 MiB" fetch "https://127.0.0.1:$tls/20m" 20m
try "hitch: 200 requests on one connection" kept "https://127.0.0.1:$tls/1k" 200
try "hitch: ab, TLS on each connection" bench -c 4 -n 60 "https://127.0.0.1:$tls/1k"
try "hitch: both connections are proved" passed_through "$tls" "$backend"

works() {
    local tls plain hitch
    tls=$(free_port) plain=$(free_port) hitch=$(free_port)
    backend_as=backend backend
    stunnels_at "$tls" "$plain" "$backend"
    hitch_at "$hitch" "$backend"
    answer "https://127.0.0.1:$tls/1m" && answer "http://127.0.0.1:$plain/20m" && answer "https://127.0.0.1:$hitch/1m"
}
try "stunnel, hitch: the same plain, loaded and meshed" alike works
[ "$failures" -eq 0 ]
