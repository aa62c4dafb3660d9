#!/bin/bash
# nginx, edge-triggered, against curl and wrk: small and large, with sendfile and without, byte for byte in both directions.
# timeout: 150
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/apps/common.bash
. "$(dirname "$0")/common.bash"

random_file 1k 1024
random_file 1m 1048576
random_file 100m 104857600
with=$(free_port) without=$(free_port)
nginx_user
server="root $work/files; location /put/ { dav_methods PUT; create_full_put_path on; client_max_body_size 1g; }"
nginx_conf "server { listen 127.0.0.1:$with; sendfile on; tcp_nopush on; $server }" \
    "server { listen 127.0.0.1:$without; sendfile off; $server }"
spawn nginx mesh server nginx -c "$work/nginx.conf"
wait_port "$with"

fetch() {
    limit 40 mesh client curl -sS --fail --max-time $((30 * slow)) -o "$work/got" "http://127.0.0.1:$1/$2" &&
        same "$work/files/$2" "$work/got"
}

put() {
    limit 40 mesh client curl -sS --fail --max-time $((30 * slow)) -T "$work/files/$2" "http://127.0.0.1:$1/put/$2" &&
        same "$work/files/$2" "$work/files/put/$2" && rm "$work/files/put/$2"
}

# Each of these answers is looked at as it comes: several requests on one connection, then the body of the last one.
keep_alive() {
    limit 20 mesh client curl -sS --fail -o "$work/got" "http://127.0.0.1:$1/1k" -o "$work/got2" "http://127.0.0.1:$1/1m" \
        -o "$work/got3" "http://127.0.0.1:$1/1k" -w '%{num_connects}\n' >"$work/connects" &&
        same "$work/files/1k" "$work/got" && same "$work/files/1m" "$work/got2" && same "$work/files/1k" "$work/got3" &&
        [ "$(tr -d '\n' <"$work/connects")" = 100 ]
}

# wrk counts what fails; it must have done something, too.
load() {
    limit 20 mesh client wrk -t 1 -c "$3" -d 1s --timeout 10s "http://127.0.0.1:$1/$2" >"$work/wrk" 2>&1 || return 1
    cat "$work/wrk"
    ! grep -qE 'Socket errors|Non-2xx' "$work/wrk" && [ "$(awk '/requests in/ { print $1 }' "$work/wrk")" -gt 0 ]
}

for how in with without; do
    port=${!how}
    try "nginx/$how sendfile: curl 1 KiB" fetch "$port" 1k
    try "nginx/$how sendfile: curl keeps its connection" keep_alive "$port"
    try "nginx/$how sendfile: curl gets 100 MiB" fetch "$port" 100m
    try "nginx/$how sendfile: curl puts 100 MiB" put "$port" 100m
    try "nginx/$how sendfile: wrk 1 KiB, 1 connection" load "$port" 1k 1
    try "nginx/$how sendfile: wrk 1 KiB, 32 connections" load "$port" 1k 32
    try "nginx/$how sendfile: wrk 1 MiB, 8 connections" load "$port" 1m 8
    try "nginx/$how sendfile: both sides are proved" both_proved "$port"
done

# A head alone, a part of a file and a file that is not there: what programs do beside fetching.
try "nginx: a range" limit 20 mesh client curl -sS --fail -r 1000-1999 -o "$work/got" "http://127.0.0.1:$with/1m"
tail -c +1001 "$work/files/1m" | head -c 1000 >"$work/part"
try "nginx: the range is the right one" same "$work/part" "$work/got"
answer=$(limit 20 mesh client curl -sS -o /dev/null -w '%{http_code} %{remote_port}' "http://127.0.0.1:$with/none")
try "nginx: 404 for what is not there" [ "$answer" = "404 $with" ]

# One that is not meshed gets nothing, and the server goes on.
if limit 20 curl -sS --max-time 10 -o "$work/plain" "http://127.0.0.1:$with/1k" 2>"$work/plain.err"; then
    not_ok "nginx: curl without an identity was served"
else
    ok "nginx: curl without an identity is refused"
fi
try "nginx: serves on after that" fetch "$with" 1k
[ "$failures" -eq 0 ]
