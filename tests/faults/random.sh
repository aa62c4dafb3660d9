#!/bin/bash
# One call of the library in so many fails, at random, over hundreds of connections of one process, with its children and the programs that it
# starts. Afterwards it holds as many descriptors, as much of the family's memory and of its own as before, and works.
# timeout: 300
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
case $(basename "$B") in asan | tsan) skip "the sanitizers have an allocator of their own" ;; esac
MESH_SERVICE_KEYS="handshake_timeout = 500ms
connect_timeout = 500ms"
make_mesh
sed -i 's/^\[inbound\]$/&\nhandshake_timeout = 500ms/' "$work/client.ini" "$work/server.ini"
mkdir "$work/ini" && mv "$work/client.ini" "$work/server.ini" "$work/ini/"

for side in client server; do
    for rate in 2000 300; do
        name="faults: a $side in which one call of $rate fails holds in the end what it held"
        if "$B/tests/faults/drive" "$work" "$B/tests/faults/subject" "$mesh_preload" "$B/tests/faults/inject.so" --side "$side" \
            --storm 100 --rate "$rate" >"$work/told"; then
            ok "$name"
        else
            not_ok "$name"
            tail -n 3 "$work/storm.$side.err" | cut -c1-300 | sed 's/^/# /'
        fi
        sed 's/^not ok/#/' "$work/told"
    done
done
if "$meshctl" stats -d "$work/run" -o json | grep -q '"active": *[1-9]'; then
    not_ok "faults: no connection is counted as open when all have ended"
else
    ok "faults: no connection is counted as open when all have ended"
fi
[ "$failures" -eq 0 ]
