#!/bin/bash
# uWSGI: its HTTP router is a process that speaks to clients and, over TCP of its own, to workers.
# packages: apache2-utils uwsgi-core uwsgi-plugin-python3
# program: uWSGI
# timeout: 60
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/apps/common.bash
. "$(dirname "$0")/common.bash"
# shellcheck source=tests/apps/web.bash
. "$(dirname "$0")/web.bash"
[ -x /usr/bin/uwsgi-core ] || skip "uwsgi is not installed"
echo "version uWSGI $(/usr/bin/uwsgi-core --version)"
random_file 300k 300000

cat >"$work/app.py" <<'PY'
def application(environ, start_response):
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    body = body or f"hello {environ['PATH_INFO']}".encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
PY
# The router is both ends: a server of the client's, and a client of the workers', under one name.
sed -e 's,^allow .*,allow = default/client\, default/server,' -e 's,^identity .*,identity = default/server,' "$work/server.ini" \
    >"$work/router.ini"

serve() {
    spawn uwsgi mesh router /usr/bin/uwsgi-core --plugins http,python3 --chdir "$work" --module app --master --processes 2 \
        --die-on-term --need-app --buffer-size 8192 "$@"
    wait_port "$port" 20
}
ask() {
    limit 20 mesh client curl -sS --fail --max-time 15 "$@"
}
greets() {
    [ "$(ask "http://127.0.0.1:$port/hi")" = "hello /hi" ]
}
echoes() {
    ask --data-binary "@$work/files/300k" -o "$work/got" "http://127.0.0.1:$port/" && same "$work/files/300k" "$work/got"
}
direct() {
    port=$(free_port)
    serve --http-socket "127.0.0.1:$port" --threads 2
}
routed() {
    port=$(free_port) inner=$(free_port)
    serve --http "127.0.0.1:$port" --http-keepalive=1 --http-to "127.0.0.1:$inner" --socket "127.0.0.1:$inner"
}
works() {
    routed && echoes && answer "http://127.0.0.1:$port/hi"
}

direct
try "uwsgi: an answer" greets
try "uwsgi: 300 kB there and back" echoes
try "uwsgi: 200 requests, a connection each" bench -c 8 -n 200 "http://127.0.0.1:$port/"
try "uwsgi: both sides are proved" both_proved "$port"
routed
try "uwsgi: an answer through the router" greets
try "uwsgi: 300 kB there and back through the router" echoes
try "uwsgi: 200 requests through the router" bench -c 8 -n 200 "http://127.0.0.1:$port/"
try "uwsgi: client and router are proved" both_proved "$port"
try "uwsgi: router and workers are proved" proved inbound "inbound:$inner" server
try "uwsgi: the same plain, loaded and meshed" alike works
[ "$failures" -eq 0 ]
