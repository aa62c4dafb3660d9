#!/bin/bash
# record_layer: whoever seals the records of either end, the bytes come as they were sent; the kernel does it where it is asked to and can,
# and statistics tell. Where it cannot, one sentence says so, and the program itself does it.
# timeout: 300
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
python=/usr/bin/python3
file=$work/file
head -c "${LAYERS_BYTES:-3000001}" /dev/urandom >"$file"

# What this kernel can; asked here in another way than the library asks it.
offers() {
    grep -qsw tls /proc/sys/net/ipv4/tcp_available_ulp
}
changes_keys() {
    printf '6.14\n%s\n' "$(uname -r | grep -oE '^[0-9]+\.[0-9]+')" | sort -CV
}
expected() { # KEY: who seals then
    case $1 in
    kernel) offers && echo kernel && return ;;
    auto) offers && changes_keys && echo kernel && return ;;
    esac
    echo user
}

# sentences LOG: how often it is said that the kernel cannot
sentences() {
    grep -c 'offers no TLS' "$1"
}
wanted_sentences() { # KEY
    if [ "$1" = kernel ] && ! offers; then echo 1; else echo 0; fi
}

# seen DIRECTION LAYER: that layer alone, in every form that statistics have
seen() {
    local form
    for form in json prometheus table; do
        "$meshctl" stats -d "$work/run" -o $form >"$work/stats.$form" || return 1
    done
    "$python" -I -c 'import json, sys
layers = [entry["record_layer"] for entry in json.load(sys.stdin)["entries"] if entry["direction"] == sys.argv[1]]
sys.exit(not layers or any(set(layer) != {sys.argv[2]} for layer in layers))' "$1" "$2" <"$work/stats.json" &&
        grep -q "^meshshim_connections_record_layer_total.*record_layer=\"$2\"} [1-9]" "$work/stats.prometheus" &&
        grep -qE "$1 .* mutual_tls +$2 " "$work/stats.table"
}

for pair in ${LAYERS_PAIRS:-auto/auto user/user kernel/kernel kernel/user user/kernel}; do
    name=record_layer/${pair/\//-to-}
    rm -rf "$work/run"
    MESH_CLIENT_KEYS="record_layer = ${pair%/*}" MESH_SERVER_KEYS="record_layer = ${pair#*/}" make_mesh
    : >"$work/server-mesh.log"
    : >"$work/client-mesh.log"
    port=$(free_port)
    MESHSHIM_LOG_FILE=$work/server-mesh.log spawn server mesh server "$python" -I -S "$top/tests/integration/layers.py" server "$port" "$file"
    server=$spawned
    wait_port "$port" $((10 * slow))
    MESHSHIM_LOG_FILE=$work/client-mesh.log mesh client timeout $((60 * slow)) \
        "$python" -I -S "$top/tests/integration/layers.py" client "$port" "$file" >"$work/client.log" 2>&1
    status=$?
    while read -r result job; do
        case $result in
        ok) ok "$name/$job" ;;
        not) not_ok "$name/${job#ok }: other bytes than were sent" ;;
        esac
    done <"$work/client.log"
    [ "$status" -eq 0 ] || { not_ok "$name: the client ended with status $status"; sed 's/^/#   /' "$work"/*.log; }
    for side in "outbound ${pair%/*} client" "inbound ${pair#*/} server"; do
        read -r direction key who <<<"$side"
        if seen "$direction" "$(expected "$key")"; then
            ok "$name/$who-is-$(expected "$key")"
        else
            not_ok "$name: statistics do not say that the $who's records are the $(expected "$key")'s"
            sed 's/^/#   /' "$work/stats.json"
        fi
        said=$(sentences "$work/$who-mesh.log")
        [ "$said" -eq "$(wanted_sentences "$key")" ] || not_ok "$name: $said sentences of the $who about what the kernel lacks"
    done
    kill "$server"
done
[ "$failures" -eq 0 ]
