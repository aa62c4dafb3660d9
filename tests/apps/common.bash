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
    # timeout runs programs, not functions, and is not meshed itself.
    [ "$1" != mesh ] || set -- env LD_PRELOAD="$mesh_preload" MESHSHIM_CONFIG="$work/$2.ini" "${@:3}"
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

# bystander: $work/bystander.ini, a mesh that concerns other ports: "mesh bystander PROGRAM" is to do what PROGRAM does alone.
bystander() {
    sed -e '/^\[inbound\]/,/^\[service/s/^mtls .*/mtls = off/' -e '/^allow/d' -e 's/^host .*/&\nport     = 1/' "$work/client.ini" \
        >"$work/bystander.ini"
}
