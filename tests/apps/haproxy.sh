#!/bin/bash
# HAProxy as a TCP and as an HTTP proxy between a meshed client and a meshed nginx, replaced and reloaded under load.
# program: haproxy
# timeout: 90
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/apps/common.bash
. "$(dirname "$0")/common.bash"
# shellcheck source=tests/apps/web.bash
. "$(dirname "$0")/web.bash"

version haproxy "$(haproxy -v | awk 'NR == 1 { print $3 }')"
random_file 1k 1024
random_file 1m 1048576
random_file 100m 104857600
middle_mesh
backend

# haproxy_conf TCP-PORT HTTP-PORT BACKEND-PORT
haproxy_conf() {
    cat >"$work/haproxy.cfg" <<CFG
global
    log stderr format raw local0 warning
    stats socket $work/haproxy.sock mode 600 level admin expose-fd listeners
    hard-stop-after 20s
defaults
    timeout connect 5s
    timeout client 30s
    timeout server 30s
listen tcp
    mode tcp
    option splice-auto
    bind 127.0.0.1:$1
    server behind 127.0.0.1:$3
listen http
    mode http
    bind 127.0.0.1:$2
    http-reuse always
    http-response set-header x-way haproxy
    server behind 127.0.0.1:$3 check inter 200ms
CFG
}
tcp=$(free_port) http=$(free_port)
haproxy_conf "$tcp" "$http" "$backend"
spawn haproxy mesh middle haproxy -f "$work/haproxy.cfg" -db
haproxy=$spawned
wait_port "$tcp"
wait_port "$http"
for mode in tcp http; do
    port=${!mode} url=http://127.0.0.1:${!mode}
    try "haproxy/$mode: curl gets 1 KiB" fetch "$url/1k" 1k
    try "haproxy/$mode: curl gets 100 MiB" fetch "$url/100m" 100m
    try "haproxy/$mode: curl puts 100 MiB" put "$url/put/100m" 100m "$work/files/put/100m"
    try "haproxy/$mode: 200 requests on one connection" kept "$url/1k" 200
    try "haproxy/$mode: wrk, 32 connections" load 32 "$url/1k"
    try "haproxy/$mode: ab, a connection a request" bench -c 8 -n 200 "$url/1k"
    try "haproxy/$mode: both connections are proved" passed_through "$port" "$backend"
done
works_on_heads() {
    limit 20 mesh client curl -sS -o /dev/null -D - "http://127.0.0.1:$http/1k" | grep -qi '^x-way: haproxy'
}
try "haproxy/http: it works on the heads" works_on_heads

# A new process takes the listeners over, either by binding them as well or through the old one's socket; the old one ends
# when its connections do.
replaced() {
    local old=$haproxy
    spawn haproxy mesh middle haproxy -f "$work/haproxy.cfg" -db "${takeover[@]}" -sf "$old"
    haproxy=$spawned
    gone "$old" 20
}
takeover=()
try "haproxy: replaced under a large download" under_load replaced fetch "http://127.0.0.1:$tcp/100m" 100m --limit-rate 70M
takeover=(-x "$work/haproxy.sock")
try "haproxy: replaced under ab, the listeners handed over" under_load replaced bench -c 4 -n 300 "http://127.0.0.1:$http/1k"
try "haproxy: replaced under curl, which keeps its connection" under_load replaced many "http://127.0.0.1:$http/1m" 300
# What is handed over is a listener as it was: who has no identity is still refused.
refuses_plain() {
    ! limit 10 curl -sS --max-time 5 -o "$work/plain" "http://127.0.0.1:$http/1k"
}
try "haproxy: a client without an identity is refused by the new one" refuses_plain
try "haproxy: the new one serves on" fetch "http://127.0.0.1:$http/1m" 1m
stop "$haproxy"

serves() {
    local tcp http
    tcp=$(free_port) http=$(free_port)
    backend_as=backend backend
    haproxy_conf "$tcp" "$http" "$backend"
    spawn haproxy mesh middle haproxy -f "$work/haproxy.cfg" -db
    wait_port "$http"
    answer "http://127.0.0.1:$tcp/1m" && answer "http://127.0.0.1:$http/1m" && answer "http://127.0.0.1:$http/none"
}
try "haproxy: the same plain, loaded and meshed" alike serves
[ "$failures" -eq 0 ]
