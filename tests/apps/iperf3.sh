#!/bin/bash
# iperf3: either direction, several streams, both directions at once, small pieces.
# program: iperf3
# packages: iperf3
# timeout: 60
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/apps/common.bash
. "$(dirname "$0")/common.bash"

version iperf3 "$(iperf3 -v | awk 'NR == 1 { print $2 }')"
iperf3_at() {
    spawn iperf3 mesh server iperf3 -s -B 127.0.0.1 -p "$1"
    wait_port "$1"
}
# moves BYTES ARGUMENT…: so many a stream, which both ends count alike.
moves() {
    local bytes=$1
    shift
    limit 30 mesh client iperf3 -c 127.0.0.1 -p "$speed" -n "$bytes" -J "$@" >"$work/iperf.json" || { grep error "$work/iperf.json"; return 1; }
    "$python" - "$work/iperf.json" "$bytes" <<'PY'
import json, sys
end, least = json.load(open(sys.argv[1])), int(sys.argv[2])
if "error" in end:
    sys.exit(end["error"])
for stream in end["end"]["streams"]:
    sent, received = stream["sender"]["bytes"], stream["receiver"]["bytes"]
    # What is under way when the time is over is not received, and more than one is never counted.
    if not 0 < received <= sent:
        sys.exit(f"{sent} bytes were sent and {received} received")
# It ends when one direction has sent them all, whichever.
most = max(side["bytes"] for name, side in end["end"].items() if name.startswith("sum_sent"))
if most < least:
    sys.exit(f"{most} bytes of {least} were sent")
PY
}

speed=$(free_port)
iperf3_at "$speed"
try "iperf3: sends" moves 500000000
try "iperf3: receives" moves 500000000 -R
try "iperf3: 4 streams" moves 200000000 -P 4
try "iperf3: 4 streams the other way" moves 200000000 -P 4 -R
try "iperf3: both directions at once" moves 200000000 --bidir
try "iperf3: pieces of 100 bytes" moves 5000000 -l 100
try "iperf3: pieces of 1 MB, by sendfile" moves 200000000 -l 1000000 -Z
try "iperf3: both sides are proved" both_proved "$speed"

serves() {
    speed=$(free_port)
    iperf3_at "$speed"
    moves 20000000 && moves 20000000 -R -P 2 && echo "moved"
}
try "iperf3: the same plain, loaded and meshed" alike serves
[ "$failures" -eq 0 ]
