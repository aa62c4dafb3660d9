#!/bin/bash
# One call of the library in so many fails, at random, over hundreds of connections of one process, with its children and the programs that it
# starts. Afterwards it holds as many descriptors, as much of the family's memory and of its own as before, and works.
# timeout: 300
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
case $(basename "$B") in asan | tsan) skip "the sanitizers have an allocator of their own" ;; esac
# shellcheck source=tests/faults/common.bash
. "$(dirname "$0")/common.bash"
make_faulty_mesh 500ms

for side in client server; do
    for rate in 2000 300; do
        name="faults: a $side in which one call of $rate fails holds in the end what it held"
        if drive --side "$side" --storm 100 --rate "$rate" >"$work/told"; then
            ok "$name"
        else
            not_ok "$name"
            tail -n 3 "$work/storm.$side.err" | cut -c1-300 | sed 's/^/# /'
        fi
        sed 's/^not ok/#/' "$work/told"
    done
done
says_none_active faults
[ "$failures" -eq 0 ]
