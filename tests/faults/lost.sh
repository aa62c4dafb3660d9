#!/bin/bash
# Calls that fail again and again in one process: one place of the library after the other, in six rounds each, and afterwards it holds as many descriptors, as much
# memory of its own and of the family's as before. What is prepared once a process is not reached: see each.sh. FAULTS=whole: all of OpenSSL's
# allocations, and every errno.
# timeout: 300
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
case $(basename "$B") in asan | tsan) skip "the sanitizers have an allocator of their own" ;; esac
# shellcheck source=tests/faults/common.bash
. "$(dirname "$0")/common.bash"
make_faulty_mesh 500ms
more=()
[ "${FAULTS:-}" = whole ] && more=(--whole)
for side in client server; do
    drive --trials --side "$side" --jobs 3 "${more[@]}" >"$work/lines"
    status=$?
    named <"$work/lines" >"$work/told"
    grep '^#' "$work/told"
    reached=$(sed -n 's/^# [0-9]* faults, \([0-9]*\) of them.*/\1/p' "$work/told")
    if [ "$status" -eq 0 ] && [ "${reached:-0}" -gt 50 ]; then
        ok "faults: nothing is lost for good where a $side's calls fail"
    else
        not_ok "faults: nothing is lost for good where a $side's calls fail"
        grep '^not ok' "$work/told" | sed 's/^not ok/#/'
    fi
done
[ "$failures" -eq 0 ]
