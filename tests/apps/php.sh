#!/bin/bash
# PHP: its built-in server alone and with workers, its own clients (streams, curl, sockets), a server that forks; php-fpm behind
# nginx, over TCP.
# packages: apache2-utils curl nginx-light php-cli php-curl php-fpm
# program: PHP
# timeout: 90
# tsan: PHP loads its modules with RTLD_DEEPBIND, which a sanitizer refuses
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/apps/common.bash
. "$(dirname "$0")/common.bash"
# shellcheck source=tests/apps/web.bash
. "$(dirname "$0")/web.bash"

export PATH=$PATH:/usr/sbin
command -v php >/dev/null || skip "php is not installed"
fpm=$(find /usr/sbin -name 'php-fpm[0-9]*' | sort | tail -n 1)
version PHP "$(php -n -r 'echo PHP_VERSION;')"
random_file 1k 1024
random_file 1m 1048576
cat >"$work/files/echo.php" <<'PHP'
<?php
header("Content-Type: application/octet-stream");
echo $_SERVER["REQUEST_METHOD"] === "POST" ? file_get_contents("php://input") : $_SERVER["QUERY_STRING"];
PHP
script=$top/tests/apps/programs/sockets.php

has_workers() {
    [ "$(children "$1" | wc -l)" -eq "$2" ]
}
# built_in PORT [WORKERS]: the server of php's command line. Its workers outlive it: they are ended by themselves.
built_in() {
    local workers
    PHP_CLI_SERVER_WORKERS=${2:-1} spawn php mesh server php -q -S "127.0.0.1:$1" -t "$work/files"
    wait_port "$1"
    [ $# -eq 2 ] || return 0
    wait_until 10 has_workers "$spawned" "$2" || fail "php has no $2 workers"
    mapfile -t workers < <(children "$spawned")
    pids+=("${workers[@]}")
}
asks() {
    limit 40 mesh client php -q "$script" "$@"
}
posts() {
    limit 20 mesh client curl -sS --fail --max-time 15 --data-binary "@$work/files/1m" -o "$work/got" "$1/echo.php" &&
        same "$work/files/1m" "$work/got"
}

web=$(free_port)
built_in "$web"
url=http://127.0.0.1:$web
try "php: curl gets 1 MiB from its built-in server" fetch "$url/1m" 1m
try "php: 1 MiB posted to it comes back" posts "$url"
try "php: its streams ask it" asks streams "$url" "$work/files/1m"
try "php: its curl asks it, 12 requests at once" asks curl "$url" "$work/files/1m"
try "php: both sides are proved" both_proved "$web"
many=$(free_port)
built_in "$many" 3
try "php: ab asks three workers" bench -c 6 -n 200 "http://127.0.0.1:$many/1k"
try "php: its curl asks three workers" asks curl "http://127.0.0.1:$many" "$work/files/1m"
try "php: the workers are proved" both_proved "$many"

echoing() {
    spawn echo mesh server php -q "$script" server "$1"
    wait_port "$1"
}
echo=$(free_port)
echoing "$echo"
try "php: a server that forks, 1 MiB by select, 200 lines" asks echoes "$echo" "$work/files/1m"
try "php: that server is proved" both_proved "$echo"

# fpm_behind_nginx FPM-PORT FRONT-PORT: nginx as default/server speaks FastCGI to php-fpm, also default/server.
fpm_behind_nginx() {
    local user
    user=$(id -un)
    cat >"$work/fpm.conf" <<CONF
[global]
error_log = $work/fpm.errors
daemonize = no
[www]
user = $user
listen = 127.0.0.1:$1
pm = static
pm.max_children = 4
CONF
    spawn fpm mesh backend "$fpm" -n -R -F -y "$work/fpm.conf"
    wait_port "$1"
    nginx_user
    # shellcheck disable=SC2016 # nginx's own variables
    nginx_conf "upstream fpm { server 127.0.0.1:$1; keepalive ${kept:-0}; }" \
        "server { listen 127.0.0.1:$2; client_max_body_size 10m; location ~ \\.php\$ { fastcgi_pass fpm;" \
        "fastcgi_keep_conn ${keep:-off}; fastcgi_param SCRIPT_FILENAME $work/files\$fastcgi_script_name;" \
        'fastcgi_param REQUEST_METHOD $request_method; fastcgi_param QUERY_STRING $query_string;' \
        'fastcgi_param CONTENT_LENGTH $content_length; } }'
    sed -i 's,keepalive 0;,,' "$work/nginx.conf"
    spawn nginx mesh middle nginx -c "$work/nginx.conf"
    wait_port "$2"
}
middle_mesh
if [ -n "$fpm" ]; then
    back=$(free_port) front=$(free_port)
    fpm_behind_nginx "$back" "$front"
    try "php: 1 MiB to php-fpm behind nginx and back" posts "http://127.0.0.1:$front"
    try "php: ab asks php-fpm, a connection a request" bench -c 4 -n 200 "http://127.0.0.1:$front/echo.php?a"
    try "php: nginx and php-fpm are proved" passed_through "$front" "$back"
    back=$(free_port) front=$(free_port)
    kept=4 keep=on fpm_behind_nginx "$back" "$front"
    try "php: ab asks php-fpm, whose connections are kept" bench -k -c 4 -n 300 "http://127.0.0.1:$front/echo.php?a"
    try "php: nginx and php-fpm are proved once more" passed_through "$front" "$back"
else
    echo "skip php: php-fpm is not installed"
fi

works() {
    local web echo back front
    web=$(free_port) echo=$(free_port) back=$(free_port) front=$(free_port)
    built_in "$web"
    echoing "$echo"
    asks streams "http://127.0.0.1:$web" "$work/files/1m" && asks curl "http://127.0.0.1:$web" "$work/files/1m" &&
        asks echoes "$echo" "$work/files/1m" || return 1
    [ -n "$fpm" ] || return 0
    fpm_behind_nginx "$back" "$front"
    answer "http://127.0.0.1:$front/echo.php?x=1" && answer "http://127.0.0.1:$front/none.php"
}
try "php: the same plain, loaded and meshed" alike works
[ "$failures" -eq 0 ]
