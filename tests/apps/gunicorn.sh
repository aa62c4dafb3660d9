#!/bin/bash
# gunicorn: workers that inherit the listener and accept for themselves, its threaded worker, and a reload that replaces them.
# packages: apache2-utils gunicorn python3-gunicorn
# program: gunicorn
# timeout: 60
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/apps/common.bash
. "$(dirname "$0")/common.bash"
# shellcheck source=tests/apps/web.bash
. "$(dirname "$0")/web.bash"
[ -x /usr/bin/gunicorn ] || skip "gunicorn is not installed"
echo "version gunicorn $(/usr/bin/gunicorn --version | sed 's/.*version //; s/).*//')"
random_file 300k 300000

cat >"$work/app.py" <<'PY'
import os

def application(environ, start_response):
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    body = body or f"{environ['PATH_INFO']} {os.getpid()} {environ['REMOTE_ADDR']}".encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
PY

serve() {
    port=$(free_port)
    # Clear of files elsewhere: its workers' heartbeat is a file.
    spawn gunicorn mesh server /usr/bin/gunicorn --chdir "$work" --bind "127.0.0.1:$port" --worker-tmp-dir "$work" \
        --workers 2 "$@" app:application
    server=$spawned
    wait_port "$port" 20
}
ask() {
    limit 20 mesh client curl -sS --fail --max-time 15 "$@"
}
greets() {
    local got
    got=$(ask "http://127.0.0.1:$port/hello")
    echo "got $got"
    [[ $got =~ ^/hello\ [0-9]+\ 127\.0\.0\.1$ ]]
}
echoes() {
    ask --data-binary "@$work/files/300k" -o "$work/got" "http://127.0.0.1:$port/" && same "$work/files/300k" "$work/got"
}
replaced() {
    local now
    now=$(ask "http://127.0.0.1:$port/hello") && [ "${now#* }" != "${before#* }" ]
}
reloads() {
    local before
    before=$(ask "http://127.0.0.1:$port/hello")
    kill -HUP "$server"
    wait_until 10 replaced && echoes
}
works() {
    serve && echoes && answer "http://127.0.0.1:$port/" -d hello && bench -l -c 4 -n 50 "http://127.0.0.1:$port/"
}

serve
try "gunicorn: an answer" greets
try "gunicorn: 300 kB there and back" echoes
try "gunicorn: 200 requests, a connection each" bench -l -c 8 -n 200 "http://127.0.0.1:$port/"
try "gunicorn: both sides are proved" both_proved "$port"
try "gunicorn: answers by new workers after a reload" reloads
serve --threads 4
try "gunicorn: threads, 500 requests on kept connections" bench -l -k -c 8 -n 500 "http://127.0.0.1:$port/"
try "gunicorn: threads, 300 kB there and back" echoes
try "gunicorn: threads, both sides are proved" both_proved "$port"
try "gunicorn: the same plain, loaded and meshed" alike works
[ "$failures" -eq 0 ]
