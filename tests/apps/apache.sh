#!/bin/bash
# Apache httpd, prefork and event: files byte for byte, kept connections, a CGI program, graceful restarts, and as a proxy.
# program: apache2
# packages: apache2
# timeout: 90
# tsan: a graceful restart under a large download does not come about in its time
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/apps/common.bash
. "$(dirname "$0")/common.bash"
# shellcheck source=tests/apps/web.bash
. "$(dirname "$0")/web.bash"

version apache2 "$(apache2 -v | sed -n 's,.*Apache/\([^ ]*\).*,\1,p')"
random_file 1k 1024
random_file 5m 5242880
random_file 100m 104857600
cat >"$work/files/hello.cgi" <<'CGI'
#!/bin/sh
printf 'Content-Type: text/plain\r\n\r\n'
echo "$REQUEST_METHOD $QUERY_STRING $(sha256sum)"
CGI
chmod 755 "$work/files/hello.cgi"
# Its children are nobody's, as they are root's nowhere: they read the identity and write the counters as such.
user=
if [ "$(id -u)" -eq 0 ]; then
    user=$'User www-data\nGroup www-data'
    chgrp -R www-data "$work/ca"
    chmod -R g+rX "$work/ca"
    chmod 1777 "$work/run"
fi

# apache_at PORT MPM WORKLOAD [LINE…]: in the foreground, in the background of the test; its process id is in $apache. It keeps
# an idle connection for longer than a busy machine may stop a client that is still to read its answer: Apache counts that time as idle.
apache_at() {
    local port=$1 mpm=$2 workload=$3 cgi=cgid
    shift 3
    [ "$mpm" != prefork ] || cgi=cgi
    mkdir -p "$work/apache.$port"
    {
        cat <<CONF
ServerRoot $work/apache.$port
ServerName localhost
DefaultRuntimeDir $work/apache.$port
Listen 127.0.0.1:$port
PidFile $work/apache.$port/pid
ErrorLog $work/apache.$port/errors
DocumentRoot $work/files
$user
CONF
        local module
        for module in "mpm_$mpm" authz_core mime alias "$cgi" proxy proxy_http; do
            echo "LoadModule ${module}_module /usr/lib/apache2/modules/mod_$module.so"
        done
        cat <<CONF
TypesConfig /etc/mime.types
StartServers 2
MaxConnectionsPerChild 0
KeepAlive On
MaxKeepAliveRequests 0
KeepAliveTimeout 30
ScriptAlias /cgi/ $work/files/
CONF
        [ "$cgi" != cgid ] || echo "ScriptSock $work/apache.$port/cgi"
        printf '%s\n' "$@"
    } >"$work/apache.$port/conf"
    spawn "apache.$port" mesh "$workload" setsid /usr/sbin/apache2 -DFOREGROUND -f "$work/apache.$port/conf"
    apache=$spawned
    wait_port "$port"
}

# The body goes to the program's input, its output is the answer. (Apache writes all of the one before it reads the other.)
cgi() {
    limit 20 mesh client curl -sS --fail --max-time 15 --data-binary "@$work/files/5m" -o "$work/got" "$url/cgi/hello.cgi?a=b" &&
        [ "$(cat "$work/got")" = "POST a=b $(sha256sum <"$work/files/5m")" ]
}

# The new children accept before they are replaced in turn, or nobody ever does: what waits in the listener's queue was there before
# this request, so that was accepted, too.
answers() {
    mesh client curl -sS --fail --max-time $((10 * slow)) -o /dev/null "$url/1k"
}

graceful() {
    local old
    old=$(children "$apache")
    kill -USR1 "$apache"
    wait_until 20 none_of "$old" && answers
}

another_than() {
    [ -n "$(comm -13 <(echo "$1") <(children "$apache"))" ]
}

# The same for an old child that ends when its connection does: it is not waited for.
graceful_beside() {
    local old
    old=$(children "$apache")
    kill -USR1 "$apache"
    wait_until 20 another_than "$old" && answers
}

for mpm in prefork event; do
    web=$(free_port) url=
    url=http://127.0.0.1:$web
    hasty=$(free_port)
    apache_at "$web" "$mpm" server "Listen 127.0.0.1:$hasty" "<VirtualHost 127.0.0.1:$hasty>" 'KeepAliveTimeout 1' '</VirtualHost>'
    try "apache/$mpm: curl gets 1 KiB" fetch "$url/1k" 1k
    try "apache/$mpm: curl gets 100 MiB" fetch "$url/100m" 100m
    try "apache/$mpm: 200 requests on one connection" kept "$url/1k" 200
    try "apache/$mpm: ab -k, 5 MiB" bench -k -c 4 -n 30 "$url/5m"
    try "apache/$mpm: ab, a connection a request" bench -c 8 -n 200 "$url/1k"
    try "apache/$mpm: a CGI program is given 5 MiB" cgi
    try "apache/$mpm: ends an idle connection in its own time" \
        took_between 800 5000 idles "$hasty" 'HEAD /1k HTTP/1.1\r\nHost: x\r\n\r\n' '200 OK'
    try "apache/$mpm: restarted gracefully under ab, a connection a request" under_load graceful bench -c 4 -n 200 "$url/1k"
    try "apache/$mpm: restarted gracefully under a large download" under_load graceful_beside fetch "$url/100m" 100m --limit-rate 70M
    try "apache/$mpm: both sides are proved" both_proved "$web"
done

# --- as a proxy, between a meshed client and a meshed server
middle_mesh
back=$(free_port) front=$(free_port)
apache_at "$back" event backend
apache_at "$front" event middle "ProxyPass / http://127.0.0.1:$back/"
try "apache: 100 MiB through it as a proxy" fetch "http://127.0.0.1:$front/100m" 100m
try "apache: ab through it as a proxy" bench -k -c 8 -n 300 "http://127.0.0.1:$front/1k"
try "apache: both connections of the proxy are proved" passed_through "$front" "$back"

serves() {
    web=$(free_port)
    apache_at "$web" event server
    answer "http://127.0.0.1:$web/5m" && answer "http://127.0.0.1:$web/cgi/hello.cgi?x=1" -d hello && answer "http://127.0.0.1:$web/none"
}
try "apache: the same plain, loaded and meshed" alike serves
[ "$failures" -eq 0 ]
