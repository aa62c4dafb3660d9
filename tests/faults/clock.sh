#!/bin/bash
# The clock of the day jumps, forwards and backwards: deadlines and latencies go by the other one, certificates are judged by it, and nothing hangs.
# timeout: 200
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
case $(basename "$B") in asan | tsan) skip "the sanitizers' library comes first" ;; esac
python=/usr/bin/python3
# shellcheck source=tests/faults/common.bash
. "$(dirname "$0")/common.bash"
MESH_SERVICE_KEYS="handshake_timeout = 2s
connect_retries = 0"
make_mesh
export CLOCK_FILE=$work/offset
mesh_preload="$mesh_preload:$B/tests/faults/clock.so"

# jump SECONDS: from here on the clock is so far off, for every process at once.
jump() {
    "$python" -c 'import struct, sys
with open(sys.argv[1], "r+b") as file: file.write(struct.pack("=q", int(sys.argv[2])))' "$CLOCK_FILE" "$1"
}
head -c 8 /dev/zero >"$CLOCK_FILE"

serve || fail "no server"

# works NAME [SECONDS]: at once, or within so long; is_refused NAME TEXT: with a sentence.
talks() {
    mesh client timeout 60 "$subject" client "$port" >"$work/client.log" 2>&1
}
works() {
    if wait_until "${2:-0}" talks; then
        ok "clock: $1"
    else
        not_ok "clock: $1"
        tell_logs
    fi
}
is_refused() {
    talks
    if [ $? -eq 4 ] && grep -q "$2" "$work/client.log" && ! grep -q greeting "$work/client.log"; then
        ok "clock: $1"
    else
        not_ok "clock: $1"
        tell_logs
    fi
}

# ---- certificates ----
works "right"
jump $((400 * 365 * 86400 / 10))
is_refused "forty years later certificates have expired" expired
jump $((-400 * 365 * 86400 / 10))
is_refused "forty years earlier they are not yet valid" "not valid before\|not yet valid"
jump 0
works "right again" 10 # what is refused is looked at again after a second

# ---- in the middle ----
# By so much that certificates stay valid, some hundred times a second, while connections are made and used.
"$python" - "$CLOCK_FILE" <<'PY' &
import itertools, struct, sys, time
with open(sys.argv[1], "r+b", buffering=0) as file:
    for offset in itertools.cycle((0, 40, -40, 7, -300, 300)):
        file.seek(0)
        file.write(struct.pack("=q", offset))
        time.sleep(0.003)
PY
jumper=$!
pids+=("$jumper")
if mesh client timeout 100 "$subject" storm "$port" 40 >"$work/client.log" 2>&1 && grep -q 'after 80 rounds of 80' "$work/client.log"; then
    ok "clock: 80 rounds while it jumps"
else
    not_ok "clock: 80 rounds while it jumps"
    tell_logs
fi

# ---- a deadline ----
# A listener that never says anything: connect succeeds in the grace, the first byte is waited for until handshake_timeout.
spawn silent "$python" -c '
import signal, socket
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
signal.pause()'
wait_until 10 grep -qs . "$work/silent.log" || fail "no silent listener"
mesh client timeout $((60 * slow)) "$python" - "$(<"$work/silent.log")" >"$work/waited" 2>&1 <<'PY'
import socket, sys, time
before = time.monotonic()
connection = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
try:
    connection.recv(1)
    print("there is an answer")
except OSError as error:
    print(error.strerror, 1 < time.monotonic() - before < 20)
PY
if grep -q 'timed out True' "$work/waited"; then
    ok "clock: a handshake is given up after its time while it jumps"
else
    not_ok "clock: a handshake is given up after its time while it jumps"
    sed 's/^/# /' "$work/waited"
fi
kill "$jumper"

# ---- what was measured ----
wrong=$("$meshctl" stats -d "$work/run" -o json | "$python" -c '
import json, sys
for entry in json.load(sys.stdin)["entries"]:
    for name, values in entry["latency_us"].items():
        if values.get("count") and not 0 <= values["p999"] < 30e6:
            print(entry["direction"], name, values)')
if [ -z "$wrong" ]; then
    ok "clock: no latency is negative, or of the length of a jump"
else
    not_ok "clock: no latency is negative, or of the length of a jump"
    echo "$wrong" | sed 's/^/# /'
fi
exec 9>&-
[ "$failures" -eq 0 ]
