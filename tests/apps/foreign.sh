#!/bin/bash
# One side meshed, the other with mutual TLS of its own: nginx, openssl s_client and s_server, HAProxy at either end, Python's ssl.
# timeout: 120
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/apps/common.bash
. "$(dirname "$0")/common.bash"

random_file 1m 1048576
random_file 20m 20971520
cat "$work/ca/server.pem" "$work/ca/server.key" >"$work/ca/server.both"
cat "$work/ca/client.pem" "$work/ca/client.key" >"$work/ca/client.both"

# fetch PORT FILE: meshed curl.
fetch() {
    limit 20 mesh client curl -sS --fail --max-time $((15 * slow)) -o "$work/got" "http://127.0.0.1:$1/$2" && same "$work/files/$2" "$work/got"
}

put() {
    limit 20 mesh client curl -sS --fail --max-time $((15 * slow)) -T "$work/files/$2" "http://127.0.0.1:$1/put/$2" &&
        same "$work/files/$2" "$work/files/put/$2" && rm "$work/files/put/$2"
}

refused_by() {
    ! limit 20 curl -sS -k --max-time 10 -o "$work/plain" --fail "$1"
}

# --- nginx checks the client's certificate by its own means
theirs=$(free_port)
nginx_user
nginx_conf "server { listen 127.0.0.1:$theirs ssl; ssl_protocols TLSv1.3; ssl_certificate $work/ca/server.pem;
    ssl_certificate_key $work/ca/server.key; ssl_client_certificate $work/ca/ca.pem; ssl_verify_client on; keepalive_timeout 5s;
    location = /who { return 200 \$ssl_client_s_dn:\$ssl_client_verify; }
    location /put/ { dav_methods PUT; create_full_put_path on; client_max_body_size 1g; } }"
spawn nginx nginx -c "$work/nginx.conf"
wait_port "$theirs"
try "foreign: curl gets 1 MiB from nginx's own mutual TLS" fetch "$theirs" 1m
try "foreign: curl gets 20 MiB from nginx's own mutual TLS" fetch "$theirs" 20m
try "foreign: curl puts 20 MiB to nginx's own mutual TLS" put "$theirs" 20m
who=$(limit 20 mesh client curl -sS "http://127.0.0.1:$theirs/who")
case $who in
*:SUCCESS) ok "foreign: nginx says that it verified us" ;;
*) not_ok "foreign: nginx says that it verified us: $who" ;;
esac
try "foreign: wrk to nginx's own mutual TLS" limit 20 mesh client wrk -t 1 -c 16 -d 1s "http://127.0.0.1:$theirs/1m"
try "foreign: nginx is proved" proved outbound peer server
try "foreign: nginx refuses who has no certificate" refused_by "https://127.0.0.1:$theirs/1m"

# --- openssl s_client with a certificate of ours, Redis meshed
redis=$(free_port)
spawn redis mesh server redis-server --port "$redis" --bind 127.0.0.1 --save '' --dir "$work"
wait_port "$redis"
s_client() {
    local identity=$1
    shift
    limit 10 openssl s_client -connect "127.0.0.1:$redis" -cert "$work/ca/$identity.pem" -key "$work/ca/$identity.key" \
        -CAfile "$work/ca/ca.pem" -verify_return_error -quiet "$@" 2>"$work/s_client.err"
}
# The answer ends the conversation: standard input stays open until it has come.
speaks() {
    printf 'PING\r\nQUIT\r\n' >"$work/words"
    s_client "$@" <"$work/words" >"$work/said"
    grep -q PONG "$work/said" || { cat "$work/said" "$work/s_client.err"; return 1; }
}
try "foreign: s_client to redis" speaks client -alpn meshshim
try "foreign: s_client with ChaCha20" speaks client -alpn meshshim -ciphersuites TLS_CHACHA20_POLY1305_SHA256
try "foreign: s_client with AES-256" speaks client -alpn meshshim -ciphersuites TLS_AES_256_GCM_SHA384
try "foreign: s_client without ALPN" speaks client
try "foreign: s_client is proved" proved inbound "inbound:$redis" client
if speaks server -alpn meshshim >/dev/null; then
    not_ok "foreign: s_client under a name that is not allowed was served"
else
    ok "foreign: s_client under a name that is not allowed is refused"
fi
if speaks client -alpn meshshim -tls1_2 >/dev/null; then
    not_ok "foreign: TLS 1.2 was served"
else
    ok "foreign: TLS 1.2 is refused"
fi

# --- Python's ssl with a certificate of ours, 4 MiB both ways through a meshed echo
echo=$(free_port)
spawn echo mesh server "$python" "$top/tests/apps/echo.py" threads-server "$echo"
wait_port "$echo"
cat >"$work/ssl_client.py" <<'PY'
import os, socket, ssl, sys, threading
port, ca = int(sys.argv[1]), sys.argv[2]
context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=ca + "/ca.pem")
context.check_hostname = False
context.load_cert_chain(ca + "/client.pem", ca + "/client.key")
context.set_alpn_protocols(["meshshim"])
data = os.urandom(4 << 20)
got = bytearray()
with context.wrap_socket(socket.create_connection(("127.0.0.1", port), timeout=30)) as sock:
    for at in range(0, len(data), 65536):
        sock.sendall(data[at:at + 65536])
        while len(got) < at + 65536:
            got += sock.recv(65536)
sys.exit(0 if bytes(got) == data else "the echo differs")
PY
try "foreign: Python's ssl echoes 4 MiB" limit 40 "$python" "$work/ssl_client.py" "$echo" "$work/ca"

# --- HAProxy takes off mutual TLS for one, puts it on for the other
front=$(free_port) back=$(free_port) plain=$(free_port) meshed=$(free_port)
spawn plain "$python" -m http.server "$plain" --bind 127.0.0.1 --directory "$work/files"
spawn meshed mesh server "$python" -m http.server "$meshed" --bind 127.0.0.1 --directory "$work/files"
cat >"$work/haproxy.cfg" <<CFG
global
    maxconn 200
    ssl-default-bind-options ssl-min-ver TLSv1.3
    ssl-default-server-options ssl-min-ver TLSv1.3
defaults
    mode http
    timeout connect 5s
    timeout client 20s
    timeout server 20s
listen takes-off
    bind 127.0.0.1:$front ssl crt $work/ca/server.both ca-file $work/ca/ca.pem verify required
    server plain 127.0.0.1:$plain
listen puts-on
    bind 127.0.0.1:$back
    server meshed 127.0.0.1:$meshed ssl crt $work/ca/client.both ca-file $work/ca/ca.pem verify required
listen puts-on-tcp
    mode tcp
    bind 127.0.0.1:$((back + 1))
    server redis 127.0.0.1:$redis ssl crt $work/ca/client.both ca-file $work/ca/ca.pem verify required alpn meshshim
CFG
spawn haproxy haproxy -db -f "$work/haproxy.cfg"
wait_port "$front" && wait_port "$back" && wait_port "$plain" && wait_port "$meshed"
plain_fetch() {
    limit 20 curl -sS --fail --max-time 15 -o "$work/got" "http://127.0.0.1:$1/$2" && same "$work/files/$2" "$work/got"
}
through() {
    [ "$(limit 10 redis-cli -p "$1" ping)" = PONG ]
}
try "foreign: meshed curl to HAProxy, 1 MiB" fetch "$front" 1m
try "foreign: meshed curl to HAProxy, 20 MiB" fetch "$front" 20m
try "foreign: HAProxy refuses who has no certificate" refused_by "https://127.0.0.1:$front/1m"
try "foreign: HAProxy to a meshed server, 1 MiB" plain_fetch "$back" 1m
try "foreign: HAProxy to a meshed server, 20 MiB" plain_fetch "$back" 20m
try "foreign: HAProxy to meshed redis" through $((back + 1))
try "foreign: HAProxy is proved" proved inbound "inbound:$meshed" client
[ "$failures" -eq 0 ]
