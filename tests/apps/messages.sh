#!/bin/bash
# Queues and chats: ZeroMQ (its own thread for sockets), beanstalkd, Gearman (a program for each job), an IRC server and its clients.
# packages: beanstalkd gearman-job-server gearman-tools ii ngircd python3-zmq
# program: ZeroMQ
# program: beanstalkd
# program: Gearman
# program: ngIRCd
# program: ii
# timeout: 90
# ngIRCd gives its rights up, and all here must be able to read the same identities: the whole test does, before it begins.
[ "$(id -u)" -ne 0 ] || exec setpriv --reuid=nobody --regid="$(id -g nobody)" --clear-groups bash "$0"
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/apps/common.bash
. "$(dirname "$0")/common.bash"
export PATH=$PATH:/usr/sbin
for tool in beanstalkd gearmand gearman ngircd ii; do
    command -v $tool >/dev/null || skip "$tool is not installed"
done
version ZeroMQ "$("$python" -c 'import zmq; print(zmq.zmq_version())')"
version beanstalkd "$(beanstalkd -v | cut -d ' ' -f 2)"
version Gearman "$(dpkg-query -W -f '${Version}' gearman-job-server | sed 's/[+-].*//')"
version ngIRCd "$(dpkg-query -W -f '${Version}' ngircd | sed 's/[~-].*//')"
version ii "$(dpkg-query -W -f '${Version}' ii | sed 's/[~-].*//')"

cat >"$work/zeromq.py" <<'PY'
import os, sys, zmq
mode, port = sys.argv[1], int(sys.argv[2])
context = zmq.Context()
if mode == "server":
    answering = context.socket(zmq.REP)
    answering.bind(f"tcp://127.0.0.1:{port}")
    while True:
        answering.send_multipart(answering.recv_multipart())

def asking():
    socket = context.socket(zmq.REQ)
    socket.setsockopt(zmq.RCVTIMEO, 15000)
    socket.connect(f"tcp://127.0.0.1:{port}")
    return socket

several = [asking() for _ in range(8)]
for turn in range(20):
    for number, socket in enumerate(several):
        socket.send_multipart([b"%d" % number, b"x" * turn * 3000])
    for number, socket in enumerate(several):
        assert socket.recv_multipart() == [b"%d" % number, b"x" * turn * 3000], f"turn {turn} of {number}"
large = os.urandom(8 << 20)
several[0].send(large)
assert several[0].recv() == large, "8 MiB differ"
PY
cat >"$work/beanstalk.py" <<'PY'
import os, socket, sys, threading
port = int(sys.argv[1])

def connect():
    connection = socket.create_connection(("127.0.0.1", port), timeout=15)
    return connection, connection.makefile("rb")

taken = []
def work():
    connection, answers = connect()
    for _ in range(20):
        connection.sendall(b"reserve-with-timeout 10\r\n")
        word, number, length = answers.readline().split()
        taken.append(len(answers.read(int(length) + 2)) - 2)
        connection.sendall(b"delete %s\r\n" % number)
        assert answers.readline() == b"DELETED\r\n"

workers = [threading.Thread(target=work) for _ in range(4)]
for worker in workers:
    worker.start()
connection, answers = connect()
for number in range(80):
    connection.sendall(b"put 1 0 60 %d\r\n" % (number * 10000) + os.urandom(number * 10000) + b"\r\n")
    assert answers.readline().startswith(b"INSERTED")
for worker in workers:
    worker.join()
print(len(taken), "jobs of", sum(taken), "bytes")
PY

# serve NAME COMMAND…: with $port.
serve() {
    spawn "$1" mesh server "${@:2}"
    wait_port "$port" 20
}
zeromq() {
    port=$(free_port)
    serve zeromq "$python" "$work/zeromq.py" server "$port"
    limit 30 mesh client "$python" "$work/zeromq.py" client "$port"
}
beanstalk() {
    port=$(free_port)
    serve beanstalkd beanstalkd -l 127.0.0.1 -p "$port" -z 2000000
    limit 30 mesh client "$python" "$work/beanstalk.py" "$port"
}
gearman_jobs() {
    local i
    port=$(free_port)
    serve gearmand gearmand --listen 127.0.0.1 --port "$port" --log-file stderr
    spawn worker mesh client gearman -h 127.0.0.1 -p "$port" -w -f upper -- tr a-z A-Z
    for i in 1 2 3 4 5; do
        limit 15 mesh client gearman -h 127.0.0.1 -p "$port" -f upper "hello $i" || return 1
    done
}
irc() {
    local name at=127.0.0.1
    port=$(free_port)
    printf '%s\n' '[Global]' 'Name = irc.test' 'Info = test' "Ports = $port" 'Listen = 127.0.0.1' "ServerUID = $(id -u)" "ServerGID = $(id -g)" \
        '[Options]' 'DNS = no' 'Ident = no' 'PAM = no' '[Limits]' 'MaxConnectionsIP = 0' >"$work/irc.conf"
    serve ngircd ngircd -n -f "$work/irc.conf"
    for name in ann bob; do
        rm -rf "${work:?}/$name"
        spawn "$name" mesh client ii -s $at -p "$port" -n "$name" -i "$work/$name"
        wait_until 15 grep -qs MOTD "$work/$name/$at/out" || return 1
        echo "/j #room" >"$work/$name/$at/in"
        wait_until 15 test -p "$work/$name/$at/#room/in" || return 1
    done
    wait_until 15 grep -q bob "$work/ann/$at/#room/out" || return 1
    printf 'good morning %s\n' 1 2 3 >"$work/ann/$at/#room/in"
    wait_until 15 grep -q 'good morning 3' "$work/bob/$at/#room/out" && grep -o 'good morning .' "$work/bob/$at/#room/out"
}
for job in "zeromq: 160 messages by 8 connections, 8 MiB there and back" "beanstalk: 80 jobs of up to 800 kB for four workers" \
    "gearman_jobs: five jobs, a program for each" "irc: two clients in a room"; do
    try "$job" alike "${job%%:*}"
    try "${job%%:*}: both sides are proved" both_proved "$port"
done
[ "$failures" -eq 0 ]
