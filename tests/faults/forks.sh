#!/bin/bash
# A program with many open connections forks hundreds of children in bursts, who write to them, close them, end with them open, or are killed: each
# record arrives once and whole, the parent goes on, and no place of a dead child stays taken.
# timeout: 200
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/faults/common.bash
. "$(dirname "$0")/common.bash"
transfer=$B/tests/faults/transfer
connections=40 children=500
make_mesh
spawn server mesh server "$transfer" messages "$connections"
wait_until 10 grep -qs '^port' "$work/server.log" || fail "no server"
port=$(sed -n 's/^port //p' "$work/server.log")
mesh client "$transfer" forks "$port" "$connections" "$children" >"$work/client.log" 2>&1 || fail "the parent ended with status $?"
gone "$spawned" 20 || fail "connections stay open"
wait "$spawned" || fail "the server got other bytes than were sent"

read -r _ killed _ failed _ broken _ slots < <(grep '^killed' "$work/client.log")
# Who is killed in the middle of a record has broken that connection, for everybody: those few are refused.
if grep -c '^messages' "$work/server.log" | grep -qx "$connections" && ! grep -q bad_record_mac "$work/server.log" &&
    [ "$(awk '$1 == "messages" && $5 != "clean" && $5 != "ECONNRESET"' "$work/server.log" | wc -l)" -eq 0 ]; then
    ok "forks: $connections connections are read to their ends, record by record"
else
    not_ok "forks: $connections connections are read to their ends, record by record"
    tail -n 10 "$work/server.log" | sed 's/^/# /'
fi
resets=$(awk '$1 == "messages" && $5 != "clean"' "$work/server.log" | wc -l)
if [ "$killed" -gt 20 ] && [ "$broken" -le "$resets" ] && [ "$resets" -le "$killed" ]; then
    ok "forks: $children children, some of them killed: the parent goes on"
else
    not_ok "forks: the parent goes on: killed $killed, children refused $failed, the parent refused $broken, connections broken $resets"
fi
if [ "$slots" -ge 1 ] && [ "$slots" -le 6 ]; then
    ok "forks: no place of a dead child stays taken"
else
    not_ok "forks: $slots places of the family are taken"
fi
echo "# killed $killed, children refused $failed, connections broken $resets, places taken $slots"
says_none_active forks
[ "$failures" -eq 0 ]
