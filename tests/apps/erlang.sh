#!/bin/bash
# Erlang's sockets, by its driver and by native functions: passive, active, active once, frames, sendfile; 40 at once.
# timeout: 120
# program: Erlang
# packages: erlang-base erlang-crypto
# tsan: Erlang holds more locks at once than the thread sanitizer counts
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/apps/common.bash
. "$(dirname "$0")/common.bash"

command -v escript >/dev/null || skip "Erlang is not installed"
version Erlang "$(dpkg-query -W -f '${Version}' erlang-base | sed 's/.*:\([0-9.]*\).*/\1/')"
export HOME=$work
cd "$work" || exit 1

# talks SERVER'S-BACKEND CLIENT'S-BACKEND
talks() {
    port=$(free_port)
    spawn "erlang-$1" mesh server escript "$top/tests/apps/programs/echo.escript" serve "$port" "$1"
    wait_port "$port"
    limit 30 mesh client escript "$top/tests/apps/programs/echo.escript" ask "$port" "$2" || { cat "$work/erlang-$1.log"; return 1; }
}

try "Erlang: 40 connections by the driver" talks inet inet
try "Erlang: both sides are proved" both_proved "$port"
try "Erlang: 40 connections by native functions" talks socket socket
try "Erlang: both sides are proved by native functions" both_proved "$port"
try "Erlang: the same plain, loaded and meshed" alike talks inet socket
[ "$failures" -eq 0 ]
