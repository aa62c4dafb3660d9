#!/bin/bash
# Python's other web servers: uvicorn (asyncio), waitress (asyncore and threads), cheroot (CherryPy's threads), eventlet (green threads).
# packages: apache2-utils python3-cheroot python3-eventlet python3-uvicorn python3-waitress
# program: uvicorn
# program: waitress
# program: cheroot
# program: eventlet
# timeout: 120
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/apps/common.bash
. "$(dirname "$0")/common.bash"
# shellcheck source=tests/apps/web.bash
. "$(dirname "$0")/web.bash"
random_file 1m 1048576

cat >"$work/app.py" <<'PY'
# app.py SERVER PORT: answers with what came, or with the path.
import sys

def wsgi(environ, start_response):
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)) or environ["PATH_INFO"].encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]

async def asgi(scope, receive, send):
    body, more = b"", scope["type"] == "http"
    while more:
        message = await receive()
        body, more = body + message["body"], message["more_body"]
    body = body or scope["path"].encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})

def uvicorn(port):
    import uvicorn
    uvicorn.run(asgi, host="127.0.0.1", port=port, log_level="error", lifespan="off")

def waitress(port):
    import waitress
    waitress.serve(wsgi, host="127.0.0.1", port=port)

def cheroot(port):
    from cheroot.wsgi import Server
    Server(("127.0.0.1", port), wsgi).start()

def eventlet(port):
    import eventlet.wsgi
    eventlet.wsgi.server(eventlet.listen(("127.0.0.1", port)), wsgi, log_output=False)

globals()[sys.argv[1]](int(sys.argv[2]))
PY
works() {
    port=$(free_port)
    spawn "$1" mesh server "$python" "$work/app.py" "$1" "$port"
    wait_port "$port" 20
    answer "http://127.0.0.1:$port/hello" && answer --data-binary "@$work/files/1m" "http://127.0.0.1:$port/" &&
        bench -k -c 8 -n 200 "http://127.0.0.1:$port/a" && bench -c 8 -n 50 "http://127.0.0.1:$port/a"
}
for name in uvicorn waitress cheroot eventlet; do
    version "$name" "$("$python" -c "import importlib.metadata as m; print(m.version('$name'))" 2>/dev/null || echo missing)"
    "$python" -c "import $name" 2>/dev/null || { echo "skip $name: not installed" && continue; }
    try "$name: an answer, 1 MiB there and back, 200 requests on kept connections, 50 on their own" alike works "$name"
    try "$name: both sides are proved" both_proved "$port"
done
[ "$failures" -eq 0 ]
