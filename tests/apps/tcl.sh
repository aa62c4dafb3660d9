#!/bin/bash
# Tcl: channels with events, asynchronous connects, copies in the background, one half closed.
# packages: tcl
# program: Tcl
# timeout: 60
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/apps/common.bash
. "$(dirname "$0")/common.bash"
[ -x /usr/bin/tclsh ] || skip "tclsh is not installed"
# shellcheck disable=SC2016 # Tcl's dollar
echo "version Tcl $(echo 'puts $tcl_patchLevel' | /usr/bin/tclsh)"

# pair SERVER BYTES COUNT
pair() {
    port=$(free_port)
    spawn tcl mesh server /usr/bin/tclsh "$top/tests/apps/programs/sockets.tcl" "$1" "$port"
    wait_port "$port"
    limit 30 mesh client /usr/bin/tclsh "$top/tests/apps/programs/sockets.tcl" client "$port" "$2" "$3"
}
proved_pair() {
    pair "$@" && both_proved "$port"
}
works() {
    pair server 100000 10 && pair copies 1000000 2
}
try "tcl: events, 5 MB there and back" proved_pair server 5000000 1
try "tcl: events, 50 kB on each of 40 connections" proved_pair server 50000 40
try "tcl: fcopy, 1 MB on each of 5 connections" proved_pair copies 1000000 5
try "tcl: the same plain, loaded and meshed" alike works
[ "$failures" -eq 0 ]
