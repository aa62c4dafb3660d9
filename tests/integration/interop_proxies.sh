#!/bin/bash
# nginx and HAProxy with mutual TLS of their own, as servers of a meshed client and as clients of a meshed server: each cipher, their
# tickets, HelloRetryRequest, many connections, and bodies of a megabyte.
# timeout: 120
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/apps/common.bash
. "$top/tests/apps/common.bash"
# shellcheck source=tests/integration/interop.bash
. "$(dirname "$0")/interop.bash"
nginx=$(command -v nginx || echo /usr/sbin/nginx)
haproxy=$(command -v haproxy || echo /usr/sbin/haproxy)
[ -x "$nginx" ] && [ -x "$haproxy" ] || skip "nginx or haproxy is not installed: make deps"
version "$("$nginx" -v 2>&1)"
version "$("$haproxy" -v | head -n 1)"
head -c 1048576 /dev/urandom >"$work/1m"
for workload in client server; do
    cat "$ids/$workload/cert.pem" "$ids/$workload/key.pem" >"$ids/$workload/both.pem"
done

# nginx_ini PORT CIPHER GROUPS ORIGIN: it serves by TLS of its own on PORT, and by plain text on the next what it gets from ORIGIN, by TLS.
nginx_ini() {
    cat <<INI
$([ "$(id -u)" -ne 0 ] || echo "user root;") # or its workers could not read here
daemon off; worker_processes 1; pid $work/nginx.pid; error_log $work/server-of-theirs.log warn;
events { }
http {
    access_log off; client_body_temp_path $work/n1; proxy_temp_path $work/n2; fastcgi_temp_path $work/n3; uwsgi_temp_path $work/n4; scgi_temp_path $work/n5;
    ssl_protocols TLSv1.3; ssl_conf_command Ciphersuites $2; ssl_ecdh_curve $3;
    server {
        listen 127.0.0.1:$1 ssl;
        ssl_certificate $ids/server/cert.pem; ssl_certificate_key $ids/server/key.pem; ssl_client_certificate $ids/server/ca.pem; ssl_verify_client on;
        location /who { return 200 "\$ssl_client_verify \$ssl_protocol \$ssl_cipher \$ssl_session_reused\n"; }
        location / { root $work; }
    }
    server {
        listen 127.0.0.1:$(($1 + 1));
        location / {
            proxy_pass https://127.0.0.1:$4; proxy_ssl_protocols TLSv1.3; proxy_ssl_conf_command Ciphersuites $2;
            proxy_ssl_certificate $ids/client/cert.pem; proxy_ssl_certificate_key $ids/client/key.pem; proxy_ssl_session_reuse on;
        }
    }
}
INI
}

# who PORT CIPHER: as their server sees the meshed client.
who() {
    limit 10 mesh client curl -sS --fail "http://127.0.0.1:$1/who" >"$work/who" && grep -q "^SUCCESS TLSv1.3 $2 " "$work/who"
}
fetch() {
    limit 20 mesh client curl -sS --fail -o "$work/got" "http://127.0.0.1:$1/1m" && same "$work/1m" "$work/got"
}
# The meshed one is who serves here.
fetch_through() {
    limit 20 curl -sS --fail -o "$work/got" "http://127.0.0.1:$1/1m" && same "$work/1m" "$work/got"
}
many() {
    limit 30 mesh client ab -q -n 200 -c 10 "http://127.0.0.1:$1/who" >"$work/ab" 2>&1 && grep -q "^Failed requests: *0" "$work/ab"
}

origin=$(free_port)
spawn origin mesh server "$python" -m http.server --bind 127.0.0.1 --directory "$work" "$origin"
wait_port "$origin"
for cipher in TLS_AES_128_GCM_SHA256 TLS_AES_256_GCM_SHA384 TLS_CHACHA20_POLY1305_SHA256; do
    port=$(free_port)
    nginx_ini "$port" "$cipher" auto "$origin" >"$work/nginx.conf"
    spawn nginx "$nginx" -e "$work/server-of-theirs.log" -c "$work/nginx.conf"
    wait_port $((port + 1))
    try "interop: nginx, $cipher" who "$port" "$cipher"
    try "interop: nginx, $cipher: a megabyte" fetch "$port"
    try "interop: nginx, $cipher: 200 connections" many "$port"
    try "interop: nginx as client, $cipher: a megabyte" fetch_through $((port + 1))
    stop "$spawned"
done
port=$(free_port)
nginx_ini "$port" TLS_AES_128_GCM_SHA256 secp384r1 "$origin" >"$work/nginx.conf"
spawn nginx "$nginx" -e "$work/server-of-theirs.log" -c "$work/nginx.conf"
wait_port "$port"
try "interop: nginx, HelloRetryRequest" who "$port" TLS_AES_128_GCM_SHA256
stop "$spawned"

# haproxy_ini PORT CIPHER GROUPS ECHO PLAIN: on PORT by TLS to a plain echo, on the next by plain text to the meshed one.
haproxy_ini() {
    cat <<INI
defaults
    mode tcp
    timeout connect 5s
    timeout client 20s
    timeout server 20s
listen serves
    bind 127.0.0.1:$1 ssl crt $ids/server/both.pem ca-file $ids/server/ca.pem verify required ssl-min-ver TLSv1.3 ciphersuites $2 curves $3
    server plain 127.0.0.1:$5
listen asks
    bind 127.0.0.1:$(($1 + 1))
    server meshed 127.0.0.1:$4 ssl crt $ids/client/both.pem ca-file $ids/client/ca.pem verify required ssl-min-ver TLSv1.3 ciphersuites $2
INI
}

echo_server
plain=$(free_port)
spawn plain "$victim" server "$plain" epoll
wait_port "$plain"
through() {
    [ "$(limit 20 "$victim" client "$1" blocking "$words"$'\n' 500 2>&1 | tail -n 1)" = "done" ]
}
for cipher in TLS_AES_128_GCM_SHA256 TLS_AES_256_GCM_SHA384 TLS_CHACHA20_POLY1305_SHA256; do
    port=$(free_port)
    haproxy_ini "$port" "$cipher" X25519:P-256 "$echoes" "$plain" >"$work/haproxy.cfg"
    spawn server-of-theirs "$haproxy" -db -f "$work/haproxy.cfg"
    wait_port $((port + 1))
    ask "HAProxy, $cipher" "$port" blocking 500
    ask "HAProxy, $cipher, epoll" "$port" epoll
    try "interop: HAProxy as client, $cipher" through $((port + 1))
    stop "$spawned"
done
port=$(free_port)
haproxy_ini "$port" TLS_AES_128_GCM_SHA256 P-384 "$echoes" "$plain" >"$work/haproxy.cfg"
spawn server-of-theirs "$haproxy" -db -f "$work/haproxy.cfg"
wait_port "$port"
ask "HAProxy, HelloRetryRequest" "$port"
try "interop: each was proved" both_proved "$echoes"
[ "$failures" -eq 0 ]
