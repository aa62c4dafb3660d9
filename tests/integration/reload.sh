#!/bin/bash
# A running server whose configuration or identity changes: noticed by itself, and at once when asked; what is wrong changes nothing.
# timeout: 180
# shellcheck disable=SC2154,SC2016 # common.bash assigns python; what is quoted is for another shell
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/apps/common.bash
. "$top/tests/apps/common.bash"
connects=$top/tests/integration/connects.py

# start NAME WORKLOAD: a server that answers with its name; its port is in $port, its process in $spawned.
start() {
    port=$(free_port)
    MESHSHIM_LOG=info MESHSHIM_LOG_FILE=$work/$1.mesh spawn "$1" mesh "$2" "$python" "$connects" serve "$port" "$1"
    wait_port "$port"
}

served() {
    limit 20 mesh client "$python" "$connects" dial blocking 127.0.0.1 "$port" >"$work/saw" 2>&1
    cat "$work/saw"
    grep -q '^OK' "$work/saw"
}

refused() { # a write may be too late to be told why
    ! served && grep -qE '^(EACCES|EPIPE|ECONNRESET) ' "$work/saw"
}

# allow WHOM: the configuration of the running server, changed as the third word says.
allow() {
    sed "s,^allow .*,allow = $1," "$work/original.ini" >"$work/next.ini"
    ${2:-mv} "$work/next.ini" "$work/server.ini"
}

ask() {
    "$meshctl" reload --socket "$work/run/$server.sock"
}

post() {
    curl -sS --max-time 10 -X POST --unix-socket "$work/run/$server.sock" -w '%{http_code}\n' http://mesh/reload
}

noticed() { # HOW
    allow default/other "$1" && wait_until 10 refused && allow default/client "$1" && wait_until 10 served
}

# The process has begun to watch (not before it is a second old: most programs do not live that long).
watching() {
    grep -qs inotify "/proc/$spawned"/task/*/fdinfo/*
}

# Kubernetes puts a new directory in place of the old by a symbolic link. linked NAME PATH WHEN: the path that the server knows.
linked() {
    rm -rf "$work/volume"
    mkdir -p "$work/volume/..1" "$work/volume/..2" "$work/volume/..3"
    for version in 1:default/client 2:default/other 3:default/client; do
        sed "s,^allow .*,allow = ${version#*:}," "$work/original.ini" >"$work/volume/..${version%%:*}/mesh.ini"
    done
    ln -s ..1 "$work/volume/..data"
    ln -s ..data/mesh.ini "$work/volume/mesh.ini"
    start "$1" "$2"
    served || return 1
    [ "$3" = early ] || wait_until 10 watching || return 1
    ln -s ..2 "$work/volume/..new" && mv -T "$work/volume/..new" "$work/volume/..data" && wait_until 10 refused || return 1
    ln -s ..3 "$work/volume/..new" && mv -T "$work/volume/..new" "$work/volume/..data" && wait_until 10 served
}

# A file that was written before the program started, and takes its place just after.
noticed_early() {
    cp "$work/original.ini" "$work/early.ini"
    sed "s,^allow .*,allow = default/other," "$work/original.ini" >"$work/next.ini"
    start early early
    served && mv "$work/next.ini" "$work/early.ini" && wait_until 10 refused
}

# What is in force when the answer comes is the new one: nothing is waited for.
asked() { # HOW
    allow default/other && $1 && refused && allow default/client && $1 && served
}

answers() {
    [ "$(post | tail -c 4)" = 200 ] && post | grep -q '"reloaded": *true' &&
        [ "$(curl -sS -o "$work/got" -w '%{http_code}' --unix-socket "$work/run/$server.sock" http://mesh/reload)" = 405 ]
}

invalid_noticed() {
    : >"$work/server.mesh"
    { cat "$work/original.ini" && echo 'alow = default/other'; } >"$work/next.ini"
    mv "$work/next.ini" "$work/server.ini"
    wait_until 10 grep -q 'last good' "$work/server.mesh" || return 1
    cat "$work/server.mesh"
    grep -q "server.ini:[0-9]*: .*alow" "$work/server.mesh" && served
}

invalid_asked() {
    local said
    said=$(ask 2>&1)
    [ $? -eq 1 ] && echo "$said" && grep -q "server.ini:[0-9]*: .*alow" <<<"$said" || return 1
    said=$(post)
    echo "$said"
    grep -q '"reloaded": *false' <<<"$said" && grep -q "server.ini:[0-9]*: .*alow" <<<"$said" && ! grep -q '200$' <<<"$said" && served
}

mended() {
    allow default/other && wait_until 10 refused && allow default/client && ask && served
}

gone_and_back() {
    rm "$work/server.ini"
    : >"$work/server.mesh"
    ! ask && served && allow default/client && ask && served
}

# A program that loads it, and makes its first socket when it has changed.
noticed_before_first() {
    start healthy server
    mkfifo "$work/go"
    sed "s,^identity .*,identity = default/client," "$work/client.ini" >"$work/late.ini"
    sed "s,^identity .*,identity = default/server," "$work/client.ini" >"$work/next.ini"
    spawn late sh -c 'exec "$@" <"$0"' "$work/go" env LD_PRELOAD="$mesh_preload" MESHSHIM_CONFIG="$work/late.ini" \
        "$python" "$connects" patient 127.0.0.1 "$port"
    exec 5>"$work/go"
    wait_until 10 grep -q started "$work/late.log" && cp "$work/next.ini" "$work/late.ini"
    echo go >&5
    exec 5>&-
    wait_until 10 grep -q 'OK healthy' "$work/late.log"
}

# ---- identities

serial_of_server() {
    openssl s_client -connect "127.0.0.1:$port" -cert "$work/ids/client/cert.pem" -key "$work/ids/client/key.pem" \
        -CAfile "$work/ids/ca/ca.pem" -alpn meshshim </dev/null 2>/dev/null | openssl x509 -noout -serial
}

issue() { # WORKLOAD TO [OPTION…]
    "$meshctl" ca issue --dir "$work/ids/ca" --workload "default/$1" --out "$2" "${@:3}"
}

serves_serial() {
    [ "$(serial_of_server)" = "$1" ]
}

date_of() {
    date -u -d "$(openssl x509 -noout -enddate -in "$1" | cut -d= -f2)" +%Y-%m-%dT%H:%M:%SZ
}

identity_says() { # CERTIFICATE
    "$meshctl" identity --socket "$work/run/$server.sock" -o json | grep -qF "\"$(date_of "$1")\""
}

certificates() {
    mkdir "$work/ids"
    {
        "$meshctl" ca init --dir "$work/ids/ca" --trust-domain mesh.local && issue client "$work/ids/client" &&
            issue server "$work/ids/server" --ttl 20h && issue server "$work/ids/next" --ttl 30h
    } >/dev/null || return 1
    for side in client server; do
        sed "s,^certificate .*,certificate = $work/ids/$side/cert.pem,; s,^private_key .*,private_key = $work/ids/$side/key.pem,
            s,^trust_bundle .*,trust_bundle = $work/ids/$side/ca.pem," "$work/$side.ini" >"$work/$side-ids.ini"
    done
    start renewed server-ids
    server=$spawned
    old=$(openssl x509 -noout -serial -in "$work/ids/server/cert.pem")
    new=$(openssl x509 -noout -serial -in "$work/ids/next/cert.pem")
    [ "$old" != "$new" ] && serves_serial "$old" && identity_says "$work/ids/server/cert.pem"
}

renewed() {
    cp "$work/ids/server/cert.pem" "$work/ids/old.pem"
    [ "$1" = early ] || wait_until 10 watching || return 1
    mv "$work/ids/next/key.pem" "$work/ids/server/key.pem"
    mv "$work/ids/next/cert.pem" "$work/ids/server/cert.pem"
    wait_until 10 serves_serial "$new" && identity_says "$work/ids/server/cert.pem" && ! identity_says "$work/ids/old.pem"
}

# A certificate that does not belong to its key: said, and the program's own error where it is used.
lives_on() {
    local port out
    port=$(free_port)
    mkfifo "$work/lines"
    spawn echo mesh server-ids "$python" "$top/tests/apps/echo.py" threads-server "$port"
    server=$spawned
    wait_port "$port"
    spawn chat sh -c 'exec "$@" <"$0"' "$work/lines" env LD_PRELOAD="$mesh_preload" MESHSHIM_CONFIG="$work/client-ids.ini" \
        "$python" "$connects" chat 127.0.0.1 "$port"
    out=$work/chat.log
    exec 5>"$work/lines"
    echo before >&5
    wait_until 10 grep -qx before "$out" || return 1
    issue server "$work/ids/server" --ttl 40h >/dev/null && "$meshctl" reload --socket "$work/run/$server.sock" &&
        identity_says "$work/ids/server/cert.pem" || return 1
    echo after >&5
    wait_until 10 grep -qx after "$out"
    local status=$?
    exec 5>&-
    return $status
}

# systemd's standard error is a socket, which cannot be opened again: a mistake in a new file is told there all the same.
told_to_journal() {
    local port
    port=$(free_port)
    cp "$work/original.ini" "$work/unit.ini"
    spawn unit unshare -m sh -c 'mount -t tmpfs none /run && exec "$@"' sh "$python" "$connects" journalled \
        env MESHSHIM_LOG_FILE= LD_PRELOAD="$mesh_preload" MESHSHIM_CONFIG="$work/unit.ini" "$python" "$connects" serve "$port" unit
    wait_port "$port"
    echo 'alow = default/other' >>"$work/unit.ini"
    wait_until 10 grep -q 'unit.ini:[0-9]*: .*alow' "$work/unit.log"
}

# Who has given up root's rights cannot read the next key: it lives on by what it has read as long as that is valid.
dropped() {
    chmod 755 "$work" && : >"$work/dropped.mesh" && chmod 666 "$work/dropped.mesh"
    port=$(free_port)
    MESHSHIM_LOG_FILE=$work/dropped.mesh spawn dropped mesh server-ids "$python" "$connects" drop "$port" dropped
    server=$spawned
    wait_port "$port"
    old=$(openssl x509 -noout -serial -in "$work/ids/server/cert.pem")
    serves_serial "$old" && issue server "$work/ids/server" >/dev/null && ask || return 1
    grep -q 'server/key.pem: this user may not read it' "$work/dropped.mesh" && serves_serial "$old"
}

# ---- broken from the start

broken_server() {
    sed 's/^allow .*/alow = x/' "$work/original.ini" >"$work/broken.ini"
    port=$(free_port)
    MESHSHIM_LOG_FILE=$work/broken.mesh spawn broken mesh broken "$python" "$connects" serve "$port" broken
    wait_port "$port"
    ! served && wait_until 10 grep -q 'served nobody: EACCES' "$work/broken.log" && grep -q 'broken.ini:[0-9]*: .*alow' "$work/broken.mesh" || return 1
    cp "$work/original.ini" "$work/mended.ini"
    mv "$work/mended.ini" "$work/broken.ini"
    wait_until 10 served
}

broken_client() {
    start healthy server
    { echo '[wrkload]' && cat "$work/client.ini"; } >"$work/broken-client.ini"
    MESHSHIM_LOG_FILE=$work/broken-client.mesh spawn patient mesh broken-client "$python" "$connects" patient 127.0.0.1 "$port"
    wait_until 10 grep -qx EACCES "$work/patient.log" || return 1
    cp "$work/client.ini" "$work/mended.ini"
    mv "$work/mended.ini" "$work/broken-client.ini"
    wait_until 10 grep -qx 'OK healthy heard ping' "$work/patient.log" || return 1
    [ "$(sed -n 2p "$work/patient.log")" = EACCES ] && grep -q 'broken-client.ini:1: .*wrkload' "$work/broken-client.mesh"
}

cp "$work/server.ini" "$work/original.ini"
start server server
server=$spawned
try "reload: served to begin with" served
try "reload/noticed: a file that is put in place of the old one" noticed mv
try "reload/noticed: a file that is written over" noticed cp
try "reload/noticed: a link that leads elsewhere" linked volume volume/mesh late
try "reload/noticed: a link that leads elsewhere, in the program's first second" linked young volume/mesh early
ln -s "$work/volume/mesh.ini" "$work/chain.ini"
try "reload/noticed: a link to such a link" linked chain chain late
try "reload/noticed: an older file that takes its place in the program's first second" noticed_early
cp "$work/original.ini" "$work/server.ini"
try "reload/noticed: a change before the program's first socket" noticed_before_first
start asked server
server=$spawned
try "reload/asked: the first connection starts what can be asked" served
try "reload/asked: meshctl reload" asked ask
try "reload/asked: POST /reload" asked post
try "reload/asked: POST /reload answers in JSON, GET is not allowed" answers
cp "$work/original.ini" "$work/server.ini"
start server server
server=$spawned
try "reload/invalid: served to begin with" served
try "reload/invalid: noticed, told with its line, and the last good one stays" invalid_noticed
try "reload/invalid: asked for, told with its line, and the last good one stays" invalid_asked
try "reload/invalid: mended, it is taken" mended
try "reload/gone: without its file the last good one stays, and a new one is taken" gone_and_back
try "reload/certificate: the server proves itself with the one that it has" certificates
try "reload/certificate: a new one is used by new connections, and told" renewed late
try "reload/certificate: a connection lives on over it" lives_on
if [ "$(id -u)" -eq 0 ]; then
    try "reload/certificate: a server that may not read the next key keeps the one that it has" dropped
    if unshare -m mount -t tmpfs none /run 2>/dev/null; then
        try "reload/journal: a mistake that is noticed is told there" told_to_journal
    else
        echo "skip reload/journal: no mount name space can be had"
    fi
else
    echo "skip reload/certificate: only root has rights to give up"
fi
try "reload/broken: a server turns all away until it is mended" broken_server
try "reload/broken: a client is EACCES until it is mended" broken_client
[ "$failures" -eq 0 ]
