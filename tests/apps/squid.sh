#!/bin/bash
# Squid, which runs without rights: a forward proxy with CONNECT, and one in front of a server, with a cache; reconfigured under load.
# packages: apache2-utils curl nginx-light squid wrk
# program: Squid
# timeout: 90
# Squid gives its rights up, and all here must be able to read the same identities: the whole test does, before it begins.
[ "$(id -u)" -ne 0 ] || ! id -u proxy >/dev/null 2>&1 || exec setpriv --reuid=proxy --regid="$(id -g proxy)" --clear-groups bash "$0"
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/apps/common.bash
. "$(dirname "$0")/common.bash"
# shellcheck source=tests/apps/web.bash
. "$(dirname "$0")/web.bash"

export PATH=$PATH:/usr/sbin
command -v squid >/dev/null || skip "squid is not installed"
version Squid "$(squid -v | sed -n 's/.*Version \([0-9.]*\).*/\1/p' | head -n 1)"
random_file 1k 1024
random_file 1m 1048576
random_file 20m 20971520
middle_mesh
backend
mkdir "$work/squid"

# squid_at FORWARD-PORT FRONT-PORT BACKEND-PORT
squid_at() {
    cat >"$work/squid.conf" <<CONF
http_port 127.0.0.1:$1
http_port 127.0.0.1:$2 accel defaultsite=localhost no-vhost
cache_peer 127.0.0.1 parent $3 0 no-query originserver name=behind
acl accelerated myportname 127.0.0.1:$2
acl forward myportname 127.0.0.1:$1
cache_peer_access behind allow accelerated
cache_peer_access behind deny all
never_direct allow accelerated
http_access allow all
cache_mem 16 MB
maximum_object_size_in_memory 2 MB
refresh_pattern . 60 100% 60
access_log none
cache_log $work/squid/cache.log
cache_store_log none
pid_filename $work/squid/pid.$1
coredump_dir $work/squid
netdb_filename none
pinger_enable off
shutdown_lifetime 0 seconds
CONF
    spawn squid mesh middle squid -N -f "$work/squid.conf"
    squid=$spawned
    wait_port "$1" 20
    wait_port "$2"
}
forward=$(free_port) front=$(free_port)
squid_at "$forward" "$front" "$backend"
through=(-x "http://127.0.0.1:$forward")
origin=http://127.0.0.1:$backend url=http://127.0.0.1:$front

from_cache() {
    fetch "$url/1m" 1m && fetch "$url/1m" 1m -D "$work/head" && grep -qi '^x-cache: HIT' "$work/head"
}
try "squid: 1 KiB, as a forward proxy" fetch "$origin/1k" 1k "${through[@]}"
try "squid: 20 MiB, as a forward proxy" fetch "$origin/20m" 20m "${through[@]}"
try "squid: 20 MiB by CONNECT" fetch "$origin/20m" 20m "${through[@]}" --proxytunnel
try "squid: 1 MiB in front of a server, then from its cache" from_cache
try "squid: 200 requests on one connection" kept "$url/1k" 200
try "squid: wrk, 16 connections" load 16 "$url/1k"
try "squid: ab, a connection a request" bench -c 8 -n 200 "$url/1k"
reconfigured() {
    [ "$(grep -c 'Accepting.* HTTP Socket connections' "$work/squid/cache.log")" -gt "$1" ]
}
# It closes its listeners, and opens them again: once the download has begun.
reload() {
    local before
    wait_until 10 test -s "$work/got" || return 1
    before=$(grep -c 'Accepting.* HTTP Socket connections' "$work/squid/cache.log")
    kill -HUP "$squid"
    wait_until 10 reconfigured "$((before + 1))"
}
rm -f "$work/got"
try "squid: reconfigured under a large download" under_load reload fetch "$url/20m" 20m --limit-rate 8M
try "squid: both connections are proved" passed_through "$front" "$backend"

serves() {
    local forward front
    forward=$(free_port) front=$(free_port)
    backend_as=backend backend
    squid_at "$forward" "$front" "$backend"
    answer "http://127.0.0.1:$front/1m" && answer "http://127.0.0.1:$backend/1m" -x "http://127.0.0.1:$forward" &&
        answer "http://127.0.0.1:$backend/1m" -x "http://127.0.0.1:$forward" --proxytunnel && answer "http://127.0.0.1:$front/none"
}
try "squid: the same plain, loaded and meshed" alike serves
[ "$failures" -eq 0 ]
