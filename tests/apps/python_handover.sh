#!/bin/bash
# Python: connections that are sent to other processes, by multiprocessing and by hand, and programs that are started on them.
# packages: python3
# program: Python
# timeout: 90
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/apps/common.bash
. "$(dirname "$0")/common.bash"

# pair SERVER CLIENT ARGUMENT…
pair() {
    port=$(free_port)
    spawn "$1" mesh server "$python" "$top/tests/apps/programs/handover.py" "$1" "$port"
    wait_port "$port"
    limit 30 mesh client "$python" "$top/tests/apps/programs/handover.py" "$2" "$port" "${@:3}"
}
proved_pair() {
    pair "$@" && both_proved "$port"
}
works() {
    pair spawn-server client 100000 4 2 && pair cgi-server piped-client && pair late-server late-client
}
try "python: accepted connections are sent to forked workers" proved_pair pool-server client 300000 8 2
try "python: accepted connections are sent to workers that are new programs" proved_pair spawn-server client 300000 8 2
try "python: workers are sent the listener" proved_pair listeners-server client 300000 8 1
try "python: connections in use go to another process and come back" proved_pair late-server late-client
try "python: a shell and cat on each of 8 connections" proved_pair cgi-server client 300000 8 8
try "python: programs on the client's connection write and read at once" proved_pair cgi-server piped-client
try "python: handing over, the same plain, loaded and meshed" alike works
[ "$failures" -eq 0 ]
