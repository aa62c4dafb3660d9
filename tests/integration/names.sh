#!/bin/bash
# Services by name: one that no resolver knows but the configuration does, and one that the system resolves.
# timeout: 60
# shellcheck disable=SC2154 # common.bash assigns python
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/apps/common.bash
. "$top/tests/apps/common.bash"

random_file hello 1000
web=$(free_port)
spawn web mesh server "$python" -m http.server "$web" --bind 127.0.0.1 --directory "$work/files"
wait_port "$web"
until dead=$(free_port) && [ "$dead" != "$web" ]; do :; done

# workload NAME: the client's configuration with the service of standard input.
workload() {
    { mesh_ini client | sed '/^\[service/,$d' && cat; } >"$work/$1.ini"
}
workload web <<INI
[service web]
host = web.mesh, web.default.svc
endpoints = 127.0.0.1:$dead, 127.0.0.1:$web
identity = default/server
INI
workload local <<INI
[service local]
host = localhost
port = $web
identity = default/server
INI
workload wrong <<INI
[service wrong]
host = localhost
identity = default/client
INI

fetch() { # WORKLOAD URL
    rm -f "$work/got"
    limit 20 mesh "$1" curl -sS --noproxy '*' --max-time 10 -o "$work/got" "$2" && same "$work/files/hello" "$work/got"
}

fetch_in_python() { # WORKLOAD URL
    rm -f "$work/got"
    limit 20 mesh "$1" "$python" -c '
import sys, urllib.request
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
open(sys.argv[2], "wb").write(opener.open(sys.argv[1], timeout=10).read())' "$2" "$work/got" && same "$work/files/hello" "$work/got"
}

fetch_by() { # CALL WORKLOAD NAME PORT
    limit 20 mesh "$2" "$B/tests/apps/programs/lookup" "$1" "$3" "$4" /hello >"$work/got" && same "$work/files/hello" "$work/got"
}

unknown_to() { # CALL
    ! limit 20 mesh web "$B/tests/apps/programs/lookup" "$1" nobody.mesh 80 /hello 2>"$work/said" && grep -q 'does not know' "$work/said"
}

fetch_in_asyncio() { # WORKLOAD HOST PORT
    limit 20 mesh "$1" "$python" - "$2" "$3" "$work/got" <<'PY' && same "$work/files/hello" "$work/got"
import asyncio, sys
async def fetch(host, port, path):
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(b"GET /hello HTTP/1.0\r\n\r\n")
    answer = await asyncio.wait_for(reader.read(), 10)
    open(path, "wb").write(answer.split(b"\r\n\r\n", 1)[1])
    writer.close()
asyncio.run(fetch(*sys.argv[1:]))
PY
}

unknown() {
    limit 20 mesh web curl -sS --noproxy '*' --max-time 10 -o "$work/got" "http://nobody.mesh:80/hello"
    [ $? -eq 6 ] # could not resolve host
}

denied() {
    ! fetch_in_python wrong "http://localhost:$web/hello" &&
        grep -q 'service wrong: .*/server, expected default/client' "$work/mesh.log"
}

try "names/curl: a name that is in no resolver, with the port that it dials" fetch web http://web.mesh:80/hello
try "names/curl: capitals and a final dot are the same name" fetch web http://WEB.mesh.:80/hello
try "names/curl: a second name of the service" fetch web http://web.default.svc:8080/hello
try "names/python: a name that is in no resolver" fetch_in_python web http://web.mesh:80/hello
try "names/asyncio: a name that is in no resolver" fetch_in_asyncio web web.mesh 80
try "names/curl: proved by name" proved outbound web server
try "names/curl: a name that nobody knows stays unknown" unknown
# curl asks no resolver for this one: it knows the addresses.
try "names/curl: localhost as curl itself resolves it" fetch local "http://localhost:$web/hello"
try "names/python: localhost as the system resolves it" fetch_in_python local "http://localhost:$web/hello"
try "names/asyncio: localhost as the system resolves it" fetch_in_asyncio local localhost "$web"
for call in gethostbyname gethostbyname2 gethostbyname_r gethostbyname2_r getaddrinfo_a gai_suspend gai_error; do
    case $(basename "$B")/$call in
    tsan/getaddrinfo_a | tsan/gai_*)
        echo "skip names/$call the thread sanitizer does not know a thread that libc starts by itself"
        continue
        ;;
    esac
    try "names/$call: a name that is in no resolver" fetch_by "$call" web web.mesh 80
    try "names/$call: localhost as the system resolves it" fetch_by "$call" local localhost "$web"
    try "names/$call: a name that nobody knows stays unknown" unknown_to "$call"
done
try "names/localhost: proved by name" proved outbound local server
try "names/wrong: by name, somebody else is refused" denied
[ "$failures" -eq 0 ]
