#!/bin/bash
# inetd: programs on a connection for each client (nowait), one that is given the listener (wait), and services of its own.
# packages: openbsd-inetd
# program: openbsd-inetd
# timeout: 60
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/apps/common.bash
. "$(dirname "$0")/common.bash"
[ -x /usr/sbin/inetd ] || skip "inetd is not installed"
[ "$(id -u)" -eq 0 ] || skip "inetd serves root only"
version openbsd-inetd "$(dpkg-query -W -f '${Version}' openbsd-inetd)"
random_file 1m 1048576

# serve: on ports $cat and $wait, the programs; inetd empties the environment of what it does not know.
serve() {
    cat=$(free_port) wait=$(free_port)
    cat >"$work/inetd.conf" <<CONF
127.0.0.1:$cat stream tcp nowait root /bin/cat cat
127.0.0.1:$wait stream tcp wait root $python python3 $work/wait.py
CONF
    spawn inetd mesh server /usr/sbin/inetd -i "$work/inetd.conf"
    wait_port "$cat" && wait_port "$wait"
}
cat >"$work/wait.py" <<'PY'
# Standard input is the listener; one client, then inetd listens again.
import socket
connection, _ = socket.socket(fileno=0).accept()
with connection:
    while data := connection.recv(65536):
        connection.sendall(data)
PY
echoes() {
    limit 20 mesh client socat -t 15 - "TCP:127.0.0.1:$1" <"$work/files/1m" >"$work/got" && same "$work/files/1m" "$work/got"
}
twice() {
    echoes "$1" && echoes "$1"
}
works() {
    serve && echoes "$cat" && twice "$wait"
}
serve
try "openbsd-inetd: cat is on the connection, 1 MiB there and back, twice" twice "$cat"
try "openbsd-inetd: client and cat are proved" both_proved "$cat"
try "openbsd-inetd: a program is given the listener, twice" twice "$wait"
try "openbsd-inetd: client and that program are proved" both_proved "$wait"
try "openbsd-inetd: the same plain, loaded and meshed" alike works
[ "$failures" -eq 0 ]
