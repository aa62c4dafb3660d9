#!/bin/bash
# Half a record makes no descriptor readable: select and poll wait for something to read, and sleep meanwhile. Programs take them
# at their word (ncat ends where a read then says EAGAIN). Nor does it stay in the kernel behind one who reads by FIONREAD.
# tests/integration/begun.sh [WAY…]: these ways alone.
# timeout: 60
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
python=/usr/bin/python3
make_mesh
mkfifo "$work/ask" "$work/told"

[ $# -gt 0 ] || set -- select poll FIONREAD
for way in "$@"; do
    port=$(free_port)
    relayed=$(free_port)
    spawn "server-$way" mesh server "$python" "$top/tests/integration/begun.py" server "$port"
    wait_port "$port"
    spawn "relay-$way" "$python" "$top/tests/integration/begun.py" relay "$relayed" "$port" "$work"
    wait_port "$relayed"
    if mesh client timeout $((20 * slow)) "$python" "$top/tests/integration/begun.py" client "$relayed" "$work" "$way" >"$work/client.log" 2>&1; then
        ok "begun: $way"
    else
        not_ok "begun: $way: $(tail -n 1 "$work/client.log")"
    fi
done
[ "$failures" -eq 0 ]
