#!/bin/bash
# HTTP/2 in the clear, many streams on a connection: nghttpd with threads, h2load and nghttp, curl; h2load to nginx; nghttpx between them.
# packages: curl nghttp2-client nghttp2-proxy nghttp2-server nginx-light
# program: nghttp2
# timeout: 60
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/apps/common.bash
. "$(dirname "$0")/common.bash"
# shellcheck source=tests/apps/web.bash
. "$(dirname "$0")/web.bash"

command -v nghttpd >/dev/null && command -v h2load >/dev/null || skip "nghttp2's programs are not installed"
version nghttp2 "$(nghttpd --version | sed 's,.*/,,')"
random_file 1k 1024
random_file 1m 1048576
random_file 20m 20971520
middle_mesh

# nghttpd_at PORT WORKLOAD
nghttpd_at() {
    spawn nghttpd mesh "$2" nghttpd --no-tls -n 2 -d "$work/files" --echo-upload -a 127.0.0.1 "$1"
    wait_port "$1"
}
# h2 REQUESTS ARGUMENT… URL: h2load counts no failure.
h2() {
    local number=$1
    shift
    limit 20 mesh client h2load -n "$number" "$@" >"$work/h2load" 2>&1 || { cat "$work/h2load"; return 1; }
    grep -E '^(requests|status codes):' "$work/h2load"
    grep -q "^requests: $number total, .* $number done, $number succeeded, 0 failed, 0 errored, 0 timeout" "$work/h2load"
}
# Their pieces come as they are ready; it writes them as they come.
several() {
    [ "$(limit 20 mesh client nghttp --no-verify-peer -m 5 "$1/1m" "$1/1m" | wc -c)" -eq 10485760 ]
}
echoes() {
    limit 20 mesh client curl -sS --fail --max-time 15 --http2-prior-knowledge -T "$work/files/20m" -o "$work/got" "$1/echo" &&
        same "$work/files/20m" "$work/got"
}

port=$(free_port)
nghttpd_at "$port" server
url=http://127.0.0.1:$port
try "nghttp2: curl gets 20 MiB" fetch "$url/20m" 20m --http2-prior-knowledge
try "nghttp2: curl sends 20 MiB and gets them back" echoes "$url"
try "nghttp2: nghttp, ten streams of 1 MiB" several "$url"
try "nghttp2: h2load, 10 streams on each of 10 connections" h2 2000 -c 10 -m 10 "$url/1k"
try "nghttp2: h2load, 1 MiB, 20 streams at once" h2 100 -c 2 -m 20 "$url/1m"
try "nghttp2: h2load, threads" h2 2000 -c 8 -t 2 -m 4 "$url/1k"
try "nghttp2: both sides are proved" both_proved "$port"

web=$(free_port)
nginx_user
nginx_conf "server { listen 127.0.0.1:$web http2; }"
spawn nginx mesh server nginx -c "$work/nginx.conf"
wait_port "$web"
try "nghttp2: h2load to nginx" h2 2000 -c 10 -m 10 "http://127.0.0.1:$web/1k"
try "nghttp2: h2load to nginx, 1 MiB" h2 60 -c 2 -m 10 "http://127.0.0.1:$web/1m"

# proxy_to BACKEND-PORT FRONT-PORT
proxy_to() {
    spawn nghttpx mesh middle nghttpx --conf=/dev/null -f "127.0.0.1,$2;no-tls" -b "127.0.0.1,$1;;proto=h2" -n 2 --accesslog-file=/dev/null
    wait_port "$2"
}
if command -v nghttpx >/dev/null; then
    back=$(free_port) front=$(free_port)
    nghttpd_at "$back" backend
    proxy_to "$back" "$front"
    try "nghttp2: HTTP/1.1 to nghttpx, HTTP/2 behind it, 20 MiB" fetch "http://127.0.0.1:$front/20m" 20m
    try "nghttp2: h2load through nghttpx" h2 1000 -c 8 -m 10 "http://127.0.0.1:$front/1k"
    try "nghttp2: both connections of nghttpx are proved" passed_through "$front" "$back"
else
    echo "skip nghttp2: nghttpx is not installed"
fi

works() {
    local port
    port=$(free_port)
    nghttpd_at "$port" server
    several "http://127.0.0.1:$port" && echoes "http://127.0.0.1:$port" && h2 500 -c 5 -m 10 "http://127.0.0.1:$port/1k" &&
        h2 20 -c 2 -m 10 "http://127.0.0.1:$port/1m"
}
try "nghttp2: the same plain, loaded and meshed" alike works
[ "$failures" -eq 0 ]
