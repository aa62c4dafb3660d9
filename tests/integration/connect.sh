#!/bin/bash
# Connecting: another endpoint when one refuses, all of them refusing, deadlines, servers that have not accepted yet, both ends in one
# process, and what is not for the mesh.
# timeout: 180
# shellcheck disable=SC2154 # common.bash assigns python
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/apps/common.bash
. "$top/tests/apps/common.bash"
connects=$top/tests/integration/connects.py

# workload NAME: the client's configuration without a service; those of standard input are added.
workload() {
    { mesh_ini client | sed '/^\[service/,$d' && cat; } >"$work/$1.ini"
}

# dial WORKLOAD WAY HOST PORT [TIMES]: what the program saw in $work/saw; what the library said in $work/client.mesh.
dial() {
    : >"$work/client.mesh"
    MESHSHIM_LOG_FILE=$work/client.mesh limit 60 mesh "$1" "$python" "$connects" dial "${@:2}" >"$work/saw" 2>&1
}

# saw LINE…: the program saw exactly these lines.
saw() {
    diff <(printf '%s\n' "$@") "$work/saw"
}

# saw_errno ERRNO LEAST MOST: that error, and it took that many seconds.
saw_errno() {
    awk -v wanted="$1" -v least="$2" -v most="$(($3 * slow))" \
        '$1 == "connected" { next } { n++; print } $1 != wanted || $2 < least || $2 > most { bad = 1 } END { exit bad || n != 1 }' "$work/saw"
}

# one_sentence WORD…: the library said one, and it has each of the words.
one_sentence() {
    local word
    cat "$work/client.mesh"
    [ "$(wc -l <"$work/client.mesh")" -eq 1 ] || return 1
    for word in "$@"; do
        grep -qF -- "$word" "$work/client.mesh" || { echo "nothing of '$word'" && return 1; }
    done
}

servers() {
    first=$(free_port)
    spawn first mesh server "$python" "$connects" serve "$first" first
    wait_port "$first"
    second=$(free_port)
    spawn second mesh server "$python" "$connects" serve "$second" second
    wait_port "$second"
    dead=$(free_port)
    until dead2=$(free_port) && [ "$dead2" != "$dead" ]; do :; done
}

fails_over() { # WAY
    local line="OK 10.99.0.1:8080 first heard ping"
    dial over "$1" 10.99.0.1 8080 4
    saw "$line" "$line" "$line" "$line" && [ ! -s "$work/client.mesh" ]
}

all_refuse() { # WAY
    dial refused "$1" 10.99.0.1 8080
    saw_errno ECONNREFUSED 0 10 && one_sentence "127.0.0.1:$dead" "127.0.0.1:$dead2" refused
}

endpoints() {
    workload over <<INI
[service over]
host = 10.99.0.0/16
endpoints = 127.0.0.1:$dead, 127.0.0.1:$first
load_balancer = round_robin
identity = default/server
INI
    workload refused <<INI
[service refused]
host = 10.99.0.0/16
endpoints = 127.0.0.1:$dead, 127.0.0.1:$dead2
INI
    for way in blocking select epoll asyncio; do
        try "connect/over/$way: an endpoint refuses, the other serves, and the peer is the one that was dialled" fails_over $way
        try "connect/refused/$way: every endpoint refuses: one sentence names each" all_refuse $way
    done
    try "connect/unproved: the peer is the one that was dialled before the proof too" peer_before_the_proof
}

# connect has succeeded after its grace, and nobody has proved anything yet: the peer is the one that was dialled all the same.
peer_before_the_proof() {
    local port
    port=$(free_port)
    spawn unproved "$python" "$connects" silent "$port"
    wait_port "$port"
    workload unproved <<INI
[service unproved]
host = 10.99.0.0/16
endpoints = 127.0.0.1:$port
INI
    MESHSHIM_LOG_FILE=$work/client.mesh limit 20 mesh unproved "$python" -c 'import socket
print("%s:%d" % socket.create_connection(("10.99.0.1", 8080)).getpeername())' >"$work/saw" 2>&1
    saw 10.99.0.1:8080
}

# An endpoint that is somebody else, too, is no reason to fail where another is right.
wrong_one() {
    local port
    port=$(free_port)
    spawn impostor "$B/tests/peers/badpeer" --role server --port "$port" --ca "$work/ca" --case wrong_name
    wait_port "$port"
    workload impostor <<INI
[service impostor]
host = 10.99.0.0/16
endpoints = 127.0.0.1:$port, 127.0.0.1:$first
load_balancer = round_robin
identity = default/server
INI
    dial impostor blocking 10.99.0.1 8080 4
    grep -q '^OK' "$work/saw" && ! grep -v '^OK 10.99.0.1:8080 first heard ping$' "$work/saw"
}

refused_and_wrong() {
    local port
    port=$(free_port)
    spawn impostor "$B/tests/peers/badpeer" --role server --port "$port" --ca "$work/ca" --case wrong_name
    wait_port "$port"
    workload mixed <<INI
[service mixed]
host = 10.99.0.0/16
endpoints = 127.0.0.1:$dead, 127.0.0.1:$port
load_balancer = round_robin
connect_retries = 1
identity = default/server
INI
    # Six, so that each comes last sometimes.
    for _ in 1 2 3 4 5 6; do
        dial mixed blocking 10.99.0.1 8080
        grep -qE '^(EACCES|ECONNREFUSED) ' "$work/saw" && one_sentence "127.0.0.1:$dead" "127.0.0.1:$port" || return 1
    done
}

same_socket() {
    workload again <<INI
[service again]
host = 127.0.0.1
identity = default/server
INI
    limit 20 mesh again "$python" "$connects" again "$dead" "$first" >"$work/saw" 2>&1
    saw ECONNREFUSED "OK first heard ping"
}

after_a_handshake() {
    local port
    port=$(free_port)
    spawn impostor "$B/tests/peers/badpeer" --role server --port "$port" --ca "$work/ca" --case wrong_name
    wait_port "$port"
    limit 20 mesh again "$python" "$connects" again "$port" "$first" >"$work/saw" 2>&1
    saw EACCES "OK first heard ping"
}

spreads() {
    workload spread <<INI
[service spread]
host = 10.99.0.0/16
endpoints = 127.0.0.1:$first, 127.0.0.1:$second
load_balancer = round_robin
INI
    dial spread blocking 10.99.0.1 80 10
    cat "$work/saw"
    [ "$(grep -c 'first heard ping' "$work/saw")" = 5 ] && [ "$(grep -c 'second heard ping' "$work/saw")" = 5 ]
}

full_backlog() { # WAY
    dial late "$1" 127.0.0.1 "$full"
    saw_errno ETIMEDOUT 0.3 10 && one_sentence "127.0.0.1:$full"
}

is_silent() { # WAY
    dial quiet "$1" 127.0.0.1 "$silent"
    grep -q '^connected' "$work/saw" && saw_errno ETIMEDOUT 0.4 10 && one_sentence "127.0.0.1:$silent" "handshake"
}

# The grace is longer than the time for a handshake: connect itself fails.
silent_connect() { # WAY
    dial graceless "$1" 127.0.0.1 "$silent"
    saw_errno ETIMEDOUT 0.4 10 && one_sentence "127.0.0.1:$silent" "handshake"
}

looks_late() { # WAY
    dial busy "$1" 127.0.0.1 "$first"
    saw "OK 127.0.0.1:$first first heard ping" && [ ! -s "$work/client.mesh" ]
}

deadlines() {
    local way
    full=$(free_port)
    spawn full "$python" "$connects" full "$full"
    wait_until 10 grep -q full "$work/full.log" || fail "no full backlog"
    silent=$(free_port)
    spawn silent "$python" "$connects" silent "$silent"
    wait_port "$silent"
    workload late <<INI
[service late]
host = 127.0.0.1
connect_timeout = 300ms
connect_retries = 1
INI
    workload quiet <<INI
[service quiet]
host = 127.0.0.1
handshake_timeout = 400ms
handshake_grace = 50ms
connect_retries = 0
INI
    sed 's/^handshake_grace.*/handshake_grace = 5s/' "$work/quiet.ini" >"$work/graceless.ini"
    workload busy <<INI
[service busy]
host = 127.0.0.1
identity = default/server
connect_timeout = 300ms
connect_retries = 0
INI
    for way in busy-select busy-epoll; do
        try "connect/$way: a program that looks late finds its connection" looks_late $way
    done
    for way in blocking select epoll asyncio; do
        try "connect/full/$way: a full backlog is ETIMEDOUT" full_backlog $way
        try "connect/graceless/$way: a silent server is ETIMEDOUT from connect" silent_connect $way
    done
    for way in read-first send-first early-epoll early-poll; do
        try "connect/silent/$way: connected after the grace, then ETIMEDOUT" is_silent $way
    done
}

both_ends() { # KIND
    limit 60 mesh both "$python" "$connects" own "$1" "$(free_port)" >"$work/saw" 2>&1
    case $1 in
    blocking) saw "OK early" "OK b''" ;;
    loop) saw "connect EINPROGRESS" "OK 100" ;;
    esac
}

each_other() {
    local one other
    one=$(free_port)
    until other=$(free_port) && [ "$other" != "$one" ]; do :; done
    limit 60 "$python" "$connects" pair "$one" "$other" "$mesh_preload" "$work/both.ini" >"$work/saw" 2>&1
    saw "listens True" "listens True" "connected True" "connected True" OK OK
}

clear() { # WAY HOST: a plain server, and what passes is plain
    dial off "$1" "$2" "$plain"
    saw "OK $2:$plain plain heard ping" && [ ! -s "$work/client.mesh" ]
}

untouched() {
    local way
    plain=$(free_port)
    spawn plain "$python" -c "
import sys; sys.path.insert(0, '$top/tests/integration'); sys.dont_write_bytecode = True
import connects, socket
make = socket.create_server
socket.create_server = lambda address: make(('0.0.0.0', address[1]))
connects.serve('$plain', 'plain')"
    wait_port "$plain"
    workload off <<INI
[service off]
host = 127.0.0.1
mtls = off
INI
    for way in blocking select epoll asyncio; do
        try "connect/off/$way: a service with mtls = off is plain" clear $way 127.0.0.1
        try "connect/unmatched/$way: an address that no service names is plain" clear $way 127.0.0.2
    done
}

servers
endpoints
try "connect/impostor: an endpoint that is somebody else is passed over" wrong_one
try "connect/mixed: one refuses, one is somebody else: one sentence names both" refused_and_wrong
try "connect/again: a socket whose connect was refused connects elsewhere" same_socket
try "connect/again: a socket whose handshake has failed connects elsewhere" after_a_handshake
try "connect/round_robin: ten connections are five for each of two" spreads
deadlines
mesh_ini client >"$work/both.ini"
try "connect/both_ends/blocking: one thread connects to itself, sends, then accepts" both_ends blocking
try "connect/both_ends/loop: one thread is both ends in one epoll loop" both_ends loop
try "connect/each_other: two processes connect to each other before they accept" each_other
untouched
[ "$failures" -eq 0 ]
