#!/bin/bash
# Either end of a transfer is killed at random moments: what arrived is the beginning of what was sent, none of it twice or wrong, no more than its
# sender was told, and its end is no clean one. So with processes that write to one connection by turns.
# timeout: 300
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
transfer=$B/tests/faults/transfer
call=50000 # the most that one call of transfer's sends
many=60
MESH_SERVICE_KEYS='connect_retries = 0' # or one try of the client is two connections of the server
make_mesh

# serve MODE N: its port in $port.
serve() {
    rm -f "$work/server.log"
    spawn server mesh server "$transfer" "$@"
    wait_until 10 grep -qs '^port' "$work/server.log" || fail "no server"
    port=$(sed -n 's/^port //p' "$work/server.log")
}
# bytes DIRECTION FIELD: plaintext, as the counters have it.
bytes() {
    "$meshctl" stats -d "$work/run" -o json | /usr/bin/python3 -c '
import json, sys
print(sum(entry["bytes"][sys.argv[2]] for entry in json.load(sys.stdin)["entries"] if entry["direction"] == sys.argv[1]))' "$1" "$2"
}
sum() {
    awk -v word="$1" '$1 == word { n += $2 } END { print n + 0 }' "$2"
}
# verdict NAME CONDITION…: an awk program that says what is wrong, over both logs side by side.
verdict() {
    local name=$1 wrong
    wrong=$(grep -h "^$2" "$work/server.log" | paste - <(grep "^$3" "$work/client.log") | awk -v call="$call" -v many="$many" "$4")
    if [ -z "$wrong" ]; then
        ok "$name"
    else
        not_ok "$name"
        echo "$wrong" | head -n 5 | sed 's/^/# /'
    fi
}
# run MODE…: the client's part, to its end, and the server's.
run() {
    mesh client "$transfer" "$@" >"$work/client.log" 2>&1
    status=$?
    [ "$status" -eq 0 ] && gone "$spawned" 20 && wait "$spawned" && return
    not_ok "killed: $1 ends well: status $status"
    tail -n 3 "$work/client.log" "$work/server.log" | sed 's/^/# /'
}

# ---- the sender is killed ----
serve catch "$many"
run throw "$port" "$many"
# shellcheck disable=SC2016 # awk's
verdict "killed: of $many senders: what arrived is the beginning of what was sent, and ends in ECONNRESET" received told '
    $5 + call < $2 { print "more has arrived than was sent: " $0 }
    $3 == "clean" && $2 > 0 { print "a clean end: " $0 }
    $3 != "clean" && $3 != "ECONNRESET" { print "another end: " $0 }
    { n++ }
    END { if (n != many) print n " of " many " connections" }'
received=$(sum received "$work/server.log")
told=$(sum told "$work/client.log")
if [ "$(bytes inbound received)" -eq "$received" ] && [ "$received" -gt 1000000 ]; then
    ok "killed: the counters have what arrived, to the byte"
else
    not_ok "killed: the counters have $(bytes inbound received) bytes, $received have arrived"
fi
# A sender may be killed between its call's end and what it writes down of it here.
sent=$(bytes outbound sent)
if [ "$((sent - told))" -ge 0 ] && [ "$((sent - told))" -le $((many * call)) ]; then
    ok "killed: the counters have what senders were told"
else
    not_ok "killed: the counters have $sent bytes, the senders were told $told"
fi

# ---- the receiver is killed ----
serve sink "$many"
run pour "$port" "$many"
# shellcheck disable=SC2016
verdict "killed: of $many receivers: each had the beginning of what was sent, and its sender ends" received told '
    $4 + call < $2 { print "more has arrived than was sent: " $0 }
    { n++ }
    END { if (n != many) print n " of " many " connections" }'

# ---- one of four that write by turns is killed ----
many=40
serve messages "$many"
run share "$port" "$many"
# shellcheck disable=SC2016
verdict "killed: one of four writers, $many times: the others go on or are refused, no message is torn but by the one that died" messages ended '
    $4 > 1 { print "torn: " $0 }
    $5 != "clean" && $5 != "ECONNRESET" { print "another end: " $0 }
    $5 == "clean" && $7 == 4 && $2 < 1600 { print "lost: " $0 }
    { n++; whole += $5 == "clean" }
    END { if (n != many) print n " of " many " connections"; if (whole < many / 4) print "only " whole " of " many " went on" }'
if grep -q bad_record_mac "$work/server.log" "$work/client.log"; then
    not_ok "killed: no record is sealed twice with one number"
else
    ok "killed: no record is sealed twice with one number"
fi
[ "$failures" -eq 0 ]
