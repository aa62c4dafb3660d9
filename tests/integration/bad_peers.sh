#!/bin/bash
# Peers that misbehave, against an unmodified program that is preloaded: the right errno, one sentence, nothing in the clear, and
# the other connections unharmed. What is right stands in tests/peers/cases.txt.
# tests/integration/bad_peers.sh [CASE…]: these cases alone, one way.
# timeout: 900
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/peers/peers.sh
. "$top/tests/peers/peers.sh"
quick_mesh
# Leaks are bad_peers_memory.sh's to find: the sanitizer does not see into OpenSSL's locked heap, and takes what the private key
# refers to for lost.

serve() { # MODE [--few]: a victim, and one honest client that talks to it all the time
    local mode=$1 port case outcome alert sentence server good
    port=$(free_port)
    log=$work/mesh-$mode.log
    : >"$log"
    MESHSHIM_LOG_FILE=$log spawn "victim-$mode" mesh server "$victim" server "$port" "$mode"
    server=$spawned
    wait_port "$port"
    spawn "good-$mode" "$badpeer" --role client --port "$port" --ca "$work/ca" --case honest --until "$work/enough-$mode"
    good=$spawned
    while read -r case outcome alert sentence; do
        against_server "bad_peers/client/$mode/$case" "$case" "$outcome" "$alert" "$sentence" "$port" "$work/victim-$mode.log" "$log"
    done < <(cases client "${@:2}")
    touch "$work/enough-$mode"
    if gone "$good" 10 && grep -q '^exchanged [1-9]' "$work/good-$mode.log"; then
        ok "bad_peers/client/$mode: an honest client was served all the time"
    else
        not_ok "bad_peers/client/$mode: the honest client was harmed: $(tail -n 1 "$work/good-$mode.log")"
    fi
    kill "$server"
    if gone "$server" 10 && wait "$server"; then
        ok "bad_peers/client/$mode: the victim ended well"
    else
        not_ok "bad_peers/client/$mode: the victim ended badly"
        tail -n 30 "$work/victim-$mode.log" | sed 's/^/#   /'
    fi
}

against() { # MODE [--few]: a client that meets them
    local mode=$1 case outcome alert sentence
    log=$work/mesh-client-$mode.log
    : >"$log"
    while read -r case outcome alert sentence; do
        against_client "bad_peers/server/$mode/$case" "$case" "$outcome" "$alert" "$sentence" "$mode" "$log"
    done < <(cases server "${@:2}")
}

if [ $# -gt 0 ]; then
    only=("$@")
    serve blocking
    against blocking
else
    serve blocking
    serve edge --few
    against blocking
    against epoll --few
fi
[ "$failures" -eq 0 ]
