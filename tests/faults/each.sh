#!/bin/bash
# Every call of the library to libc and to the allocator is made to fail, one in a run: the program gets an errno or carries on, gets no wrong
# byte, sends none in the clear, leaves nothing open, and can go on afterwards. Likewise where the call does no more than one byte of its work.
#
# What is walked are places: a call and its callers inside the library, as many as there are. Five scenes are looked at, one after the other (tests/faults/drive_scene.c),
# and in each the places that those before have not reached. Of each place fail the first call, and in another run all of them.
# OpenSSL allocates in thousands, of which some are tried; FAULTS=whole tries them all, with every errno, and the last call as well: 12,000 runs,
# half an hour of one processor.
# timeout: 600
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
case $(basename "$B") in asan | tsan) skip "the sanitizers have an allocator of their own" ;; esac
# shellcheck source=tests/faults/common.bash
. "$(dirname "$0")/common.bash"
here=$top/tests/faults
make_faulty_mesh 2s

# ---- none is left out ----
nm -D --undefined-only "$B/libmeshshim.so" | awk '{ sub(/@.*/, "", $2); print $2 }' | grep -v -e '^_ITM_' -e '^__gmon_start__$' |
    sort -u >"$work/called"
{
    sed -n 's/^CALL([^,]*, \([A-Za-z0-9_]*\),.*/\1/p' "$here/calls.def"
    grep -v "^ \*" "$here/calls.def" | grep -o "SAFE([A-Za-z0-9_]*)" | sed 's/SAFE(\(.*\))/\1/'
} | sort -u >"$work/known"
unknown=$(comm -23 "$work/called" "$work/known")
if [ -z "$unknown" ]; then
    ok "faults: calls.def knows the $(wc -l <"$work/called") functions that the library calls"
else
    not_ok "faults: calls.def does not know what the library calls: $unknown"
fi

# ---- one a run ----
more=()
[ "${FAULTS:-}" = whole ] && more=(--whole)
for side in client server; do
    drive --side "$side" --jobs 6 "${more[@]}" >"$work/lines"
    status=$?
    named <"$work/lines" >"$work/told"
    grep '^#' "$work/told"
    runs=$(sed -n 's/^# \([0-9]*\) faults, .*/\1/p' "$work/told")
    if [ "$status" -le 1 ] && [ "${runs:-0}" -gt 300 ] && ! grep -q '^not ok' "$work/told"; then
        ok "faults: each call of a $side's library fails once"
    else
        not_ok "faults: each call of a $side's library fails once"
        grep '^not ok' "$work/told" | sed 's/^not ok/#/'
    fi
done

# ---- and the counters ----
says_none_active faults
[ "$failures" -eq 0 ]
