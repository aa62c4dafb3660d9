#!/bin/bash
# The demonstration ends well, in time, shows what it promises, and leaves nothing behind; and it fails where there is no mesh.
# timeout: 90
# shellcheck disable=SC2015 # ok never fails
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

mkdir "$work/tmp"
export TMPDIR=$work/tmp B
[ "$slow" -eq 1 ] || skip "the demonstration preloads the library alone, without a sanitizer's"
start=$SECONDS
timeout -k 5 60 "$top/examples/demo/run" >"$work/demo.log" 2>&1 </dev/null
status=$?
[ "$status" -eq 0 ] && ok "demo: ends well" || { not_ok "demo: ends with status $status"; sed 's/^/# /' "$work/demo.log"; }
[ $((SECONDS - start)) -lt 20 ] && ok "demo: takes less than 20 s" || not_ok "demo: took $((SECONDS - start)) s"

# shows NAME PATTERN
shows() {
    if grep -qE -- "$2" "$work/demo.log"; then
        ok "demo: shows $1"
    else
        not_ok "demo: shows $1"
    fi
}
shows "encrypted records" '17 03 03 [0-9a-f]{2} [0-9a-f]{2}'
shows "that the request's text is not on the wire" 'searched for in [0-9]+ bytes and not found'
shows "who the server is" 'server proved .* spiffe://mesh.local/ns/default/sa/web'
shows "who the client is" 'client proved .* spiffe://mesh.local/ns/default/sa/curl'
shows "the statistics" 'inbound:[0-9]+ +default/curl +mutual_tls +user +1'
shows "that plain curl is refused" '✓ plain curl'
shows "that a foreign identity is refused" '✓ curl with an identity that another authority'
if grep -q $'\e' "$work/demo.log"; then
    not_ok "demo: colours although nobody looks"
else
    ok "demo: no colours where there is no terminal"
fi

# What it made is gone, and nothing that it started still runs.
left=$(ls -A "$work/tmp")
[ -z "$left" ] && ok "demo: leaves no file" || not_ok "demo: leaves $left"
# The bracket keeps grep from finding itself.
running_still() {
    grep -lsa -- "$work/tmp/[m]eshshim-example" /proc/[0-9]*/cmdline
}
none_runs() {
    [ -z "$(running_still)" ]
}
wait_until 5 none_runs && ok "demo: leaves nothing running" || not_ok "demo: leaves running: $(running_still)"

# Without the mesh (here: a library that does nothing) it must not say that all is well.
if MESHSHIM_DISABLE=1 timeout -k 5 60 "$top/examples/demo/run" >"$work/disabled.log" 2>&1 </dev/null; then
    not_ok "demo: ends well although nothing is meshed"
else
    ok "demo: fails where nothing is meshed"
fi
tail -n 1 "$work/disabled.log" | grep -qE '^demo: .{20}' && ok "demo: says why in a sentence" || not_ok "demo: says nothing of why: $(tail -n 1 "$work/disabled.log")"
[ "$failures" -eq 0 ]
