# shellcheck shell=bash disable=SC2154,SC2034 # variables of tests/lib.sh, machine.sh and servers.sh
# The sidecars: a proxy beside the client, and one beside the plain server, with mutual TLS 1.3 between the two, the same
# certificates and cipher as everywhere here. One process a side serves all services.
#   ${tls_port[WAY:SERVICE]}   between the two

declare -A tls_port
sidecars="nginx_stream nginx_http haproxy hitch stunnel"

start_sidecars() {
    local way service
    for way in $sidecars; do
        for service in $(services_of "$way"); do
            port[$way:$service]=$(free_port)
            tls_port[$way:$service]=$(free_port)
        done
        "start_$way"
        for service in $(services_of "$way"); do
            wait_port "${port[$way:$service]}"
            wait_port "${tls_port[$way:$service]}"
            workers[$way:$service]=${workers[plain:$service]},$pair${workers[$way:$service]:+,${workers[$way:$service]}}
        done
    done
}

services_of() {
    if [ "$1" = nginx_http ]; then echo "http new resumed"; else echo "$services"; fi
}

# pair_of_nginx NAME: two of them, by $work/NAME-server.conf and $work/NAME-client.conf; workers in $pair.
pair_of_nginx() {
    run_nginx "$1-server" "${server_cpu[@]}"
    pair=$worker
    run_nginx "$1-client" "${client_cpu[@]}"
    pair=$pair,$worker
}

# What an nginx that goes to the other one needs.
nginx_goes_by_tls() {
    echo "proxy_ssl_certificate $work/client/cert.pem; proxy_ssl_certificate_key $work/client/key.pem;
        proxy_ssl_trusted_certificate $work/client/ca.pem; proxy_ssl_verify on; proxy_ssl_name localhost;
        proxy_ssl_protocols TLSv1.3; proxy_ssl_conf_command Ciphersuites $ciphersuite;"
}

# resuming SERVICE YES NO
resuming() {
    if [ "$1" = new ]; then echo "$3"; else echo "$2"; fi
}

start_nginx_stream() {
    nginx_stream_server nginx_stream >"$work/nginx_stream-server.conf"
    nginx_stream_client nginx_stream >"$work/nginx_stream-client.conf"
    pair_of_nginx nginx_stream
}

nginx_stream_server() {
    local service
    echo "load_module $nginx_modules;"
    nginx_head "$1-server"
    echo "stream { tcp_nodelay on; $(nginx_mutual_tls)"
    for service in $services; do
        echo "server { listen 127.0.0.1:${tls_port[$1:$service]} ssl; proxy_pass 127.0.0.1:${port[plain:$service]};
            ssl_session_tickets $(resuming "$service" on off); }"
    done
    echo "}"
}

nginx_stream_client() {
    local service
    echo "load_module $nginx_modules;"
    nginx_head "$1-client"
    echo "stream { tcp_nodelay on; proxy_ssl on; $(nginx_goes_by_tls)"
    for service in $services; do
        echo "server { listen 127.0.0.1:${port[$1:$service]}; proxy_pass 127.0.0.1:${tls_port[$1:$service]};
            proxy_ssl_session_reuse $(resuming "$service" on off); }"
    done
    echo "}"
}

# For HTTP alone. It keeps its connections to the other one and to the server; not where new ones are what is measured.
start_nginx_http() {
    nginx_http_server >"$work/nginx_http-server.conf"
    nginx_http_client >"$work/nginx_http-client.conf"
    pair_of_nginx nginx_http
}

nginx_http_server() {
    local service
    nginx_head nginx_http-server
    echo "http { $(nginx_http_head nginx_http-server) proxy_http_version 1.1; proxy_set_header Connection ''; $(nginx_mutual_tls)
        upstream application { server 127.0.0.1:${port[plain:http]}; keepalive 128; keepalive_requests 100000000; }"
    for service in $(services_of nginx_http); do
        echo "server { listen 127.0.0.1:${tls_port[nginx_http:$service]} ssl; location / { proxy_pass http://application; }
            ssl_session_tickets $(resuming "$service" on off); }"
    done
    echo "}"
}

nginx_http_client() {
    local service keepalive
    nginx_head nginx_http-client
    echo "http { $(nginx_http_head nginx_http-client) proxy_http_version 1.1; $(nginx_goes_by_tls)"
    for service in $(services_of nginx_http); do
        keepalive='' connection=close
        [ "$service" = http ] && keepalive="keepalive 128; keepalive_requests 100000000;" connection="''"
        echo "upstream $service { server 127.0.0.1:${tls_port[nginx_http:$service]}; $keepalive }
            server { listen 127.0.0.1:${port[nginx_http:$service]}; proxy_set_header Connection $connection;
            location / { proxy_pass https://$service; proxy_ssl_session_reuse $(resuming "$service" on off); } }"
    done
    echo "}"
}

start_haproxy() {
    local side
    for side in server client; do
        {
            haproxy_head
            "haproxy_$side"
        } >"$work/haproxy-$side.conf"
    done
    spawn haproxy-server "${server_cpu[@]}" haproxy -db -q -f "$work/haproxy-server.conf"
    pair=$spawned
    spawn haproxy-client "${client_cpu[@]}" haproxy -db -q -f "$work/haproxy-client.conf"
    pair=$pair,$spawned
}

haproxy_head() {
    cat <<CONF
global
    nbthread 1
    maxconn 4000
    ssl-default-bind-ciphersuites $ciphersuite
    ssl-default-server-ciphersuites $ciphersuite
    ssl-default-bind-options ssl-min-ver TLSv1.3
    ssl-default-server-options ssl-min-ver TLSv1.3
defaults
    mode tcp
    timeout connect 10s
    timeout client 10m
    timeout server 10m
CONF
}

haproxy_server() {
    local service tls="ssl crt $work/server/both.pem ca-file $work/server/ca.pem verify required"
    for service in $services; do
        printf 'listen %s\n    bind 127.0.0.1:%s %s %s\n    server application 127.0.0.1:%s\n' "$service" \
            "${tls_port[haproxy:$service]}" "$tls" "$(resuming "$service" '' no-tls-tickets)" "${port[plain:$service]}"
    done
}

haproxy_client() {
    local service tls="ssl crt $work/client/both.pem ca-file $work/client/ca.pem verify required"
    for service in $services; do
        printf 'listen %s\n    bind 127.0.0.1:%s\n    server other 127.0.0.1:%s %s %s\n' "$service" "${port[haproxy:$service]}" \
            "${tls_port[haproxy:$service]}" "$tls" "$(resuming "$service" '' no-ssl-reuse)"
    done
}

start_stunnel() {
    local side
    for side in server client; do
        "stunnel_$side" >"$work/stunnel-$side.conf"
    done
    spawn stunnel-server "${server_cpu[@]}" stunnel4 "$work/stunnel-server.conf"
    pair=$spawned
    spawn stunnel-client "${client_cpu[@]}" stunnel4 "$work/stunnel-client.conf"
    pair=$pair,$spawned
}

stunnel_head() {
    cat <<CONF
foreground = yes
pid =
syslog = no
debug = err
socket = l:TCP_NODELAY=1
socket = r:TCP_NODELAY=1
sslVersionMin = TLSv1.3
ciphersuites = $ciphersuite
cert = $work/$1/both.pem
CAfile = $work/$1/ca.pem
verifyChain = yes
CONF
}

stunnel_server() {
    local service
    stunnel_head server
    for service in $services; do
        printf '[%s]\naccept = 127.0.0.1:%s\nconnect = 127.0.0.1:%s\nsessionResume = %s\n' "$service" \
            "${tls_port[stunnel:$service]}" "${port[plain:$service]}" "$(resuming "$service" yes no)"
    done
}

stunnel_client() {
    local service
    stunnel_head client
    for service in $services; do
        printf '[%s]\nclient = yes\naccept = 127.0.0.1:%s\nconnect = 127.0.0.1:%s\nsessionResume = %s\n' "$service" \
            "${port[stunnel:$service]}" "${tls_port[stunnel:$service]}" "$(resuming "$service" yes no)"
    done
}

# hitch has one backend a process, so there is one for each service, and it can show no client certificate: beside the client
# stands nginx's stream proxy.
start_hitch() {
    local service
    nginx_stream_client hitch >"$work/hitch-client.conf"
    run_nginx hitch-client "${client_cpu[@]}"
    pair=$worker
    for service in $services; do
        hitch_conf "$service" >"$work/hitch-$service.conf"
        spawn "hitch-$service" "${server_cpu[@]}" hitch "--config=$work/hitch-$service.conf"
        wait_port "${tls_port[hitch:$service]}"
        wait_until 5 pgrep -P "$spawned" >/dev/null || fail "hitch started no worker"
        workers[hitch:$service]=$(pgrep -P "$spawned" -d ,)
    done
}

hitch_conf() {
    [ "$(id -u)" -ne 0 ] || echo 'user = "nobody"'
    cat <<CONF
frontend = "[127.0.0.1]:${tls_port[hitch:$1]}"
backend = "[127.0.0.1]:${port[plain:$1]}"
pem-file = "$work/server/both.pem"
client-verify = required
client-verify-ca = "$work/server/ca.pem"
tls-protos = TLSv1.3
ciphersuites = "$ciphersuite"
ocsp-dir = ""
workers = 1
daemon = off
CONF
}
