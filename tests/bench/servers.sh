# shellcheck shell=bash disable=SC2154,SC2034 # work comes from tests/lib.sh, server_cpu and write_ini from machine.sh
# The servers, each three times: plain, own (their own TLS), meshed. A service is http, new and resumed (http for connections that
# are not to be resumed, and that are), redis or postgres.
#   ${port[WAY:SERVICE]}   what a client of that way dials
#   ${workers[WAY:SERVICE]}   the processes that work for it, beside the client

declare -A port workers
services="http new resumed redis postgres"
ciphersuite=TLS_AES_128_GCM_SHA256

start_servers() {
    local way
    make_pages
    make_database
    for way in plain own meshed; do
        start_redis "$way"
        start_nginx "$way"
        start_postgres "$way"
    done
}

make_pages() {
    mkdir -p "$work/www"
    chmod 755 "$work/www"
    head -c 1024 /dev/zero | tr '\0' a >"$work/www/1k"
    head -c 262144 /dev/zero | tr '\0' b >"$work/www/256k"
    head -c 1048576 /dev/zero | tr '\0' c >"$work/www/1m"
}

start_redis() {
    local prefix=() listen=()
    port[$1:redis]=$(free_port)
    listen=(--port "${port[$1:redis]}")
    [ "$1" = meshed ] && prefix=(mesh server)
    [ "$1" = own ] && listen=(--port 0 --tls-port "${port[$1:redis]}" --tls-cert-file "$work/server/cert.pem"
        --tls-key-file "$work/server/key.pem" --tls-ca-cert-file "$work/server/ca.pem" --tls-auth-clients yes
        --tls-protocols TLSv1.3 --tls-ciphersuites "$ciphersuite")
    spawn "redis-$1" "${prefix[@]}" "${server_cpu[@]}" redis-server --bind 127.0.0.1 --save '' --appendonly no \
        --dir "$work" "${listen[@]}"
    workers[$1:redis]=$spawned
    wait_port "${port[$1:redis]}"
}

start_nginx() {
    local prefix=() service
    port[$1:http]=$(free_port)
    port[$1:new]=$(free_port)
    port[$1:resumed]=${port[$1:http]}
    [ "$1" = meshed ] && prefix=(mesh server)
    nginx_conf "$1" >"$work/nginx-$1.conf"
    run_nginx "nginx-$1" "${prefix[@]}" "${server_cpu[@]}"
    wait_port "${port[$1:http]}"
    for service in http new resumed; do
        workers[$1:$service]=$worker
    done
}

# run_nginx NAME PREFIX…: by $work/NAME.conf; its one worker is in $worker.
run_nginx() {
    local name=$1
    shift
    spawn "$name" "$@" nginx -e stderr -p "$work" -c "$work/$name.conf"
    wait_until 5 pgrep -P "$spawned" >/dev/null || fail "$name started no worker"
    worker=$(pgrep -P "$spawned")
}

# nginx_head NAME: what every nginx here begins with.
nginx_head() {
    [ "$(id -u)" -ne 0 ] || echo "user root;"
    cat <<CONF
worker_processes 1;
daemon off;
pid $work/$1.pid;
error_log stderr error;
events { worker_connections 2048; }
CONF
}

nginx_http_head() {
    cat <<CONF
    access_log off; keepalive_requests 100000000; keepalive_timeout 600;
    client_body_temp_path $work/$1-body; proxy_temp_path $work/$1-proxy; fastcgi_temp_path $work/$1-fastcgi;
    uwsgi_temp_path $work/$1-uwsgi; scgi_temp_path $work/$1-scgi;
CONF
}

# What a server of nginx, http or stream, needs to ask for mutual TLS.
nginx_mutual_tls() {
    echo "ssl_certificate $work/server/cert.pem; ssl_certificate_key $work/server/key.pem;
        ssl_client_certificate $work/server/ca.pem; ssl_verify_client on;
        ssl_protocols TLSv1.3; ssl_conf_command Ciphersuites $ciphersuite; ssl_session_cache off;"
}

nginx_conf() {
    local tls=
    [ "$1" = own ] && tls=$(nginx_mutual_tls)
    nginx_head "nginx-$1"
    cat <<CONF
http {
    $(nginx_http_head "nginx-$1")
    sendfile on; tcp_nopush on;
    $tls
    server { listen 127.0.0.1:${port[$1:http]}${tls:+ ssl}; root $work/www; }
    server { listen 127.0.0.1:${port[$1:new]}${tls:+ ssl}; root $work/www; ${tls:+ssl_session_tickets off;} }
}
CONF
}

# A small database that all three serve copies of.
make_database() {
    local at=$work/pg/plain
    {
        "${as_postgres[@]}" "$postgres/initdb" -D "$at" -U bench -A trust --no-sync -E UTF8 --locale=C &&
            cat >>"$at/postgresql.conf" <<CONF &&
listen_addresses = '127.0.0.1'
unix_socket_directories = '$work/pg'
fsync = off
shared_buffers = 32MB
max_connections = 50
autovacuum = off
CONF
            "${as_postgres[@]}" "$postgres/pg_ctl" -D "$at" -o "-p 5432" -w -s start &&
            "${as_postgres[@]}" "$postgres/pgbench" -h "$work/pg" -p 5432 -U bench -i -q postgres &&
            "${as_postgres[@]}" "$postgres/pg_ctl" -D "$at" -w -s stop &&
            "${as_postgres[@]}" cp -r "$at" "$work/pg/own" && "${as_postgres[@]}" cp -r "$at" "$work/pg/meshed" &&
            cat >>"$work/pg/own/postgresql.conf" <<CONF &&
ssl = on
ssl_cert_file = '$work/pg/server/cert.pem'
ssl_key_file = '$work/pg/server/key.pem'
ssl_ca_file = '$work/pg/server/ca.pem'
ssl_min_protocol_version = 'TLSv1.3'
CONF
            echo "hostssl all all 127.0.0.1/32 trust clientcert=verify-ca" >"$work/pg/own/pg_hba.conf"
    } >"$work/initdb.log" 2>&1 </dev/null || fail "PostgreSQL has made no database"
}

start_postgres() {
    local prefix=()
    port[$1:postgres]=$(free_port)
    [ "$1" = meshed ] && prefix=(mesh pg-server)
    spawn "postgres-$1" "${prefix[@]}" "${server_cpu[@]}" "${as_postgres[@]}" "$postgres/postgres" -D "$work/pg/$1" \
        -p "${port[$1:postgres]}"
    workers[$1:postgres]=$spawned
    wait_until 20 grep -q "ready to accept" "$work/postgres-$1.log" || fail "PostgreSQL ($1) does not start"
}
