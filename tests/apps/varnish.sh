#!/bin/bash
# Varnish between a meshed client and a meshed nginx: from its cache, streamed, passed and piped; a new configuration under load.
# packages: apache2-utils curl gcc libc6-dev nginx-light varnish wrk
# program: Varnish
# timeout: 90
# tsan: its child does not always answer its manager in time
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/apps/common.bash
. "$(dirname "$0")/common.bash"
# shellcheck source=tests/apps/web.bash
. "$(dirname "$0")/web.bash"

export PATH=$PATH:/usr/sbin
command -v varnishd >/dev/null || skip "varnish is not installed"
version Varnish "$(varnishd -V 2>&1 | sed -n 's/^varnishd (varnish-\([0-9.]*\).*/\1/p')"
random_file 1k 1024
random_file 1m 1048576
random_file 20m 20971520
middle_mesh
backend

# vcl BACKEND-PORT: /pass/ is never cached, /pipe/ is let through as bytes.
vcl() {
    cat >"$work/vcl" <<VCL
vcl 4.1;
backend behind { .host = "127.0.0.1"; .port = "$1"; .probe = { .url = "/1k"; .interval = 1s; } }
sub vcl_recv {
    if (req.url ~ "^/pipe/") { set req.url = regsub(req.url, "^/pipe", ""); return (pipe); }
    if (req.url ~ "^/pass/") { set req.url = regsub(req.url, "^/pass", ""); return (pass); }
    if (req.method == "PUT") { return (pass); }
}
sub vcl_backend_response { set beresp.ttl = 1h; }
sub vcl_deliver { set resp.http.x-hits = obj.hits; }
VCL
}
# varnish PORT BACKEND-PORT
varnish() {
    vcl "$2"
    mkdir -p "$work/varnish.$1"
    spawn varnish mesh middle varnishd -F -j none -n "$work/varnish.$1" -a "127.0.0.1:$1" -f "$work/vcl" -s malloc,64m \
        -p thread_pool_min=10 -p timeout_idle=30
    wait_port "$1" 30
}
front=$(free_port)
varnish "$front" "$backend"
url=http://127.0.0.1:$front

from_cache() {
    fetch "$url/1m" 1m && fetch "$url/1m" 1m -D "$work/head" && grep -qi '^x-hits: [1-9]' "$work/head"
}
try "varnish: 1 MiB, then from its cache" from_cache
try "varnish: 20 MiB, streamed while it is fetched" fetch "$url/20m" 20m
try "varnish: 20 MiB passed" fetch "$url/pass/20m" 20m
try "varnish: 20 MiB piped" fetch "$url/pipe/20m" 20m
try "varnish: curl puts 20 MiB" put "$url/put/20m" 20m "$work/files/put/20m"
try "varnish: 200 requests on one connection" kept "$url/1k" 200
try "varnish: wrk from the cache, 32 connections" load 32 "$url/1k"
try "varnish: wrk passed, 16 connections" load 16 "$url/pass/1k"
try "varnish: ab, a connection a request" bench -c 8 -n 200 "$url/1k"
# Its command line, TCP as well.
admin() {
    limit 20 mesh client varnishadm -n "$work/varnish.$front" "$@"
}
# Only now: a busy machine may stop a client of the others for longer.
admin param.set timeout_idle 1 >/dev/null || fail "varnishadm sets nothing"
try "varnish: ends an idle connection in its own time" \
    took_between 800 6000 idles "$front" 'GET /1k HTTP/1.1\r\nHost: x\r\n\r\n' '200 OK'
reloads=0
reload() {
    reloads=$((reloads + 1))
    admin vcl.load "new$reloads" "$work/vcl" && admin vcl.use "new$reloads"
}
try "varnish: new configurations under a large download" under_load reload fetch "$url/pass/20m" 20m --limit-rate 8M
try "varnish: both connections are proved" passed_through "$front" "$backend"

serves() {
    local front
    front=$(free_port)
    backend_as=backend backend
    varnish "$front" "$backend"
    answer "http://127.0.0.1:$front/1m" && answer "http://127.0.0.1:$front/pipe/1m" && answer "http://127.0.0.1:$front/pass/none"
}
try "varnish: the same plain, loaded and meshed" alike serves
[ "$failures" -eq 0 ]
