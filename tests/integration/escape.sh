#!/bin/bash
# No way past the hooks: whatever a program does to a connection, nothing of what it says is readable on the wire.
# timeout: 120
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
make_mesh
export MESHSHIM_LOG_FILE=$work/mesh.log
escape=$B/tests/escape/escape
# Ways that a plain socket refuses, too.
refused=" copy_file_range freopen "

port=$(free_port)
relayed=$(free_port)
mkdir "$work/wire" "$work/got"
# The server writes down what each connection said.
spawn server mesh server socat "TCP-LISTEN:$port,reuseaddr,fork" "SYSTEM:cat >$work/got/\$\$"
wait_port "$port"
spawn relay /usr/bin/python3 "$top/examples/demo/relay.py" "$relayed" "$port" "$work/wire"
wait_port "$relayed"

arrived() {
    grep -rqs "SECRET-$1" "$work/got"
}

for way in $("$escape" --list); do
    timeout $((20 * slow)) env LD_PRELOAD="$mesh_preload" MESHSHIM_CONFIG="$work/client.ini" "$escape" "$relayed" "$way" >"$work/out" 2>&1
    expected=$way
    [ "$way" = fast-open-after-exec ] && expected=fast-open-inherited
    if grep -rqas SECRET "$work/wire"; then
        not_ok "escape: $way: on the wire"
        rm -f "$work"/wire/*
    elif [[ $refused != *" $way "* ]] && ! wait_until 5 arrived "$expected"; then
        not_ok "escape: $way: it did not arrive"
        cat "$work/out" "$work/mesh.log" | cut -c1-300 | sed 's/^/# /'
    else
        ok "escape: $way"
    fi
done
[ "$failures" -eq 0 ]
