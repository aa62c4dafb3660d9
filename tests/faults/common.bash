# shellcheck shell=bash
# What the tests of faults share. Source it behind tests/lib.sh:
#
#   make_faulty_mesh 2s          # make_mesh, where nobody is waited for longer; the configurations are in $work/ini
#   drive --side client          # the driver, see tests/faults/drive_main.c
#   named <lines                 # what the driver has said, for people
#   serve && … && quiet          # the subject as a server
#   says_none_active faults
# shellcheck disable=SC2154 # lib.sh assigns work, top, B, meshctl, mesh_preload and said

subject=$B/tests/faults/subject
# make_impatient_mesh TIME: nobody waits longer for a handshake.
make_impatient_mesh() {
    # shellcheck disable=SC2034 # for make_mesh
    MESH_SERVICE_KEYS="handshake_timeout = $1
connect_timeout = $1"
    make_mesh
    sed -i "s/^\[inbound\]\$/&\nhandshake_timeout = $1/" "$work/client.ini" "$work/server.ini"
}

# At the end, before clean_up, which wants to know the status.
forget_memory() {
    rm -rf "$memory"
    (exit "$1")
    clean_up
}

make_faulty_mesh() {
    make_impatient_mesh "$1"
    memory=$(mktemp -d "$([ -w /dev/shm ] && echo /dev/shm || echo "$work")/meshshim-faults.XXXXXX") || fail "no directory in memory"
    trap 'forget_memory $?' EXIT
    mkdir "$work/ini" && mv "$work/client.ini" "$work/server.ini" "$work/ini/"
}

drive() {
    "$B/tests/faults/drive" "$work" "$memory" "$subject" "$mesh_preload" "$B/tests/faults/inject.so" "$@"
}

# named: the driver's lines, with names in the place of addresses.
named() {
    local library=$B/libmeshshim.so.unstripped
    [ -e "$library" ] || library=$B/libmeshshim.so
    /usr/bin/python3 "$top/tests/faults/places.py" "$library"
}

# serve [PREFIX…]: the subject as a server, with the library; it ends with its input, which is closed by quiet. Its port is in $port.
serve() {
    mkfifo "$work/input" 2>/dev/null
    : >"$work/server.log"
    (
        exec {said}>&-
        spawning=1 mesh server "$@" "$subject" server <"$work/input"
    ) >"$work/server.log" 2>&1 &
    server=$!
    pids+=("$server")
    exec 9>"$work/input"
    wait_until 10 grep -qs '^port' "$work/server.log" || return 1
    # shellcheck disable=SC2034 # for those who source this
    port=$(sed -n 's/^port //p' "$work/server.log")
}
quiet() {
    exec 9>&-
    gone "$server" 20
    wait "$server"
}

# tell_logs: the ends of what both have said.
tell_logs() {
    tail -n 5 "$work/client.log" "$work/server.log" | cut -c1-300 | sed 's/^/# /'
}

# says_none_active NAME
says_none_active() {
    local name="$1: no connection is counted as open when all have ended"
    if "$meshctl" stats -d "$work/run" -o json | grep -q '"active": *[1-9]'; then
        not_ok "$name"
    else
        ok "$name"
    fi
}
