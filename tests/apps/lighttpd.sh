#!/bin/bash
# lighttpd: files byte for byte, kept connections, its own time-outs, a CGI program, and as a proxy.
# program: lighttpd
# timeout: 60
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/apps/common.bash
. "$(dirname "$0")/common.bash"
# shellcheck source=tests/apps/web.bash
. "$(dirname "$0")/web.bash"

version lighttpd "$(lighttpd -v | sed 's,.*/,,; s, .*,,')"
random_file 1k 1024
random_file 1m 1048576
random_file 20m 20971520
# shellcheck disable=SC2016 # a program for another shell
printf '#!/bin/sh\nprintf "Content-Type: text/plain\\r\\n\\r\\n"\necho "$REQUEST_METHOD $QUERY_STRING"\ncat\n' >"$work/files/hello.cgi"
chmod 755 "$work/files/hello.cgi"

# lighttpd_at PORT WORKLOAD [LINE…]: in the foreground, in the background of the test. It keeps an idle connection for longer than a
# busy machine may stop a client that is still to read its answer.
lighttpd_at() {
    local port=$1 workload=$2
    shift 2
    cat >"$work/lighttpd.$port" <<CONF
server.modules = ("mod_cgi", "mod_proxy")
server.document-root = "$work/files"
server.port = $port
server.bind = "127.0.0.1"
server.errorlog = "$work/lighttpd.errors"
server.max-keep-alive-idle = 30
server.max-keep-alive-requests = 1000
cgi.assign = (".cgi" => "")
mimetype.assign = ("" => "application/octet-stream")
CONF
    printf '%s\n' "$@" >>"$work/lighttpd.$port"
    spawn lighttpd mesh "$workload" lighttpd -D -f "$work/lighttpd.$port"
    wait_port "$port"
}

# The body goes to the program's input, its output is the answer.
cgi() {
    limit 20 mesh client curl -sS --fail --max-time 15 --data-binary "@$work/files/1m" -o "$work/got" "$url/hello.cgi?a=b" &&
        { echo "POST a=b"; cat "$work/files/1m"; } | cmp - "$work/got"
}

web=$(free_port) hasty=$(free_port)
lighttpd_at "$web" server "\$SERVER[\"socket\"] == \"127.0.0.1:$hasty\" { server.max-keep-alive-idle = 1 }"
url=http://127.0.0.1:$web
try "lighttpd: curl gets 1 KiB" fetch "$url/1k" 1k
try "lighttpd: curl gets 20 MiB" fetch "$url/20m" 20m
try "lighttpd: 200 requests on one connection" kept "$url/1k" 200
try "lighttpd: ab -k" bench -k -c 16 -n 3000 "$url/1k"
try "lighttpd: ab, a connection a request" bench -c 8 -n 300 "$url/1k"
try "lighttpd: ab, 1 MiB" bench -k -c 4 -n 50 "$url/1m"
try "lighttpd: a CGI program gives back 1 MiB" cgi
try "lighttpd: ends an idle connection in its own time" \
    took_between 800 5000 idles "$hasty" 'HEAD /1k HTTP/1.1\r\nHost: x\r\n\r\n' '200 OK'
try "lighttpd: both sides are proved" both_proved "$web"

# --- as a proxy, between a meshed client and a meshed server
middle_mesh
back=$(free_port) front=$(free_port)
lighttpd_at "$back" backend
lighttpd_at "$front" middle "proxy.server = (\"\" => ((\"host\" => \"127.0.0.1\", \"port\" => $back)))"
try "lighttpd: 20 MiB through it as a proxy" fetch "http://127.0.0.1:$front/20m" 20m
try "lighttpd: ab through it as a proxy" bench -k -c 8 -n 300 "http://127.0.0.1:$front/1k"
try "lighttpd: both connections of the proxy are proved" passed_through "$front" "$back"

serves() {
    web=$(free_port)
    lighttpd_at "$web" server
    answer "http://127.0.0.1:$web/1m" && answer "http://127.0.0.1:$web/hello.cgi?x=1" -d hello && answer "http://127.0.0.1:$web/none"
}
try "lighttpd: the same plain, loaded and meshed" alike serves
[ "$failures" -eq 0 ]
