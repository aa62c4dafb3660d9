#!/bin/bash
# A handshake goes on in the process that has sent its connection away and closed its own number, which the next connection gets at once:
# neither takes the other's bytes. Workers die meanwhile, so that nothing is as orderly as it might be.
# timeout: 60
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
python=/usr/bin/python3
make_mesh
export MESHSHIM_LOG_FILE=$work/mesh.log
here=$top/tests/integration

port=$(free_port)
spawn server mesh server "$python" "$here/sent_away.py" serve "$port" $((240 / slow))
server=$spawned
wait_port "$port"
answered=$(mesh client timeout 50 "$python" "$here/sent_away.py" ask "$port") || fail "the clients do not come to an end"
gone "$server" 10 || fail "the server does not end"
# Of about 960, a worker's death costs what it had.
[ "$answered" -ge $((480 / slow)) ] || fail "$answered answers"
! grep -E 'not TLS|not acceptable|Bad file descriptor' "$work/mesh.log" || fail "a handshake was given what is not its own"
