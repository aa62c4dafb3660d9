#!/bin/bash
# What a message costs, in instructions: those of the meshed program less those of the plain one, without the AEAD's own, which are the processor's
# business. They do not depend on the machine's load, so a few more show. What is too many or too few stands in tests/bench/instructions.txt
# with the figure: after a change that is meant, put the new one there.
# timeout: 120
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
figures=$top/tests/bench/instructions.txt
rounds=100
case $(basename "$B") in asan | tsan) skip "the figures are of the plain build" ;; esac
command -v valgrind >/dev/null || skip "valgrind is not installed: make deps"
compiler="gcc $(gcc -dumpversion), $(uname -m)"
grep -qF "$compiler" "$figures" || skip "the figures are of another compiler than $compiler"

gcc -O2 -o "$work/exchange" "$top/tests/bench/exchange.c" || fail "tests/bench/exchange.c does not compile"
make_mesh

# counted ROUNDS BYTES COMMAND…: instructions within exchange(), but not within the AEAD; where the AEAD works outside of it (before the first
# round, and at the end), it is counted instead.
counted() {
    local rounds=$1 bytes=$2
    shift 2
    "$@" timeout 60 valgrind --tool=callgrind --callgrind-out-file="$work/callgrind.out" --toggle-collect=exchange \
        --toggle-collect=aead_seal --toggle-collect=aead_open --toggle-collect=aead_open_whole \
        "$work/exchange" "$rounds" "$bytes" >"$work/valgrind.log" 2>&1 ||
        fail "the exchange under valgrind came to no end"
    sed -n 's/^==[0-9]*== Collected : //p' "$work/valgrind.log"
}

while read -r bytes figure; do
    plain=$(counted "$rounds" "$bytes" env) && meshed=$(counted "$rounds" "$bytes" mesh server) && outside=$(counted 0 "$bytes" mesh server) ||
        exit 1
    seen=$(((meshed - outside - plain) / (2 * rounds)))
    echo "# $bytes bytes: $seen instructions more than plain ($((plain / (2 * rounds)))), $figure expected"
    if awk "BEGIN { exit !($seen < $figure * 1.03 && $seen > $figure * 0.97) }"; then
        ok "instructions/$bytes"
    else
        not_ok "instructions/$bytes: $seen, not $figure; see tests/bench/instructions.txt"
    fi
done < <(grep '^[0-9]' "$figures")
[ "$failures" -eq 0 ]
