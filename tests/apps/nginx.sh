#!/bin/bash
# nginx, edge-triggered, with several workers: small and large, with sendfile and without, byte for byte in both directions,
# reloaded under load, and as a proxy.
# program: nginx
# timeout: 150
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/apps/common.bash
. "$(dirname "$0")/common.bash"
# shellcheck source=tests/apps/web.bash
. "$(dirname "$0")/web.bash"

version nginx "$(nginx -v 2>&1 | sed 's,.*/,,')"
random_file 1k 1024
random_file 1m 1048576
random_file 100m 104857600
with=$(free_port) without=$(free_port)
nginx_user
server="root $work/files; location /put/ { dav_methods PUT; create_full_put_path on; client_max_body_size 1g; }"
nginx_workers=2 nginx_conf "server { listen 127.0.0.1:$with; sendfile on; tcp_nopush on; $server }" \
    "server { listen 127.0.0.1:$without; sendfile off; $server }"
spawn nginx mesh server nginx -c "$work/nginx.conf"
nginx=$spawned
wait_port "$with"

# Each of these answers is looked at as it comes: several requests on one connection, then the body of the last one.
keep_alive() {
    limit 20 mesh client curl -sS --fail -o "$work/got" "$1/1k" -o "$work/got2" "$1/1m" -o "$work/got3" "$1/1k" \
        -w '%{num_connects}\n' >"$work/connects" &&
        same "$work/files/1k" "$work/got" && same "$work/files/1m" "$work/got2" && same "$work/files/1k" "$work/got3" &&
        [ "$(tr -d '\n' <"$work/connects")" = 100 ]
}

for how in with without; do
    port=${!how} url=http://127.0.0.1:${!how}
    try "nginx/$how sendfile: curl 1 KiB" fetch "$url/1k" 1k
    try "nginx/$how sendfile: curl keeps its connection" keep_alive "$url"
    try "nginx/$how sendfile: curl gets 100 MiB" fetch "$url/100m" 100m
    try "nginx/$how sendfile: curl puts 100 MiB" put "$url/put/100m" 100m "$work/files/put/100m"
    try "nginx/$how sendfile: wrk 1 KiB, 32 connections" load 32 "$url/1k"
    try "nginx/$how sendfile: wrk 1 MiB, 8 connections" load 8 "$url/1m"
    try "nginx/$how sendfile: both sides are proved" both_proved "$port"
done
url=http://127.0.0.1:$with

# A head alone, a part of a file and a file that is not there: what programs do beside fetching.
tail -c +1001 "$work/files/1m" | head -c 1000 >"$work/files/part"
try "nginx: a range" fetch "$url/1m" part -r 1000-1999
code=$(limit 20 mesh client curl -sS -o /dev/null -w '%{http_code} %{remote_port}' "$url/none")
try "nginx: 404 for what is not there" [ "$code" = "404 $with" ]

# Workers are replaced while they serve: those that end finish what they have begun.
reload() {
    local old
    old=$(children "$nginx")
    kill -HUP "$nginx"
    wait_until 10 none_of "$old" && wait_until 10 pgrep -P "$nginx" >/dev/null
}
try "nginx: reloaded under ab, a connection a request" under_load reload bench -c 8 -n 500 "$url/1k"
try "nginx: reloaded under curl, which keeps its connection" under_load reload many "$url/1m" 500
try "nginx: reloaded under a large download" under_load reload fetch "$url/100m" 100m --limit-rate 60M

# Between a meshed client and a meshed nginx: its upstream connections are meshed, too.
middle_mesh
backend
front=$(free_port)
mkdir -p "$work/nginx/middle"
cat >"$work/middle.conf" <<CONF
daemon off;
worker_processes 2;
$nginx_main
pid $work/nginx/middle.pid;
error_log $work/nginx.errors;
events { worker_connections 1024; }
http {
    access_log off;
    client_body_temp_path $work/nginx/middle/body;
    proxy_temp_path $work/nginx/middle/proxy;
    fastcgi_temp_path $work/nginx/middle/fastcgi;
    uwsgi_temp_path $work/nginx/middle/uwsgi;
    scgi_temp_path $work/nginx/middle/scgi;
    upstream behind { server 127.0.0.1:$backend; keepalive 8; }
    server {
        listen 127.0.0.1:$front;
        client_max_body_size 1g;
        location / { proxy_pass http://behind; proxy_http_version 1.1; proxy_set_header Connection ""; }
    }
}
CONF
spawn middle mesh middle nginx -c "$work/middle.conf"
wait_port "$front"
try "nginx: 100 MiB through it as a proxy" fetch "http://127.0.0.1:$front/100m" 100m
try "nginx: 100 MiB uploaded through it as a proxy" put "http://127.0.0.1:$front/put/100m" 100m "$work/files/put/100m"
try "nginx: wrk through it as a proxy" load 16 "http://127.0.0.1:$front/1k"
try "nginx: both connections of the proxy are proved" passed_through "$front" "$backend"

# One that is not meshed gets nothing, and the server goes on.
if limit 20 curl -sS --max-time 10 -o "$work/plain" "$url/1k" 2>"$work/plain.err"; then
    not_ok "nginx: curl without an identity was served"
else
    ok "nginx: curl without an identity is refused"
fi
try "nginx: serves on after that" fetch "$url/1k" 1k

serves() {
    backend_as=server backend
    answer "http://127.0.0.1:$backend/1m" && answer "http://127.0.0.1:$backend/none" && answer -r 10-99 "http://127.0.0.1:$backend/1k"
}
try "nginx: the same plain, loaded and meshed" alike serves
[ "$failures" -eq 0 ]
