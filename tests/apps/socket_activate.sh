#!/bin/bash
# systemd-socket-activate: services that get a listener or a connection on a descriptor, in an environment that it makes itself.
# packages: systemd
# program: systemd-socket-activate
# timeout: 60
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/apps/common.bash
. "$(dirname "$0")/common.bash"
[ -x /usr/bin/systemd-socket-activate ] || skip "systemd-socket-activate is not installed"
version systemd-socket-activate "$(/usr/bin/systemd-socket-activate --version | awk 'NR == 1 { print $2 }')"
service=$top/tests/apps/programs/activated.py

# serve OPTION… -- COMMAND…
serve() {
    port=$(free_port)
    spawn activate mesh server /usr/bin/systemd-socket-activate -l "127.0.0.1:$port" "$@"
    wait_port "$port"
}
# asks: lines on each of three connections, all open at once.
cat >"$work/ask.py" <<'PY'
import socket, sys
expected = sys.argv[2].encode()
several = [socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=15) for _ in range(int(sys.argv[3]))]
for number, one in enumerate(several):
    one.sendall(b"line %d\n" % number)
    got = one.recv(100)
    if got != b"LINE %d\n" % number:
        sys.exit(f"got {got!r}")
for number, one in enumerate(several):
    one.sendall(b"last\n")
    one.shutdown(socket.SHUT_WR)
    got = b""
    while piece := one.recv(100):
        got += piece
    if got != b"LAST\n" + expected:
        sys.exit(f"got {got!r} at the end")
PY
asks() {
    limit 20 mesh client "$python" "$work/ask.py" "$port" "$@"
}
pair() {
    serve "${@:3}" && asks "$1" "$2"
}
proved_pair() {
    pair "$@" && both_proved "$port"
}
works() {
    pair '' 3 --accept "$python" "$service" connection && pair '' 1 "$python" "$service" listener
}
try "systemd-socket-activate: a service accepts from the listener that it was given" proved_pair '' 1 "$python" "$service" listener
try "systemd-socket-activate: a service for each connection" proved_pair '' 3 --accept "$python" "$service" connection
try "systemd-socket-activate: a service whose standard input and output are the connection" \
    proved_pair 'goodbye
' 3 --accept --inetd "$python" "$service" inetd
try "systemd-socket-activate: the same plain, loaded and meshed" alike works
[ "$failures" -eq 0 ]
