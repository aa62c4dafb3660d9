# shellcheck shell=bash disable=SC2154,SC2034 # work comes from tests/lib.sh, server_cpu from machine.sh
# A Redis and an nginx of each kind: plain, own (their own TLS), meshed. Ports in ${redis_port[KIND]}, ${nginx_port[KIND]}.

declare -A redis_port nginx_port nginx_mutual_port redis_pid nginx_pid
ciphersuite=TLS_AES_128_GCM_SHA256

start_servers() {
    local kind
    make_pages
    for kind in plain own meshed; do
        redis_port[$kind]=$(free_port)
        start_redis "$kind" "${redis_port[$kind]}"
        wait_port "${redis_port[$kind]}"
        redis_pid[$kind]=$spawned
        nginx_port[$kind]=$(free_port)
        nginx_mutual_port[$kind]=$(free_port)
        start_nginx "$kind"
        wait_port "${nginx_port[$kind]}"
        wait_until 5 pgrep -P "$spawned" >/dev/null || fail "nginx started no worker"
        nginx_pid[$kind]=$(pgrep -P "$spawned")
    done
}

make_pages() {
    mkdir -p "$work/www"
    chmod 755 "$work" "$work/www"
    head -c 1024 /dev/zero | tr '\0' a >"$work/www/1k"
    head -c 1048576 /dev/zero | tr '\0' b >"$work/www/1m"
}

start_redis() {
    local prefix=() listen=(--port "$2")
    [ "$1" = meshed ] && prefix=(mesh server)
    [ "$1" = own ] && listen=(--port 0 --tls-port "$2" --tls-cert-file "$work/server/cert.pem"
        --tls-key-file "$work/server/key.pem" --tls-ca-cert-file "$work/server/ca.pem" --tls-auth-clients yes
        --tls-protocols TLSv1.3 --tls-ciphersuites "$ciphersuite")
    spawn "redis-$1" "${prefix[@]}" "${server_cpu[@]}" redis-server --bind 127.0.0.1 --save '' --appendonly no \
        --dir "$work" "${listen[@]}"
}

start_nginx() {
    local prefix=()
    [ "$1" = meshed ] && prefix=(mesh server)
    nginx_conf "$1" >"$work/nginx-$1.conf"
    spawn "nginx-$1" "${prefix[@]}" "${server_cpu[@]}" nginx -e stderr -p "$work" -c "$work/nginx-$1.conf"
}

nginx_conf() {
    local where=$work/nginx-$1 tls=
    mkdir -p "$where"
    [ "$1" = own ] && tls="ssl_certificate $work/server/cert.pem; ssl_certificate_key $work/server/key.pem;
        ssl_protocols TLSv1.3; ssl_conf_command Ciphersuites $ciphersuite; ssl_session_cache off; ssl_session_tickets off;"
    cat <<CONF
user root;
worker_processes 1;
daemon off;
pid $where/pid;
error_log stderr warn;
events { worker_connections 2048; }
http {
    access_log off; sendfile on; tcp_nopush on; keepalive_requests 100000000;
    client_body_temp_path $where/body; proxy_temp_path $where/proxy; fastcgi_temp_path $where/fastcgi;
    uwsgi_temp_path $where/uwsgi; scgi_temp_path $where/scgi;
    $tls
    server { listen 127.0.0.1:${nginx_port[$1]}${tls:+ ssl}; root $work/www; }
    server {
        listen 127.0.0.1:${nginx_mutual_port[$1]}${tls:+ ssl}; root $work/www;
        ${tls:+ssl_client_certificate $work/server/ca.pem; ssl_verify_client on;}
    }
}
CONF
}
